"""Top-1 agreement: how often student and teacher choose the same option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._primary import required
from harness.metrics.capa import left_unanswered
from harness.panel.choices import align_choices
from harness.panel.panel import Sides
from harness.types import Better, Floats, Found, Ints, Mean, Unavailable


def same_choice(first: Ints, second: Ints) -> Floats:
    """(P,) 1 where both chose the same option; first, second: options (P,), all answered."""
    return np.asarray(first == second, dtype=np.float64)


@dataclass(frozen=True)
class Top1Agreement(AbstractMetric):
    """Share of prompts with the same answer, right or wrong."""

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "choices"})
    explanation: ClassVar[str] = (
        "Share of prompts on which student and teacher choose the same option, right or wrong. Two good models agree "
        "often because both are right: CAPA takes that out. Prompts that one of them left unanswered are left out."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The share, and the share of prompts left out where there are any."""
        one = sides[0]
        aligned = align_choices((one.student, required(one.teacher, "teacher")), one.minimum)
        kept = aligned.where(np.all(aligned.answered, axis=0))
        if len(kept.prompts) < max(one.minimum, 1):
            raise Unavailable(
                f"{len(kept.prompts)} prompts answered by both; at least {one.minimum} are needed"
            )
        found = [Found("", "", Mean(same_choice(*kept.chosen), kept.ids, kept.clusters))]
        if not aligned.answered.all():
            found.append(
                Found("unanswered", "", left_unanswered(aligned), unit="share", better="none")
            )
        return found
