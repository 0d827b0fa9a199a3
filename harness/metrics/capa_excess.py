"""Excess agreement: CAPA beyond what student and teacher show with unrelated models.

Source: our own, from the rise of kappa_p with accuracy that Goel et al. 2025 report; `stats/round_robin`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.agreement import pairwise_kappa
from harness.panel.choices import align_choices_with_gold
from harness.panel.panel import Looks, Panel, View
from harness.stats.round_robin import pair_excess
from harness.types import Finding, Given, Unavailable


@dataclass(frozen=True)
class CapaExcess(AbstractMetric):
    """Whether student and teacher agree more than unrelated models like them do."""

    unit = "kappa"
    better = "higher"
    looks_at = Looks((View.CHOICES,), needs=("teacher",), also=("controls",))
    level = "models"
    explanation = (
        "CAPA of student and teacher minus what is expected of them: how far each of the two agrees with unrelated "
        "models, and how far apart their accuracies lie. Above 0 with its interval = more alike than strangers. A "
        "shared base, shared data or the same lab do that too. The interval is one for a further unrelated pair; n "
        "counts lineages of controls, and relatives of student and teacher are not among them."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The excess with its prediction interval; n counts control lineages."""
        everyone = align_choices_with_gold(panels[0])
        kappa = pairwise_kappa(everyone)
        if not np.isfinite(kappa[0, 1]):
            raise Unavailable(
                "agreement of student and teacher is not defined: no prompt that both answered, or no error"
            )
        excess = pair_excess(kappa, everyone.right.mean(axis=1), everyone.lineages)
        return [Finding(Given(excess.value, excess.low, excess.high, excess.lineages, "models"))]
