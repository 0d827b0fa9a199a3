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
from harness.panel.grades import (
    SHARES,
    column_name,
    each_category,
    graded,
    leaves,
    mean_of,
    same_column,
)
from harness.panel.panel import Looks, Panel, View
from harness.panel.prompts import Prompts
from harness.panel.samples import rate, share_of
from harness.panel.side import Side
from harness.types import Finding, Given, GradeColumn, Mean, Smooth, Statistic, Unavailable


def prompt_mean(column: GradeColumn, side: Side) -> Mean | Smooth:
    """A column's values as a mean over prompts, each the mean over its samples, sorted by prompt id."""
    values = graded(side, (column.leaf, column.metric, column.filter))
    named = (p for p in side.requests.prompts if p.id in values)
    rows = Prompts(tuple(sorted(named, key=lambda prompt: prompt.id)))
    table = np.array([values[i] for i in rows.ids], dtype=np.float64)
    sampled_share = bool(side.sample_grades) and column.metric in SHARES
    return rate(table, rows) if sampled_share else Mean(table, rows.ids, rows.clusters)


@dataclass(frozen=True)
class TaskScore(AbstractMetric):
    """How good one model is at one task."""

    unit = "share"
    better = "higher"
    looks_at = Looks((View.GRADES,))
    explanation = (
        "What lm-eval itself reports for this model on this task; unanswered counts as wrong. Asked several times, it "
        "is the mean over all answers to a prompt (pass@1), then over prompts. The interval is over "
        "prompts and describes this checkpoint, not the recipe that made it. A number that is not a mean over prompts "
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
        kind = share_of if side.sample_grades else mean_of
        return findings + each_category(panels[0].only("student"), SHARES, kind)


def _statistic(column: GradeColumn, side: Side, minimum: int) -> Statistic | str:
    """The mean over prompts, lm-eval's aggregate where it is not a mean, or the reason why there is neither."""
    mean = prompt_mean(column, side) if len(column.prompt) else None
    n = len(mean.prompts) if mean else _asked(column.leaf, side)
    if n < minimum:
        return reasons.few(n, "graded prompts", minimum)
    if mean:
        return mean
    place = (column.leaf, column.metric, column.filter)
    aggregates = [c.aggregate for c in same_column(side, place) if c.aggregate is not None]
    if column.aggregate is None:
        return column.reason or "lm-eval gives no number here"
    note = column.reason or "no mean over prompts: no interval"
    return Given(float(np.mean(aggregates)), None, None, n, note=note)


def _asked(leaf: str, side: Side) -> int:
    """Number of prompts of a leaf; of all where it is a group."""
    group = leaf not in leaves(side)
    return len({r.prompt for r in side.requests.requests if group or r.leaf == leaf})
