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

from harness.metrics import AbstractMetric
from harness.metrics.gap_recovered import gap_stratum
from harness.panel.grades import SHARES, leaves, pooled_values, primary
from harness.panel.panel import Looks, Panel, View
from harness.panel.side import Side
from harness.panel.topics import Column
from harness.types import Finding, Floats, Ratio, RatioStratum, Unavailable


def combined_ratio(student: Floats, teacher: Floats, base: Floats) -> float:
    """sum(student - base) / sum(teacher - base) of the scores (tasks,) of each model."""
    return float((student - base).sum() / (teacher - base).sum())


@dataclass(frozen=True)
class CapabilityTransfer(AbstractMetric):
    """One number for how much of the teacher's advantage over the base the student has."""

    # "metric" or "metric,filter": the first that a task has is used
    columns: tuple[str, ...] = SHARES

    unit = "gap recovered"
    better = "higher"
    looks_at = Looks((View.GRADES,), needs=("teacher", "base"))
    across_tasks = True
    explanation = (
        "The way from base (0) to teacher (1) that the student went, summed over all graded tasks before dividing: a "
        "task counts as much as its gap is wide. With the student before distillation as base it is a gap recovered, "
        "which a student of nobody can do too: compare with the controls. Only a sibling base makes it transfer."
    )
    leaderboard = (Column(1, "Capability", "of the gap", from_base=True),)
    topics: ClassVar = {"capability": ("",)}

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The headline, and a reason for every graded task that cannot enter it by the kind of its grades."""
        graded = sorted(
            (p for p in panels if View.GRADES in p.student.requests.yields), key=lambda p: p.task
        )
        if not graded:
            raise Unavailable("no graded task in this matrix")
        reasons = {p.task: self._left_out(p.student, p.task) for p in graded}
        entering = [p for p in graded if not reasons[p.task]]
        unit = graded[0].gap_unit
        apart = [Finding(reason, task, unit=unit) for task, reason in reasons.items() if reason]
        if not entering:
            raise Unavailable(
                "no graded task in this matrix whose grade is a share between 0 and 1"
            )
        return [Finding(Ratio(tuple(self._stratum(p) for p in entering)), unit=unit), *apart]

    def _left_out(self, side: Side, task: str) -> str:
        """Why a task's kind of grade cannot be included, "" if it can. Depends on names of grades, never on results."""
        if side.grades is None:
            raise Unavailable(f"{side.model} has no grades of {task}")
        try:
            for leaf in leaves(side):
                primary(side, self.columns, leaf)
        except Unavailable as error:
            return f"not in the headline: {error}"
        return ""

    def _stratum(self, panel: Panel) -> RatioStratum:
        """One task; raises Unavailable where a side has no values for it, naming both."""
        for side in (panel.student, panel.teacher, panel.side("base")):
            if side.grades is None:
                raise Unavailable(f"{side.model} has no grades of {panel.task}")
        try:
            return gap_stratum(pooled_values(panel, self.columns))
        except Unavailable as error:
            raise Unavailable(f"{panel.task}: {error}") from None
