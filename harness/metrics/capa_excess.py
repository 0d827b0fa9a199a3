"""Excess agreement: CAPA beyond that of unrelated models of the same accuracies.

Source: our own, from the rise of kappa_p with accuracy that Goel et al. 2025 report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics.capa import kappa_p
from harness.panel import reasons
from harness.panel.choices import AlignedChoices, align_choices_with_gold
from harness.panel.controls import lineage_weights
from harness.panel.panel import Looks, Panel, View
from harness.stats.controls import prediction_interval_regression
from harness.types import Better, Finding, Floats, Given, Level, Unavailable

_PAIRS = 8  # of unrelated models below which a regression would only be drawn


class Excess(NamedTuple):
    """A kappa minus its prediction; low and high are the excess at the ends of the 95 % prediction interval."""

    value: float
    low: float
    high: float


class UnrelatedPairs(NamedTuple):
    """Agreement of pairs of unrelated models."""

    accuracies: Floats  # (pairs, 2) the weaker model's, then the stronger's
    kappas: Floats  # (pairs,)
    weights: Floats  # (pairs,) 1 / pairs of the same two lineages: two lineages weigh 1


def excess_agreement(kappa: float, accuracies: Floats, pairs: UnrelatedPairs) -> Excess:
    """`kappa` minus its prediction from both accuracies (2,), by weighted least squares over unrelated pairs.

    The interval excludes 0 exactly where kappa lies outside the prediction interval for one further pair.
    """
    expected = prediction_interval_regression(
        pairs.accuracies, pairs.kappas, np.sort(accuracies), pairs.weights
    )
    return Excess(kappa - expected.predicted, kappa - expected.high, kappa - expected.low)


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
    return kappa_p(np.divide(sums, rows, out=np.full(sums.shape, np.nan), where=rows > 0))


def pairs_apart(lineages: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs of models of different lineages."""
    return [(i, j) for i, j in combinations(range(len(lineages)), 2) if lineages[i] != lineages[j]]


def agreement_of(choices: AlignedChoices, pairs: Sequence[tuple[int, int]]) -> UnrelatedPairs:
    """Accuracies and kappas of the pairs for which kappa is defined; a pair is two rows of `choices`."""
    accuracy, kappa = choices.right.mean(axis=1), pairwise_kappa(choices)
    defined = [(i, j) for i, j in pairs if np.isfinite(kappa[i, j])]
    both = [sorted((accuracy[i], accuracy[j])) for i, j in defined]
    lineages = [
        " and ".join(sorted((choices.lineages[i], choices.lineages[j]))) for i, j in defined
    ]
    return UnrelatedPairs(
        np.array(both, dtype=np.float64).reshape(-1, 2),
        np.array([kappa[i, j] for i, j in defined], dtype=np.float64),
        lineage_weights(lineages),
    )


@dataclass(frozen=True)
class CapaExcess(AbstractMetric):
    """Whether student and teacher agree more than unrelated models of the same accuracies."""

    unit: ClassVar[str] = "kappa"
    better: ClassVar[Better] = "higher"
    looks_at: ClassVar[Looks] = Looks(
        (View.CHOICES,), needs=("teacher",), also=("controls", "others")
    )
    level: ClassVar[Level] = "models"
    explanation: ClassVar[str] = (
        "CAPA of student and teacher minus what unrelated models of the same two accuracies show (regression over "
        "pairs of different lineages); above 0 with its interval = more alike than strangers. A shared base, shared "
        "data or the same lab do that too. The pairs share models, so the interval is somewhat too narrow."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The excess with the prediction interval over unrelated pairs; n counts their lineages."""
        everyone = align_choices_with_gold(panels[0])
        pairs = agreement_of(everyone, _unrelated_pairs(everyone))
        lineage_pairs = round(pairs.weights.sum())
        if lineage_pairs < _PAIRS:
            few = reasons.few(lineage_pairs, "pairs of unrelated lineages", _PAIRS)
            raise Unavailable(f"{few}: add controls of other lineages")
        kappa = float(pairwise_kappa(everyone)[0, 1])
        if not np.isfinite(kappa):
            raise Unavailable(
                "agreement of student and teacher is not defined: no prompt that both answered, or no error"
            )
        excess = excess_agreement(kappa, everyone.right[:2].mean(axis=1), pairs)
        n = len({everyone.lineages[row] for row in everyone.reference})
        return [Finding(Given(excess.value, excess.low, excess.high, n, "models"))]


def _unrelated_pairs(everyone: AlignedChoices) -> list[tuple[int, int]]:
    """Rows of models of different lineages: without the student, and the teacher only with its own controls."""
    teacher = [(1, row) for row in everyone.controls]
    start = everyone.reference.start
    apart = pairs_apart(everyone.lineages[start:])
    return [*teacher, *((i + start, j + start) for i, j in apart)]
