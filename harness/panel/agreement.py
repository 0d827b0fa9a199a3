"""How far models agree in their choices beyond chance, pair by pair.

Source: CAPA, Goel et al. 2025, Great Models Think Alike and this Undermines AI Oversight.
"""

from __future__ import annotations

import numpy as np

from harness.panel.choices import AlignedChoices
from harness.stats.ratios import quotient
from harness.types import Floats


def kappa_p(means: Floats) -> Floats:
    """(observed - expected) / (1 - expected) from means (..., 4) of capa_parts; NaN where expected is 1."""
    observed, right1, right2, other = np.moveaxis(np.asarray(means), -1, 0)
    expected = right1 * right2 + other * (1 - right1) * (1 - right2)
    return quotient(observed - expected, 1 - expected)


def pairwise_kappa(choices: AlignedChoices) -> Floats:
    """CAPA (models, models), each on the prompts that both answered; NaN where there are none or it is not defined.

    Every prompt needs a right option. The same as `capa` pair by pair, as sums over unanswered rows of zeros.
    """
    models, n, _ = choices.probabilities.shape
    answered = choices.answered.astype(np.float64)
    flat = choices.probabilities.reshape(models, -1)
    right = choices.probabilities[:, np.arange(n), choices.gold]
    first = right @ answered.T
    other = (answered / (choices.n_options - 1)) @ answered.T
    sums = np.stack([flat @ flat.T, first, first.T, other], axis=-1)
    rows = (answered @ answered.T)[..., None]
    return kappa_p(quotient(sums, rows))
