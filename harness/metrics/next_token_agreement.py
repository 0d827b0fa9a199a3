"""Next-token agreement: how often student and teacher put the same token after a short random context.

Source: after Nikolic et al. 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._primary import required
from harness.panel.align import align_texts
from harness.panel.panel import Sides
from harness.types import Better, Floats, Found, Mean


def same_token(first: Sequence[str], second: Sequence[str]) -> Floats:
    """(P,) 1 where both wrote the same; first, second: one token each, as text."""
    return np.array([float(a == b) for a, b in zip(first, second, strict=True)])


@dataclass(frozen=True)
class NextTokenAgreement(AbstractMetric):
    """Share of contexts with the same greedy next token."""

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "next_token"})
    explanation: ClassVar[str] = (
        "After how many short random contexts student and teacher would write the same next token. Models of one kind "
        "agree often without any lineage: `over_controls` takes off the mean agreement of the controls with the "
        "teacher on the same contexts. Tokens are compared as text, so another tokenizer lowers it."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The share, and how far it is above the controls' mean."""
        one = sides[0]
        teacher = required(one.teacher, "teacher")
        pair = align_texts((one.student, teacher), max(one.minimum, 1))
        found = [Found("", "", Mean(same_token(*pair.texts), pair.ids, pair.clusters))]
        if not one.controls:
            return [*found, Found("over_controls", "", "no controls")]
        shared = align_texts((one.student, teacher, *one.controls), max(one.minimum, 1))
        student, taught, *controls = shared.texts
        chance = np.mean([same_token(c, taught) for c in controls], axis=0)
        above = Mean(same_token(student, taught) - chance, shared.ids, shared.clusters)
        return [*found, Found("over_controls", "", above)]
