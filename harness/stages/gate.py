"""Stage 4: conditions over scores, for the CI of a training repository."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.board.columns import score_texts
from harness.plan.run import Condition, Gate, Word
from harness.schema import build_dataclass
from harness.types import DistillbenchError, Score

_NOT_LOOKED_AT = "no condition was looked at"


def conditions_from(content: Any, chosen: str) -> tuple[Condition, ...]:
    """The conditions of a composed `gate`; `chosen` names the user's gate file, "" where no gate was asked for.

    Raises DistillbenchError, one fault a line: a gate that was requested but has no conditions is a fault too.
    """
    name = f"gate {chosen}" if chosen else "gate"
    if content is None and not chosen:
        return ()
    if content is None:
        raise DistillbenchError(
            f"{name}: {_NOT_LOOKED_AT}: the keys of conf/gate/{chosen}.yaml do not stand under `gate`; remove its line "
            "`# @package ...`"
        )
    if not isinstance(content, Mapping):
        raise DistillbenchError(
            f"{name}: expected a mapping with a list `conditions`, got {content!r}"
        )
    gate: Gate = build_dataclass(Gate, content, name)
    if gate.conditions is None or (chosen and not gate.conditions):
        raise DistillbenchError(
            f"{name}: {_NOT_LOOKED_AT}: expected a list `conditions` with at least one, got none"
        )
    return gate.conditions


def targets(conditions: Sequence[Condition], reference: Path) -> list[float | None]:
    """Per condition, the number of the reference that `within` compares with.

    Raises DistillbenchError where the reference lacks it.
    """
    if all(c.within is None for c in conditions):
        return [None] * len(conditions)
    table = _reference_rows(reference)
    return [
        None
        if c.within is None
        else _number(_one(table, c.reference or c.where, str(reference)), c.column)
        for c in conditions
    ]


def broken_conditions(
    conditions: Sequence[Condition], scores: Sequence[Score], reference: Path
) -> list[str]:
    """One line for every condition that does not hold; a row that is missing or has no value breaks its condition."""
    rows = [score_texts(score) for score in scores]
    wanted = zip(conditions, targets(conditions, reference), strict=True)
    return [line for condition, target in wanted for line in _broken(condition, rows, target)]


def _broken(
    condition: Condition, rows: Sequence[Mapping[str, str]], target: float | None
) -> list[str]:
    where = " ".join(f"{k}={v}" for k, v in condition.where.items())
    name = f"{condition.column} of {where}"
    matches = _matching(rows, condition.where)
    if len(matches) != 1:
        return [f"{name}: expected one row of scores.csv, found {len(matches)}"]
    # n = 0 must not satisfy a bound on n
    if not matches[0]["value"] or not matches[0][condition.column]:
        return [f"{name}: no value ({matches[0]['skipped_reason'] or 'no interval'})"]
    value = float(matches[0][condition.column])
    lines = []
    if condition.min is not None and value < condition.min:
        lines.append(f"{name}: {value:.4g} is below {condition.min:g}")
    if condition.max is not None and value > condition.max:
        lines.append(f"{name}: {value:.4g} is above {condition.max:g}")
    if (
        condition.within is not None
        and target is not None
        and abs(value - target) > condition.within
    ):
        lines.append(
            f"{name}: {value:.4g} is not within {condition.within:g} of the reference {target:.4g}"
        )
    return lines


def _matching(
    rows: Sequence[Mapping[str, str]], where: Mapping[str, Word]
) -> list[Mapping[str, str]]:
    return [row for row in rows if all(row.get(k) == str(v) for k, v in where.items())]


def _reference_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DistillbenchError(
            f"{path}: a gate condition `within` needs this file of reference scores; it is missing"
        )
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _one(
    rows: Sequence[Mapping[str, str]], where: Mapping[str, Word], path: str
) -> Mapping[str, str]:
    matches = _matching(rows, where)
    if len(matches) != 1:
        words = " ".join(f"{k}={v}" for k, v in where.items())
        raise DistillbenchError(f"{path}: expected one row with {words}, found {len(matches)}")
    return matches[0]


def _number(row: Mapping[str, str], column: str) -> float:
    if not row[column]:
        raise DistillbenchError(
            f"reference row of {row['metric']} {row['student']}: {column} is empty; name another column"
        )
    return float(row[column])
