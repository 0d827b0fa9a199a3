"""Retention: the student's score as a share of the teacher's. Interval: Fieller 1954."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.grades import SHARES, AlignedValues, each_leaf
from harness.panel.panel import Looks, Panel, View
from harness.types import Finding, Floats, Ratio, RatioStratum


def retention(student: Floats, teacher: Floats) -> float:
    """mean(student) / mean(teacher) of scores (P,) on the same prompts; 1 = as good as the teacher."""
    return float(student.mean() / teacher.mean())


def retention_statistic(aligned: AlignedValues) -> Ratio:
    """The same with what its interval needs; rows of `aligned` are student, teacher."""
    student, teacher = aligned.values
    return Ratio((RatioStratum(student, teacher, aligned.ids, aligned.clusters),))


@dataclass(frozen=True)
class Retention(AbstractMetric):
    """How much of the teacher's score the student has."""

    # "metric" or "metric,filter": the first that a task has is used
    columns: tuple[str, ...] = SHARES

    unit = "share of the teacher's score"
    better = "higher"
    looks_at = Looks((View.GRADES,), needs=("teacher",))
    explanation = (
        "The student's score divided by the teacher's, on the same prompts; 1 = as good. It flatters: a student that "
        "learned nothing keeps its base's score, and guessing alone gives a high share where there are few options. "
        "The gap recovered takes both away."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The ratio for the task, and for the leaves of a group."""
        return each_leaf(panels[0], self.columns, retention_statistic)
