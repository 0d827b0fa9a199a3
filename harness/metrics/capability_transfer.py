"""Headline: capability that came across, over all graded tasks of the matrix.

sum_j (s_j - b_j) / sum_j (t_j - b_j), scores in [0, 1], every task with weight 1, none dropped by its result:
a combined ratio, not a mean of ratios.
Source: combined ratio estimator, Cochran 1977, Sampling Techniques; interval: Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics._primary import GradedMetric, leaves, pooled_values, primary
from harness.metrics.gap_recovered import GAP_UNIT, gap_stratum
from harness.panel.panel import Side, Sides
from harness.types import Better, Column, Floats, Found, Ratio, RatioStratum, Unavailable


def combined_ratio(student: Floats, teacher: Floats, base: Floats) -> float:
    """sum(student - base) / sum(teacher - base) of the scores (tasks,) of each model."""
    return float((student - base).sum() / (teacher - base).sum())


@dataclass(frozen=True)
class CapabilityTransfer(GradedMetric):
    """One number for all that the student can do of what the teacher can and the base cannot."""

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "base", "grades"})
    across_tasks: ClassVar[bool] = True
    explanation: ClassVar[str] = (
        "The way from base (0) to teacher (1) that the student went, summed over all graded tasks before dividing: a "
        "task counts as much as its gap is wide. With the student before distillation as base it is a gap recovered, "
        "which a student of nobody can do too: compare with the controls. Only a sibling base makes it transfer."
    )
    leaderboard: ClassVar = (Column(1, "Capability", "of the gap", from_base=True),)
    topics: ClassVar = {"capability": ("",)}

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The headline, and a reason for every graded task that cannot enter it by the kind of its grades."""
        graded = sorted(
            (s for s in sides if "grades" in s.student.requests.yields), key=lambda s: s.task
        )
        if not graded:
            raise Unavailable("no graded task in this matrix")
        reasons = {s.task: self._left_out(s.student, s.task) for s in graded}
        entering = [s for s in graded if not reasons[s.task]]
        unit = GAP_UNIT[graded[0].base_kind]
        apart = [Found(task, "", reason, unit) for task, reason in reasons.items() if reason]
        if not entering:
            raise Unavailable(
                "no graded task in this matrix whose grade is a share between 0 and 1"
            )
        return [Found("", "", Ratio(tuple(self._stratum(s) for s in entering)), unit), *apart]

    def _left_out(self, side: Side, task: str) -> str:
        """Why a task's kind of grade cannot enter, "" where it can. Depends on names of grades, never on results."""
        if side.grades is None:
            raise Unavailable(f"{side.model} has no grades of {task}")
        try:
            for leaf in leaves(side):
                primary(side, self.columns, leaf)
        except Unavailable as error:
            return f"not in the headline: {error}"
        return ""

    def _stratum(self, one: Sides) -> RatioStratum:
        """One task; raises Unavailable where a side has no values for it, naming both."""
        models = []
        for side, role in ((one.student, "student"), (one.teacher, "teacher"), (one.base, "base")):
            if side is None or side.grades is None:
                raise Unavailable(
                    f"{side.model if side else f'the {role}'} has no grades of {one.task}"
                )
            models.append(side)
        try:
            return gap_stratum(pooled_values(models, self.columns, one.minimum))
        except Unavailable as error:
            raise Unavailable(f"{one.task}: {error}") from None
