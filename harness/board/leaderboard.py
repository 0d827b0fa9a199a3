"""The leaderboard: one row per student and teacher, with ranks, marks and reasons. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.board.board import (
    CAPABILITY,
    STYLE,
    ScoreIndex,
    Subject,
    Variant,
    at_least_above,
    subjects,
)
from harness.board.record import Comparison, RunRecord
from harness.stats.multiple import benjamini_hochberg
from harness.types import Score

_TOLD_APART = 0.05  # adjusted two-sided p below which two students count as different


@dataclass(frozen=True)
class Column:
    """A measure that the leaderboard shows."""

    metric: str
    title: str
    note: str
    from_base: bool = False  # 0 is the base's level, so an interval above 0 is "above the base"


COLUMNS = (
    Column(CAPABILITY, "Capability", "of the gap", True),
    Column(STYLE, "Style", "of the gap", True),
    Column("capa", "Agreement", "kappa"),
    Column("error_inheritance/excess", "Inherited errors", "excess share"),
    Column("style_classifier", "Style classifier", "of the gap", True),
)


@dataclass(frozen=True)
class Cell:
    """One number of the leaderboard with what may be said of it."""

    column: Column
    score: Score | None  # None = the run does not measure it
    above_base: bool = False  # the whole interval lies above the base's level
    # so many controls, all of them below; 0 = not above all, or no controls
    above_controls: int = 0
    # best of its teacher's students, and different from the next after correction
    leads: bool = False


@dataclass(frozen=True)
class Row:
    """One row of the leaderboard."""

    subject: Subject
    rank: int | None  # 1 + number of the same teacher's students that are better beyond doubt
    cells: tuple[Cell, ...]
    parameters: int | None
    size_bytes: int | None
    tokens_per_s: float | None  # generated or scored tokens over measured seconds; provenance


@dataclass(frozen=True)
class Leaderboard:
    """Rows by teacher and rank, the columns that hold anything, and the column that the rank is about."""

    columns: tuple[Column, ...]
    ranked_by: Column | None
    rows: tuple[Row, ...]


def leaderboard(record: RunRecord) -> Leaderboard:
    """The leaderboard of a run."""
    index = ScoreIndex.of(record.scores)
    held = {s: {c.metric: index.overall(c.metric, s) for c in COLUMNS} for s in subjects(record)}
    columns = tuple(
        c for c in COLUMNS if any(scores[c.metric] is not None for scores in held.values())
    )
    ranked_by = next(
        (c for c in columns if any(_value(s[c.metric]) is not None for s in held.values())), None
    )
    leaders = _leaders(record, held, columns)
    ranks = _ranks(record, held, ranked_by) if ranked_by else {}
    rows = []
    for subject in held:
        cells = tuple(_cell(c, subject, held, (subject, c.metric) in leaders) for c in columns)
        facts = record.models.get(subject.student, {})
        size = (_whole(facts.get("parameters")), _whole(facts.get("size_bytes")))
        rows.append(Row(subject, ranks.get(subject), cells, *size, _speed(record, subject.student)))
    teachers = list(dict.fromkeys(s.teacher for s in held))
    rows.sort(key=lambda r: _place(r, held[r.subject], ranked_by, teachers))
    return Leaderboard(columns, ranked_by, tuple(rows))


def _place(
    row: Row, scores: Mapping[str, Score | None], ranked_by: Column | None, teachers: Sequence[str]
) -> tuple[int, bool, int, float, str]:
    value = _value(scores[ranked_by.metric]) if ranked_by else None
    rank = row.rank if row.rank is not None else len(scores) + 10_000
    return (
        teachers.index(row.subject.teacher),
        row.subject.role != "student",
        rank,
        -(value if value is not None else float("-inf")),
        row.subject.label,
    )


def _value(score: Score | None) -> float | None:
    return score.value if score is not None else None


def _cell(
    column: Column,
    subject: Subject,
    held: Mapping[Subject, Mapping[str, Score | None]],
    leads: bool,
) -> Cell:
    score = held[subject][column.metric]
    value = _value(score)
    rivals = [
        v
        for other, scores in held.items()
        if other.role == "control" and other.teacher == subject.teacher and other != subject
        if other.variant == subject.variant and (v := _value(scores[column.metric])) is not None
    ]
    above_all = (
        subject.role == "student" and value is not None and bool(rivals) and value > max(rivals)
    )
    above_base = column.from_base and at_least_above(score, 0.0)
    return Cell(column, score, above_base, len(rivals) if above_all else 0, leads)


def _comparable(record: RunRecord, subject: Subject, metric: str) -> list[Comparison]:
    """Comparisons of the subject with other students of its teacher, on the measure's widest task, as `first`."""
    found = []
    for c in record.comparisons:
        if c.metric == metric and c.teacher == subject.teacher and c.variant == subject.variant:
            if c.first == subject.student:
                found.append(c)
            elif c.second == subject.student:
                found.append(_turned(c))
    tasks = {c.task for c in found}
    widest = max(tasks, key=lambda t: (t.count("+"), t), default="")
    return [c for c in found if c.task == widest] if len(tasks) == 1 or "+" in widest else []


