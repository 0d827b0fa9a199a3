"""Stage 4: conditions over scores, for the CI of a training repository."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.board.claims import Verdict, decide
from harness.board.columns import SCORE, score_texts
from harness.board.numerals import estimate
from harness.board.record import Change, RunRecord
from harness.board.runs import RunDifference, compare_runs
from harness.board.saved import read_record, results_folder
from harness.board.tables import as_written
from harness.plan.run import SCORE_NAMES, Condition, Gate, Word
from harness.schema import build_dataclass, unknown
from harness.types import DistillbenchError

_NOT_LOOKED_AT = "no condition was looked at"


def gate_from(content: Any, chosen: str) -> Gate:
    """The gate that a composed `gate` describes; `chosen` names the user's gate file, "" where no gate was asked for.

    Raises DistillbenchError, one fault a line: a gate that was requested but has no conditions is a fault too.
    """
    name = f"gate {chosen}" if chosen else "gate"
    if content is None and not chosen:
        return Gate()
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
    return gate


def name_faults(gate: Gate, chosen: str, settings: Mapping[str, str]) -> list[str]:
    """A line for every name in a `where` that is neither a column nor one of `settings`, keys of the command line."""
    known = [*SCORE_NAMES, *settings]
    return [
        f"gate{' ' + chosen if chosen else ''}: conditions[{i}]: where: {unknown(name, known)}; expected a column of "
        "scores.csv, or a key that the command line sets"
        for i, condition in enumerate(gate.conditions or ())
        for name in condition.where
        if name not in SCORE_NAMES and name.lstrip("+") not in settings
    ]


def applies(condition: Condition, settings: Mapping[str, str]) -> bool:
    """Whether a condition is about the run with these settings: it names none of them, or their values."""
    return all(_same(settings.get(key, ""), value) for key, value in condition.job.items())


def applying(conditions: Sequence[Condition], settings: Mapping[str, str]) -> tuple[Condition, ...]:
    """The conditions that are about the run with these settings."""
    return tuple(c for c in conditions if applies(c, settings))


def unasked(conditions: Sequence[Condition]) -> str:
    """The line about a run that none of its conditions is about."""
    words = "; ".join(c.words for c in conditions)
    return f"{_NOT_LOOKED_AT}: none is about this run: {words}"


def _same(text: str, value: Word) -> bool:
    """Whether a value of a gate file is that of the command line; numbers are compared as numbers."""
    word = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return text == word or float(text) == float(word)
    except ValueError:
        return False


def targets(conditions: Sequence[Condition], reference: Path) -> list[float | None]:
    """Per condition, the number of the reference that `within` compares with.

    Raises DistillbenchError where the reference lacks it, or is no run with which another could be compared.
    """
    if any(c.not_worse_than == "baseline" for c in conditions):
        read_record(results_folder(reference))
    if all(c.within is None for c in conditions):
        return [None] * len(conditions)
    path = _scores_file(reference)
    table = _reference_rows(path)
    return [
        None if c.within is None else _number(_reference_row(c, table, path), c.column, path)
        for c in conditions
    ]


def _reference_row(
    condition: Condition, table: Sequence[Mapping[str, str]], path: Path
) -> Mapping[str, str]:
    """The row that a condition compares with; of its own `where` only what the file knows counts."""
    if condition.reference is not None:
        return _one(table, condition.reference, path)
    jobs = {k: v for k, v in condition.where.items() if k not in SCORE_NAMES and k in table[0]}
    return _one(table, {**condition.row, **jobs}, path)


def broken_conditions(
    conditions: Sequence[Condition], record: RunRecord, reference: Path
) -> list[tuple[Condition, str]]:
    """Every condition that does not hold, with a line; a row that is missing or has no value breaks its condition."""
    rows = [score_texts(score) for score in record.scores]
    wanted = zip(conditions, targets(conditions, reference), strict=True)
    return [
        (condition, line)
        for condition, target in wanted
        for line in (
            _worse(condition, record, reference)
            if condition.not_worse_than
            else _broken(condition, rows, target)
        )
    ]


def _broken(
    condition: Condition, rows: Sequence[Mapping[str, str]], target: float | None
) -> list[str]:
    name = condition.words
    matches = _matching(rows, condition.row)
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


class _Beside(NamedTuple):
    """A number of the student beside the same of what the condition names."""

    task: str
    outcome: Verdict | None  # None = they could not be compared
    said: str  # the difference with its interval; why there is none


def _worse(condition: Condition, record: RunRecord, reference: Path) -> list[str]:
    """A line for every task on which the student is significantly worse, and where nothing could be compared."""
    beside = (
        _beside_baseline(condition, record, reference)
        if condition.not_worse_than == "baseline"
        else _beside_models(condition, record)
    )
    if not beside:
        return [
            f"{condition.words}: nothing was compared; expected a measure that each model has alone, and a student of "
            "this run"
        ]
    return [
        f"{condition.words}: {row.task}: {'not compared' if row.outcome is None else 'worse'}: {row.said}"
        for row in beside
        if row.outcome in (None, "worse")
    ]


def _beside_models(condition: Condition, record: RunRecord) -> list[_Beside]:
    """The student beside its base, or its teacher."""
    return [
        _Beside(
            change.task,
            decide(change.difference, change.p_adjusted, change.better),
            f"{estimate(change.difference, change.low, change.high)} beside {change.other}, n = {change.n}",
        )
        for change in record.changes
        if change.against == condition.not_worse_than and _is_row(condition, change)
    ]


def _beside_baseline(condition: Condition, record: RunRecord, reference: Path) -> list[_Beside]:
    """The student beside itself in the run that was accepted last."""
    rows = compare_runs(read_record(results_folder(reference)), record)
    return [
        _Beside(row.task, "not told apart" if row.difference == 0 else row.outcome, _turned(row))
        for row in rows
        if _is_row(condition, row)
    ]


def _turned(row: RunDifference) -> str:
    """The difference as second minus first; the reason where there is none."""
    if row.difference is None or row.low is None or row.high is None:
        return row.reason
    return f"{estimate(-row.difference, -row.high, -row.low)} beside the baseline, n = {row.n}"


def _is_row(condition: Condition, row: Change | RunDifference) -> bool:
    return all(str(getattr(row, k, "")) == str(v) for k, v in condition.row.items())


def _matching(
    rows: Sequence[Mapping[str, str]], where: Mapping[str, Word]
) -> list[Mapping[str, str]]:
    return [row for row in rows if all(row.get(k) == str(v) for k, v in where.items())]


def _scores_file(place: Path) -> Path:
    """scores.csv in a folder of results or in its report, or the file itself."""
    inside = (place / "scores.csv", place / "report" / "scores.csv")
    return next((p for p in inside if p.is_file()), place)


def _reference_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a scores.csv. Raises DistillbenchError where it is something else."""
    if not path.is_file():
        raise DistillbenchError(
            f"{path}: a gate condition `within` needs this file of reference scores; it is missing"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = [
                {k: as_written(v) if isinstance(v, str) else v for k, v in row.items()}
                for row in csv.DictReader(handle)
            ]
    except (UnicodeDecodeError, csv.Error):
        rows = []
    promised = {field.name for field in SCORE if field.in_csv}
    if not rows or not promised <= rows[0].keys():
        raise DistillbenchError(
            f"{path}: expected the scores.csv of a run with at least one score, got something else"
        )
    return rows


def _one(
    rows: Sequence[Mapping[str, str]], where: Mapping[str, Word], path: Path
) -> Mapping[str, str]:
    lost = [name for name in where if name not in rows[0]]
    if lost:
        raise DistillbenchError(f"{path}: column {unknown(lost[0], list(rows[0]))}")
    matches = _matching(rows, where)
    if len(matches) != 1:
        words = " ".join(f"{k}={v}" for k, v in where.items())
        raise DistillbenchError(f"{path}: expected one row with {words}, found {len(matches)}")
    return matches[0]


def _number(row: Mapping[str, str], column: str, path: Path) -> float:
    name = f"{path}: {column} of {row['metric']} {row['student']}"
    if not row[column]:
        raise DistillbenchError(f"{name}: empty; name another column")
    try:
        return float(row[column])
    except ValueError:
        raise DistillbenchError(f"{name}: expected a number, got {row[column]!r}") from None
