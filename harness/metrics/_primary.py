"""Which of a task's grades stands for it, and its values for several models: used by every measure over grades."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.align import AlignedValues, align_grades, graded_columns
from harness.panel.panel import Side
from harness.types import Found, GradeColumn, Statistic, Unavailable

# lm-eval's metrics that are a share of something right in [0, 1], higher better; no perplexity, no
# mcc. `acc` stands before `acc_norm` because it is what the options' log-probabilities say
# themselves, as in the measures of agreement.
SHARES = (
    "exact_match", "acc", "math_verify", "pass@1", "pass_at_1", "prompt_level_strict_acc", "em", "bleu_acc", "f1",
    "acc_norm",
)  # fmt: skip

Column = tuple[str, str, str]  # leaf, metric, filter


@dataclass(frozen=True)
class GradedMetric(AbstractMetric, ABC):
    """A measure over one grade of each task."""

    # "metric" or "metric,filter": the first that a task has stands for it
    columns: tuple[str, ...] = SHARES


def column_name(column: GradeColumn) -> str:
    """How a column is called: "acc", or "exact_match,strict-match" where a filter made it."""
    return column.metric if column.filter in ("", "none") else f"{column.metric},{column.filter}"


def leaves(side: Side) -> list[str]:
    """Leaves that ask something, in lm-eval's order: an aggregate over a group is none."""
    asked = {r.leaf for r in side.requests.requests}
    return list(dict.fromkeys(leaf for leaf, _, _ in graded_columns(side) if leaf in asked))


def primary(side: Side, columns: Sequence[str], leaf: str) -> Column:
    """The column that stands for a leaf; raises Unavailable where it has none of `columns`."""
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


def primary_values(
    sides: Sequence[Side], columns: Sequence[str], leaf: str, minimum: int
) -> AlignedValues:
    """Values (sides, P) in [0, 1] of the leaf's primary column on the prompts that all sides have, sorted by id.

    The first side says which column it is. Raises Unavailable with the reason where there are no such values.
    """
    column = primary(sides[0], columns, leaf)
    aligned = align_grades(sides, column, minimum)
    if aligned.values.size and not (aligned.values.min() >= 0 and aligned.values.max() <= 1):
        raise Unavailable(
            f"grade {column[1]} has values outside 0 to 1; name another in `columns` of the metric"
        )
    return aligned


def pooled_values(sides: Sequence[Side], columns: Sequence[str], minimum: int) -> AlignedValues:
    """The same over all leaves of a task, every prompt with the same weight."""
    parts = [primary_values(sides, columns, leaf, 1) for leaf in _shared_leaves(sides)]
    prompts = [p for part in parts for p in part.prompts]
    order = sorted(range(len(prompts)), key=lambda i: prompts[i].id)
    if len(order) < minimum:
        raise Unavailable(f"{len(order)} graded prompts shared; at least {minimum} are needed")
    values = np.concatenate([part.values for part in parts], axis=1)[:, order]
    return AlignedValues(tuple(prompts[i] for i in order), values)


def _shared_leaves(sides: Sequence[Side]) -> list[str]:
    for side in sides:
        if not leaves(side):
            raise Unavailable(f"{side.model} has no grades")
    return leaves(sides[0])


def each_leaf(
    sides: Sequence[Side],
    columns: Sequence[str],
    minimum: int,
    statistic: Callable[[AlignedValues], Statistic],
) -> list[Found]:
    """A statistic of the whole task (leaf ""), and where it is a group, of each of its leaves."""
    names = _shared_leaves(sides)
    found = [_found("", lambda: pooled_values(sides, columns, minimum), statistic)]
    if len(names) > 1:
        found += [
            _found(n, partial(primary_values, sides, columns, n, minimum), statistic) for n in names
        ]
    return found


def _found(
    leaf: str, values: Callable[[], AlignedValues], statistic: Callable[[AlignedValues], Statistic]
) -> Found:
    try:
        return Found("", leaf, statistic(values()))
    except Unavailable as error:
        return Found("", leaf, str(error))


def required(side: Side | None, role: str) -> Side:
    """The side; raises Unavailable where it is absent."""
    if side is None:
        raise Unavailable(f"no answers of the {role}")
    return side
