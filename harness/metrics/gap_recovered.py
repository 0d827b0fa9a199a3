"""Capability gap recovered: (student - base) / (teacher - base).

Source: by analogy with the performance gap recovered of Burns et al. 2023, Weak-to-strong generalization, whose floor
and ceiling are defined otherwise. Interval: Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.grades import MEAN, SHARES, AlignedValues, each_category, each_leaf
from harness.panel.panel import Looks, Panel, View
from harness.panel.tallies import Tally
from harness.types import Finding, Floats, Ratio, RatioStratum


def gap_recovered(student: Floats, teacher: Floats, base: Floats) -> float:
    """mean(student - base) / mean(teacher - base) of scores (P,) on the same prompts; 0 = base, 1 = teacher."""
    return float((student - base).mean() / (teacher - base).mean())


def gap_findings(
    panel: Panel, columns: Sequence[str], name: str = "", tally: Tally = MEAN
) -> list[Finding]:
    """The gap recovered of the task and of its leaves; `tally`: what of a prompt's graded answers counts."""
    if panel.get("base") is None:
        return [Finding(reasons.NO_BASE, name, unit=panel.gap_unit)]
    gaps = each_leaf(panel, columns, gap_ratio, tally)
    return [replace(f, name=name, unit=panel.gap_unit) for f in gaps]


def gap_ratio(aligned: AlignedValues) -> Ratio:
    """The gap recovered with what its interval needs; rows of `aligned` are student, teacher, base."""
    return Ratio((gap_stratum(aligned),))


def gap_stratum(aligned: AlignedValues) -> RatioStratum:
    """Numerator and denominator per prompt; rows of `aligned` are student, teacher, base."""
    student, teacher, base = aligned.values
    return RatioStratum(student - base, teacher - base, aligned.ids, aligned.clusters)


@dataclass(frozen=True)
class GapRecovered(AbstractMetric):
    """How much of the way from base to teacher the student went, on one task."""

    # "metric" or "metric,filter": the first that a task has is used
    columns: tuple[str, ...] = SHARES

    unit = "gap recovered"
    better = "higher"
    looks_at = Looks((View.GRADES,), needs=("teacher", "base"))
    explanation = (
        "How far the student went from the base (0) to the teacher (1) on the task; below 0 and above 1 are possible. "
        "With the student before distillation as base this is a gap recovered, whoever taught it: only a base that "
        "differs by the teacher's text alone makes it transfer. No number where teacher and base cannot be told apart "
        "on these prompts. category/...: one kind of prompt."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The ratio for the task, the leaves of a group, and categories; the unit says what kind of base there is."""
        panel = panels[0]
        kinds = each_category(panel, self.columns, gap_ratio)
        return gap_findings(panel, self.columns) + [replace(f, unit=panel.gap_unit) for f in kinds]
