"""Stage 4: conditions over scores, for the CI of a training repository."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.matrix import Condition
from harness.types import DistillbenchError, Score


def broken_conditions(conditions: Sequence[Condition], scores: Sequence[Score], reference: Path) -> list[str]:
    """One line for every condition that does not hold; a row that is missing or has no value breaks its condition."""
    rows = [_row(score) for score in scores]
    table: list[dict[str, str]] | None = None
    lines = []
    for condition in conditions:
        target = None
        if condition.within is not None:
            table = _reference_rows(reference) if table is None else table
            target = _number(_one(table, condition.reference or condition.where, str(reference)), condition.column)
        lines.extend(_broken(condition, rows, target))
    return lines


def _broken(condition: Condition, rows: Sequence[Mapping[str, str]], target: float | None) -> list[str]:
    where = " ".join(f"{k}={v}" for k, v in condition.where.items())
    name = f"{condition.column} of {where}"
    matches = _matching(rows, condition.where)
    if len(matches) != 1:
        return [f"{name}: expected one row of scores.csv, found {len(matches)}"]
    if not matches[0][condition.column]:
        return [f"{name}: no value ({matches[0]['skipped_reason'] or 'no interval'})"]
    value = float(matches[0][condition.column])
    lines = []
    if condition.min is not None and value < condition.min:
        lines.append(f"{name}: {value:.4g} is below {condition.min:g}")
    if condition.max is not None and value > condition.max:
        lines.append(f"{name}: {value:.4g} is above {condition.max:g}")
    if condition.within is not None and target is not None and abs(value - target) > condition.within:
        lines.append(f"{name}: {value:.4g} is not within {condition.within:g} of the reference {target:.4g}")
    return lines


def faults(conditions: Sequence[Condition]) -> list[str]:
    """What is wrong with the conditions themselves."""
    return [
        f"gate.conditions[{i}]: expected one of min, max, within; got none"
        for i, c in enumerate(conditions)
        if c.min is None and c.max is None and c.within is None
    ]


def _row(score: Score) -> dict[str, str]:
    numbers = {
        k: "" if v is None else repr(v) for k, v in (("value", score.value), ("low", score.low), ("high", score.high))
    }
    return {
        "metric": score.metric, "task": score.task, "student": score.student, "teacher": score.teacher,
        "base": score.base, **numbers, "n": str(score.n), "unit": score.unit, "better": score.better,
        "skipped_reason": score.reason, **dict(score.variant),
    }  # fmt: skip


def _matching(rows: Sequence[Mapping[str, str]], where: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [row for row in rows if all(row.get(k) == str(v) for k, v in where.items())]


def _reference_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DistillbenchError(f"{path}: a gate condition `within` needs this file of reference scores; it is missing")
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _one(rows: Sequence[Mapping[str, str]], where: Mapping[str, str], path: str) -> Mapping[str, str]:
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
