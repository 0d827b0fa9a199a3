"""The declared columns of every table: CSV, JSON, gates and `harness.load` read them, and one entry adds one to all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.board.board import Row
from harness.board.claims import Claim
from harness.board.record import CollectionRecord, Comparison, Variant
from harness.board.runs import RunDifference
from harness.types import Score

R = TypeVar("R")
Value = str | int | float | None | Sequence[str]


@dataclass(frozen=True)
class Field(Generic[R]):
    """A column of a table whose rows are made from values of one type."""

    name: str
    value: Callable[[R], Value]
    in_csv: bool = True  # False = a column that CSV files do not promise

    def text(self, row: R) -> str:
        """The value as CSV files have it: floats in full, store keys cut to 16 characters."""
        return as_text(self.value(row))


def as_text(value: Value) -> str:
    """A value in a CSV file."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(float(value))
    return str(value) if isinstance(value, (str, int)) else " ".join(key[:16] for key in value)


SCORE: tuple[Field[Score], ...] = (
    Field("metric", lambda s: s.metric),
    Field("task", lambda s: s.task),
    Field("student", lambda s: s.student),
    Field("teacher", lambda s: s.teacher),
    Field("base", lambda s: s.base),
    Field("value", lambda s: s.value),
    Field("low", lambda s: s.low),
    Field("high", lambda s: s.high),
    Field("n", lambda s: s.n),
    Field("unit", lambda s: s.unit),
    Field("better", lambda s: s.better),
    Field("skipped_reason", lambda s: s.reason),
    Field("inputs", lambda s: list(s.inputs)),
    Field("level", lambda s: s.level, in_csv=False),
)

COMPARISON: tuple[Field[Comparison], ...] = (
    Field("metric", lambda c: c.metric),
    Field("task", lambda c: c.task),
    Field("teacher", lambda c: c.teacher),
    Field("first", lambda c: c.first),
    Field("second", lambda c: c.second),
    Field("difference", lambda c: c.difference),
    Field("low", lambda c: c.low),
    Field("high", lambda c: c.high),
    Field("p", lambda c: c.p),
    Field("p_adjusted", lambda c: c.p_adjusted),
    Field("n", lambda c: c.n),
    Field("detectable", lambda c: c.detectable),
)

COLLECTION: tuple[Field[CollectionRecord], ...] = (
    Field("model", lambda c: c.model),
    Field("task", lambda c: c.task),
    Field("sample", lambda c: c.sample),
    Field("n_requests", lambda c: c.n_requests),
    Field("n_answered", lambda c: c.n_answered),
    Field("n_tokens", lambda c: c.n_tokens),
    Field("wall_s", lambda c: c.wall_s),
    Field("latency_p50_s", lambda c: c.latency_p50_s),
    Field("latency_p95_s", lambda c: c.latency_p95_s),
    Field("peak_memory_bytes", lambda c: c.peak_memory_bytes),
    Field("usd", lambda c: c.usd),
    Field("missing", lambda c: c.missing),
    Field("key", lambda c: c.key),
    Field("requests_key", lambda c: c.requests_key),
    Field("grades_key", lambda c: c.grades_key),
)

RUN_DIFFERENCE: tuple[Field[RunDifference], ...] = (
    Field("metric", lambda d: d.metric),
    Field("task", lambda d: d.task),
    Field("student", lambda d: d.student),
    Field("teacher", lambda d: d.teacher),
    Field("base", lambda d: d.base),
    Field("unit", lambda d: d.unit),
    Field("value_a", lambda d: d.first),
    Field("value_b", lambda d: d.second),
    Field("difference", lambda d: d.difference),
    Field("low", lambda d: d.low),
    Field("high", lambda d: d.high),
    Field("p", lambda d: d.p),
    Field("n", lambda d: d.n),
    Field("reason", lambda d: d.reason),
)

# The leaderboard: what stands before the measures, what stands for each of them, what stands after.
ROW: tuple[Field[Row], ...] = (
    Field("rank", lambda r: r.rank),
    Field("student", lambda r: r.subject.student),
    Field("teacher", lambda r: r.subject.teacher),
    Field("role", lambda r: r.subject.role),
    Field("base", lambda r: r.subject.base),
    Field("base_kind", lambda r: r.subject.base_kind if r.subject.role == "student" else ""),
)
CLAIM: tuple[Field[Claim], ...] = (
    Field("", lambda c: c.value),
    Field("low", lambda c: c.score.low if c.score else None),
    Field("high", lambda c: c.score.high if c.score else None),
    Field("n", lambda c: c.score.n if c.score else None),
    Field("above_base", lambda c: int(c.above_base) if c.score else None),
    Field("above_all_controls", lambda c: int(c.above_controls) if c.score else None),
    Field("leads", lambda c: int(c.leads) if c.score else None),
    Field("skipped_reason", lambda c: c.score.reason if c.score else "not measured"),
)
ROW_END: tuple[Field[Row], ...] = (
    Field("parameters", lambda r: r.parameters),
    Field("size_bytes", lambda r: r.size_bytes),
    # measured, so not in a file that is the same for the same stored answers
    Field("tokens_per_s", lambda r: r.tokens_per_s, in_csv=False),
)


def swept(names: Sequence[str], variant: Callable[[R], Variant]) -> tuple[Field[R], ...]:
    """A column for each swept key, whose value is a row's own."""

    def column(name: str) -> Field[R]:
        return Field(name, lambda row: dict(variant(row)).get(name, ""))

    return tuple(map(column, names))


def score_texts(score: Score) -> dict[str, str]:
    """A score's row of scores.csv: column -> text."""
    return {f.name: f.text(score) for f in SCORE if f.in_csv} | dict(score.variant)
