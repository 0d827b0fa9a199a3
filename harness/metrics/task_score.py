"""Task score: lm-eval's own numbers, every metric and filter of every leaf.

Source: the task's authors, as implemented in EleutherAI's lm-evaluation-harness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.grades import SHARES, AlignedValues, column_name, each_category, leaves
from harness.panel.panel import Looks, Panel, View
from harness.panel.side import Side
from harness.types import Better, Finding, Given, GradeColumn, Mean, Statistic, Unavailable


def sorted_mean(column: GradeColumn, side: Side) -> Mean:
    """A column's values as a mean over prompts, sorted by prompt id."""
    asked = [side.requests.prompts[int(i)] for i in column.prompt]
    order = sorted(range(len(asked)), key=lambda i: asked[i].id)
    prompts = [asked[i] for i in order]
    return Mean(
        np.asarray(column.value, dtype=np.float64)[order],
        tuple(p.id for p in prompts),
        tuple(p.cluster for p in prompts),
    )


@dataclass(frozen=True)
class TaskScore(AbstractMetric):
    """How good one model is at one task."""

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    looks_at: ClassVar[Looks] = Looks((View.GRADES,))
    explanation: ClassVar[str] = (
        "What lm-eval itself reports for this model on this task; unanswered counts as wrong. The interval is over "
        "prompts and describes this checkpoint, not the recipe that made it. A number that is no mean over prompts "
        "has no interval. category/...: one kind of prompt, by the first grade that is a share of something right."
    )
    topics: ClassVar = {"own_score": ("",)}

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """One entry per (leaf, metric, filter) of the student, in lm-eval's order; then categories of prompts."""
        side, minimum = panels[0].student, panels[0].minimum
        if side.grades is None or not side.grades.columns:
            raise Unavailable(f"{side.model} has no grades")
        per_leaf = Counter(c.leaf for c in side.grades.columns)
        single = len(per_leaf) == 1
        findings = [
            Finding(
                _statistic(column, side, minimum),
                "" if per_leaf[column.leaf] == 1 else column_name(column),
                leaf="" if single or column.leaf == side.requests.task else column.leaf,
                unit=self.unit if column.metric in SHARES else column.metric,
                better=column.better,
            )
            for column in side.grades.columns
        ]
        return findings + each_category(panels[0].only("student"), SHARES, _mean)


def _mean(aligned: AlignedValues) -> Mean:
    return Mean(aligned.values[0], aligned.ids, aligned.clusters)


def _statistic(column: GradeColumn, side: Side, minimum: int) -> Statistic | str:
    """The mean over prompts, lm-eval's aggregate where it is not a mean, or the reason why there is neither."""
    n = len(column.prompt) or _asked(column.leaf, side)
    if n < minimum:
        return reasons.few(n, "graded prompts", minimum)
    if len(column.prompt):
        return sorted_mean(column, side)
    if column.aggregate is None:
        return column.reason or "lm-eval gives no number here"
    return Given(
        column.aggregate, None, None, n, note=column.reason or "no mean over prompts: no interval"
    )


def _asked(leaf: str, side: Side) -> int:
    """Number of prompts of a leaf; of all where it is a group."""
    group = leaf not in leaves(side)
    return len({r.prompt for r in side.requests.requests if group or r.leaf == leaf})
