"""Retention: the student's score as a share of the teacher's. Interval: Fieller 1954."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics._primary import GradedMetric, each_leaf, required
from harness.panel.align import AlignedValues
from harness.panel.panel import Sides
from harness.types import Better, Floats, Found, Ratio, RatioStratum


def retention(student: Floats, teacher: Floats) -> float:
    """mean(student) / mean(teacher) of scores (P,) on the same prompts; 1 = as good as the teacher."""
    return float(student.mean() / teacher.mean())


def retention_statistic(aligned: AlignedValues) -> Ratio:
    """The same with what its interval needs; rows of `aligned` are student, teacher."""
    student, teacher = aligned.values
    return Ratio((RatioStratum(student, teacher, aligned.ids, aligned.clusters),))


@dataclass(frozen=True)
class Retention(GradedMetric):
    """How much of the teacher's score the student has."""

    unit: ClassVar[str] = "share of the teacher's score"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "grades"})
    explanation: ClassVar[str] = (
        "The student's score divided by the teacher's, on the same prompts; 1 = as good. It flatters: a student that "
        "learned nothing keeps its base's score, and guessing alone gives a high share where there are few options. "
        "The gap recovered takes both away."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The ratio for the task, and for the leaves of a group."""
        one = sides[0]
        models = (one.student, required(one.teacher, "teacher"))
        return each_leaf(models, self.columns, one.minimum, retention_statistic)
