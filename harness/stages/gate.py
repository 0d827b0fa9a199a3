"""Stage 4: conditions over scores, for the CI of a training repository."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.plan.run import Condition
from harness.schema import build_dataclass, unknown
from harness.types import DistillbenchError, Score

# columns that tell one row from another
_NAMES = ("metric", "task", "student", "teacher", "base", "unit", "better")
_NOT_LOOKED_AT = "no condition was looked at"


def conditions_from(content: Any, chosen: str) -> tuple[Condition, ...]:
    """The conditions of a composed `gate`; `chosen` names the user's gate file, "" where no gate was asked for.

    Raises DistillbenchError, one fault a line: a gate that was asked for and looks at nothing is a fault too.
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
    strange = [
        f"{name}: key {unknown(str(k), ['conditions'])}" for k in content if k != "conditions"
    ]
    if strange:
        raise DistillbenchError("\n".join(strange))
    listed = content.get("conditions", [] if not chosen else None)
    if listed is None or (chosen and listed in ([], {})):
        raise DistillbenchError(
            f"{name}: {_NOT_LOOKED_AT}: expected a list `conditions` with at least one, got none"
        )
    if not isinstance(listed, (list, tuple)):
        raise DistillbenchError(
            f"{name}: conditions: expected a list (each begins with `- `), got {listed!r}"
        )
    return _built(listed)


def _built(listed: Sequence[Any]) -> tuple[Condition, ...]:
    conditions, found = [], []
    for index, fields in enumerate(listed):
        where = f"gate.conditions[{index}]"
        try:
            if not isinstance(fields, Mapping):
                raise DistillbenchError(f"{where}: expected a mapping, got {fields!r}")
            condition: Condition = build_dataclass(Condition, _worded(fields), where)
            conditions.append(condition)
            found += [f"{where}: {fault}" for fault in _faults(condition)]
        except DistillbenchError as error:
            found.append(str(error))
    if found:
        raise DistillbenchError("\n".join(found))
    return tuple(conditions)


def _worded(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields with the numbers inside `where` and `reference` as words: a model may be called 7."""
    return {
        str(key): {str(k): v if v is None else str(v) for k, v in value.items()}
        if isinstance(value, Mapping)
        else value
        for key, value in fields.items()
    }


def _faults(condition: Condition) -> list[str]:
    """What is wrong with one condition; at most one thing is named at a time."""
    bounds = {"min": condition.min, "max": condition.max, "within": condition.within}
    given = {k: v for k, v in bounds.items() if v is not None}
    if not given:
        return ["expected one of min, max, within; got none"]
    endless = [k for k, v in given.items() if not math.isfinite(v)]
    if endless:
        return [f"{endless[0]}: expected a number, got {given[endless[0]]}, which bounds nothing"]
    if condition.within is not None and condition.within < 0:
        return [f"within: expected 0 or more, got {condition.within:g}"]
    if condition.min is not None and condition.max is not None and condition.min > condition.max:
        return [
            f"min {condition.min:g} is above max {condition.max:g}: no number lies between them"
        ]
    if condition.reference is not None and condition.within is None:
        return ["reference: only `within` compares with it, and there is none"]
    return _row_faults("where", condition.where) + _row_faults("reference", condition.reference)


def _row_faults(key: str, row: Mapping[str, str] | None) -> list[str]:
    """What is wrong with the names that choose one row."""
    if row is None:
        return []
    if not row:
        return [f"{key}: expected columns of scores.csv, such as metric and student; got none"]
    return [f"{key}: {unknown(name, _NAMES)}" for name in row if name not in _NAMES][:1]


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
    rows = [_row(score) for score in scores]
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
    # n = 0 must not hold a bound on n
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


def _row(score: Score) -> dict[str, str]:
    numbers = {
        k: "" if v is None else repr(v)
        for k, v in (("value", score.value), ("low", score.low), ("high", score.high))
    }
    return {
        "metric": score.metric, "task": score.task, "student": score.student, "teacher": score.teacher,
        "base": score.base, **numbers, "n": str(score.n), "unit": score.unit, "better": score.better,
        "skipped_reason": score.reason, **dict(score.variant),
    }  # fmt: skip


def _matching(
    rows: Sequence[Mapping[str, str]], where: Mapping[str, str]
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
    rows: Sequence[Mapping[str, str]], where: Mapping[str, str], path: str
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