def _turned(c: Comparison) -> Comparison:
    ends = (-c.difference, -c.high, -c.low)
    return Comparison(
        c.metric,
        c.task,
        c.teacher,
        c.second,
        c.first,
        *ends,
        c.p,
        c.p_adjusted,
        c.n,
        c.detectable,
        c.variant,
    )


def _ranks(
    record: RunRecord, held: Mapping[Subject, Mapping[str, Score | None]], column: Column
) -> dict[Subject, int]:
    """1 + number of better students, told apart after correction; none without a value or without a rival."""
    found = {}
    for group in _groups(held):
        ranked = [s for s in group if _value(held[s][column.metric]) is not None]
        for subject in ranked if len(ranked) > 1 else ():
            against = _comparable(record, subject, column.metric)
            found[subject] = 1 + sum(
                c.p_adjusted < _TOLD_APART and c.difference < 0 for c in against
            )
    return found


def _leaders(
    record: RunRecord, held: Mapping[Subject, Mapping[str, Score | None]], columns: Sequence[Column]
) -> set[tuple[Subject, str]]:
    """(best student, metric) where it differs from the next: Holm within, Benjamini-Hochberg across the board."""
    candidates: list[tuple[Subject, str, float]] = []
    for column in columns:
        for group in _groups(held):
            valued = [(v, s) for s in group if (v := _value(held[s][column.metric])) is not None]
            valued.sort(key=lambda pair: (-pair[0], pair[1].label))
            if len(valued) > 1:
                best, runner_up = valued[0][1], valued[1][1]
                against = [
                    c
                    for c in _comparable(record, best, column.metric)
                    if c.second == runner_up.student
                ]
                candidates += [(best, column.metric, c.p_adjusted) for c in against]
    adjusted = benjamini_hochberg([p for _, _, p in candidates]).tolist() if candidates else []
    return {
        (s, metric)
        for (s, metric, _), p in zip(candidates, adjusted, strict=True)
        if p < _TOLD_APART
    }


def _groups(held: Mapping[Subject, Mapping[str, Score | None]]) -> list[list[Subject]]:
    groups: dict[tuple[str, Variant], list[Subject]] = {}
    for subject in held:
        if subject.role == "student":
            groups.setdefault((subject.teacher, subject.variant), []).append(subject)
    return list(groups.values())


def _whole(value: str | int | float | None) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None


def _speed(record: RunRecord, model: str) -> float | None:
    cells = [c for c in record.cells if c.model == model and c.wall_s > 0 and c.n_tokens > 0]
    wall_s = sum(c.wall_s for c in cells)
    return sum(c.n_tokens for c in cells) / wall_s if wall_s > 0 else None
