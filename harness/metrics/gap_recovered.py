"""Capability gap recovered: (student - base) / (teacher - base).

Source: by analogy with the performance gap recovered of Burns et al. 2023, Weak-to-strong generalization, whose floor
and ceiling are defined otherwise. Interval: Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from harness.metrics._primary import GradedMetric, each_leaf, required
from harness.panel.align import AlignedValues
from harness.panel.panel import Sides
from harness.types import Better, Floats, Found, Ratio, RatioStratum

# What the number may be called depends on what the base is: a student that never saw the teacher
# recovers a gap too.
GAP_UNIT = {"before": "gap recovered", "sibling": "gap transferred"}


def gap_recovered(student: Floats, teacher: Floats, base: Floats) -> float:
    """mean(student - base) / mean(teacher - base) of scores (P,) on the same prompts; 0 = base, 1 = teacher."""
    return float((student - base).mean() / (teacher - base).mean())


def gap_stratum(aligned: AlignedValues) -> RatioStratum:
    """Numerator and denominator per prompt; rows of `aligned` are student, teacher, base."""
    student, teacher, base = aligned.values
    return RatioStratum(student - base, teacher - base, aligned.ids, aligned.clusters)


@dataclass(frozen=True)
class GapRecovered(GradedMetric):
    """How much of the way from base to teacher the student went, on one task."""

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "base", "grades"})
    explanation: ClassVar[str] = (
        "How far the student went from the base (0) to the teacher (1) on the task; below 0 and above 1 are possible. "
        "With the student before distillation as base this is a gap recovered, whoever taught it: only a base that "
        "differs by the teacher's text alone makes it transfer. No number where teacher and base cannot be told apart "
        "on these prompts."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The ratio for the task, and for the leaves of a group; the unit says what kind of base it is held against."""
        one = sides[0]
        models = (one.student, required(one.teacher, "teacher"), required(one.base, "base"))
        entries = each_leaf(models, self.columns, one.minimum, lambda a: Ratio((gap_stratum(a),)))
        return [replace(entry, unit=GAP_UNIT[one.base_kind]) for entry in entries]
