"""The primary grade of a task, and its values for the sides of a panel on shared prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np

from harness.panel import reasons
from harness.panel.panel import Panel
from harness.panel.prompts import CATEGORY, Prompts, by_category, share
from harness.panel.side import Side, once
from harness.panel.tallies import Average, Draws, Tally, joined
from harness.types import Finding, Floats, GradeColumn, Mean, Statistic, Unavailable

# lm-eval's metrics that are a share of something right in [0, 1], higher better; no perplexity, no
# mcc. `acc` stands before `acc_norm` because it is what the options' log-probabilities say
# themselves, as in the measures of agreement.
SHARES = (
    "exact_match", "acc", "math_verify", "pass@1", "pass_at_1", "prompt_level_strict_acc", "em", "bleu_acc", "f1",
    "acc_norm",
)  # fmt: skip

Column = tuple[str, str, str]  # leaf, metric, filter
MEAN = Average()


@dataclass(frozen=True)
class AlignedValues(Prompts):
    """Grades of several sides on the same prompts."""

    values: Annotated[Floats, "sides P"]  # sides in the order of their roles

    def at(self, places: Sequence[int]) -> AlignedValues:
        """The same on some of the prompts."""
        return AlignedValues(tuple(self.prompts[i] for i in places), self.values[:, list(places)])


def mean_of(aligned: AlignedValues) -> Mean:
    """The mean of the first side's values."""
    return Mean(aligned.values[0], aligned.ids, aligned.clusters)


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


def same_column(side: Side, column: Column) -> list[GradeColumn]:
    """A column in the grades of each sample that has it, the first sample first."""
    every = [c for g in (side.grades, *side.sample_grades) if g is not None for c in g.columns]
    return [c for c in every if (c.leaf, c.metric, c.filter) == column]


@once
def drawn(side: Side, column: Column) -> Mapping[str, Draws]:
    """Prompt.id -> the grades of one column, of all samples; raises Unavailable where the first has none per prompt."""
    every = same_column(side, column)
    if not every:
        raise Unavailable(f"{side.model} has no grade {'/'.join(filter(None, column))}")
    if not len(every[0].prompt):
        raise Unavailable(every[0].reason or "this aggregate is not a mean over prompts")
    ids = [p.id for p in side.requests.prompts]
    made: dict[str, Draws] = {}
    for sample in every:
        for row, draws in zip(sample.prompt.tolist(), _draws(sample), strict=True):
            earlier = made.get(ids[row])
            made[ids[row]] = draws if earlier is None else joined(earlier, draws)
    return made


def _draws(column: GradeColumn) -> list[Draws]:
    """The one answer to every prompt of a sample (P,)."""
    values = column.value.tolist()
    if not column.answers:
        return [Draws((value,), ()) for value in values]
    return [
        Draws((value,), (answer,)) for value, answer in zip(values, column.answers, strict=True)
    ]


@once
def graded(side: Side, column: Column, tally: Tally = MEAN) -> Mapping[str, float]:
    """Prompt.id -> a number made from its grades in one column, of prompts that have one; raises as `drawn` does."""
    made = {i: tally(draws) for i, draws in drawn(side, column).items()}
    return {i: value for i, value in made.items() if value is not None}


def primary_draws(side: Side, columns: Sequence[str]) -> list[Draws]:
    """The graded answers to every prompt of a side, in the primary column of its leaf; raises as `primary` does."""
    if not leaves(side):
        raise Unavailable(f"{side.model} has no grades")
    each = (drawn(side, primary(side, columns, leaf)) for leaf in leaves(side))
    return [draws for own in each for draws in own.values()]


def column_values(panel: Panel, column: Column, tally: Tally = MEAN) -> AlignedValues:
    """Values of one column on the prompts that all sides have; see `share` for what is raised."""
    shared = share(panel, lambda side: graded(side, column, tally), tally.prompts)
    tables = [graded(s, column, tally) for s in shared.sides]
    values = np.array([[t[i] for i in shared.ids] for t in tables], dtype=np.float64)
    return AlignedValues(shared.prompts, values)


def primary_values(
    panel: Panel, columns: Sequence[str], leaf: str, tally: Tally = MEAN
) -> AlignedValues:
    """Values in [0, 1] of the leaf's primary column on the prompts that all sides have.

    The student says which column it is. Raises Unavailable with the reason where there are no such values.
    """
    column = primary(panel.student, columns, leaf)
    aligned = column_values(panel, column, tally)
    if aligned.values.size and not (aligned.values.min() >= 0 and aligned.values.max() <= 1):
        raise Unavailable(
            f"grade {column[1]} has values outside 0 to 1; name another in `columns` of the metric"
        )
    return aligned


def pooled_values(panel: Panel, columns: Sequence[str], tally: Tally = MEAN) -> AlignedValues:
    """The same over all leaves of a task, every prompt with the same weight."""
    single = panel.with_minimum(1)
    parts = [primary_values(single, columns, leaf, tally) for leaf in _shared_leaves(panel)]
    prompts = [p for part in parts for p in part.prompts]
    order = sorted(range(len(prompts)), key=lambda i: prompts[i].id)
    reasons.require(len(order), panel.minimum, f"{tally.prompts} shared")
    values = np.concatenate([part.values for part in parts], axis=1)[:, order]
    return AlignedValues(tuple(prompts[i] for i in order), values)


def _shared_leaves(panel: Panel) -> list[str]:
    for sides in panel.core.values():
        if not leaves(sides[0]):
            raise Unavailable(f"{sides[0].model} has no grades")
    return leaves(panel.student)


def each_leaf(
    panel: Panel,
    columns: Sequence[str],
    statistic: Callable[[AlignedValues], Statistic],
    tally: Tally = MEAN,
) -> list[Finding]:
    """A statistic of the whole task (leaf ""), and where it is a group, of each of its leaves."""
    names = _shared_leaves(panel)
    findings = [_finding("", partial(pooled_values, panel, columns, tally), statistic)]
    if len(names) > 1:
        findings += [
            _finding(n, partial(primary_values, panel, columns, n, tally), statistic) for n in names
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
