"""The primary grade of a task, and its values for the sides of a panel on shared prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.panel import reasons
from harness.panel.panel import Panel
from harness.panel.prompts import CATEGORY, Prompts, by_category, share
from harness.panel.side import Side, once
from harness.types import Finding, Floats, GradeColumn, Statistic, Unavailable

# lm-eval's metrics that are a share of something right in [0, 1], higher better; no perplexity, no
# mcc. `acc` stands before `acc_norm` because it is what the options' log-probabilities say
# themselves, as in the measures of agreement.
SHARES = (
    "exact_match", "acc", "math_verify", "pass@1", "pass_at_1", "prompt_level_strict_acc", "em", "bleu_acc", "f1",
    "acc_norm",
)  # fmt: skip

Column = tuple[str, str, str]  # leaf, metric, filter


@dataclass(frozen=True)
class AlignedValues(Prompts):
    """Grades of several sides on the same prompts."""

    values: Floats  # (sides, P), sides in the order of their roles

    def at(self, places: Sequence[int]) -> AlignedValues:
        """The same on some of the prompts."""
        return AlignedValues(tuple(self.prompts[i] for i in places), self.values[:, list(places)])


def column_name(column: GradeColumn) -> str:
    """The name of a column: "acc", or "exact_match,strict-match" where a filter made it."""
    return column.metric if column.filter in ("", "none") else f"{column.metric},{column.filter}"


def leaves(side: Side) -> list[str]:
    """Leaves that ask something, in lm-eval's order: aggregates over groups are left out."""
    asked = {r.leaf for r in side.requests.requests}
    graded = side.grades.columns if side.grades else ()
    return list(dict.fromkeys(c.leaf for c in graded if c.leaf in asked))


def primary(side: Side, columns: Sequence[str], leaf: str) -> Column:
    """The primary column of a leaf; raises Unavailable where it has none of `columns`."""
    own = [c for c in side.grades.columns if c.leaf == leaf] if side.grades else []
    for wanted in columns:
        for column in own:
            if wanted in (column.metric, f"{column.metric},{column.filter}"):
                _require_higher(column)
                return (leaf, column.metric, column.filter)
    there = ", ".join(column_name(c) for c in own) or "none"
    raise Unavailable(
        f"no grade that is a share between 0 and 1 (grades: {there}; `columns` of the metric names others)"
    )


def _require_higher(column: GradeColumn) -> None:
    if column.better != "higher":
        raise Unavailable(f"grade {column_name(column)} is not one where higher is better")


@once
def graded(side: Side, column: Column) -> Mapping[str, float]:
    """Prompt.id -> value of one column; raises Unavailable where there is none, or no value for each prompt."""
    every = side.grades.columns if side.grades else ()
    match = next((c for c in every if (c.leaf, c.metric, c.filter) == column), None)
    if match is None:
        raise Unavailable(f"{side.model} has no grade {'/'.join(filter(None, column))}")
    if not len(match.prompt):
        raise Unavailable(match.reason or "this aggregate is no mean over prompts")
    ids = [side.requests.prompts[int(i)].id for i in match.prompt]
    return dict(zip(ids, match.value.tolist(), strict=True))


def column_values(panel: Panel, column: Column) -> AlignedValues:
    """Values of one column on the prompts that all sides have; see `share` for what is raised."""
    shared = share(panel, lambda side: graded(side, column))
    tables = [graded(s, column) for s in shared.sides]
    values = np.array([[t[i] for i in shared.ids] for t in tables], dtype=np.float64)
    return AlignedValues(shared.prompts, values)


def primary_values(panel: Panel, columns: Sequence[str], leaf: str) -> AlignedValues:
    """Values in [0, 1] of the leaf's primary column on the prompts that all sides have.

    The student says which column it is. Raises Unavailable with the reason where there are no such values.
    """
    column = primary(panel.student, columns, leaf)
    aligned = column_values(panel, column)
    if aligned.values.size and not (aligned.values.min() >= 0 and aligned.values.max() <= 1):
        raise Unavailable(
            f"grade {column[1]} has values outside 0 to 1; name another in `columns` of the metric"
        )
    return aligned


def pooled_values(panel: Panel, columns: Sequence[str]) -> AlignedValues:
    """The same over all leaves of a task, every prompt with the same weight."""
    single = panel.with_minimum(1)
    parts = [primary_values(single, columns, leaf) for leaf in _shared_leaves(panel)]
    prompts = [p for part in parts for p in part.prompts]
    order = sorted(range(len(prompts)), key=lambda i: prompts[i].id)
    reasons.require(len(order), panel.minimum, "graded prompts shared")
    values = np.concatenate([part.values for part in parts], axis=1)[:, order]
    return AlignedValues(tuple(prompts[i] for i in order), values)


def _shared_leaves(panel: Panel) -> list[str]:
    for sides in panel.core.values():
        if not leaves(sides[0]):
            raise Unavailable(f"{sides[0].model} has no grades")
    return leaves(panel.student)


def each_leaf(
    panel: Panel, columns: Sequence[str], statistic: Callable[[AlignedValues], Statistic]
) -> list[Finding]:
    """A statistic of the whole task (leaf ""), and where it is a group, of each of its leaves."""
    names = _shared_leaves(panel)
    findings = [_finding("", partial(pooled_values, panel, columns), statistic)]
    if len(names) > 1:
        findings += [
            _finding(n, partial(primary_values, panel, columns, n), statistic) for n in names
        ]
    return findings


def each_category(
    panel: Panel, columns: Sequence[str], statistic: Callable[[AlignedValues], Statistic]
) -> list[Finding]:
    """A statistic of every category of prompts, as part category/NAME; none for a group, whose leaves are such.

    None where fewer than two categories have as many prompts as the task needs; the others then have a reason.
    """
    names = _shared_leaves(panel)
    if len(names) > 1:
        return []
    try:
        whole = pooled_values(panel, columns)
    except Unavailable:
        return []  # said of the whole task
    places = by_category(whole.prompts, panel.minimum)
    return [
        Finding(_of_category(whole.at(at), panel.minimum, statistic), f"{CATEGORY}{name}")
        for name, at in places.items()
    ]


def _of_category(
    values: AlignedValues, minimum: int, statistic: Callable[[AlignedValues], Statistic]
) -> Statistic | str:
    try:
        reasons.require(len(values.prompts), minimum, "graded prompts of this category")
        return statistic(values)
    except Unavailable as error:
        return str(error)


def _finding(
    leaf: str, values: Callable[[], AlignedValues], statistic: Callable[[AlignedValues], Statistic]
) -> Finding:
    try:
        return Finding(statistic(values()), leaf=leaf)
    except Unavailable as error:
        return Finding(str(error), leaf=leaf)
