"""Top-1 agreement: how often student and teacher choose the same option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics.capa import left_unanswered
from harness.panel import reasons
from harness.panel.choices import align_choices
from harness.panel.panel import Looks, Panel, View
from harness.types import Finding, Floats, Ints, Mean


def same_choice(first: Ints, second: Ints) -> Floats:
    """(P,) 1 where both chose the same option; first, second: options (P,), all answered."""
    return np.asarray(first == second, dtype=np.float64)


@dataclass(frozen=True)
class Top1Agreement(AbstractMetric):
    """Share of prompts with the same answer, right or wrong."""

    unit = "share"
    better = "higher"
    looks_at = Looks((View.CHOICES,), needs=("teacher",))
    explanation = (
        "Share of prompts on which student and teacher choose the same option, right or wrong. Two good models agree "
        "often because both are right: CAPA takes that out. Prompts that one of them left unanswered are left out."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The share, and the share of prompts left out where there are any."""
        aligned = align_choices(panels[0])
        answered = aligned.where(np.all(aligned.answered, axis=0))
        what, of = "prompts answered by both", len(aligned.prompts)
        reasons.require(len(answered.prompts), panels[0].minimum, what, of)
        same = Mean(same_choice(*answered.chosen), answered.ids, answered.clusters)
        return [Finding(same), *left_unanswered(aligned)]
