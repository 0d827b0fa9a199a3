"""Columns of tables for programs: CSV, JSON, gates and `harness.load` read them; one entry adds one to all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar

from harness.board.board import Row
from harness.board.claims import Claim
from harness.board.record import Change, CollectionRecord, Comparison, Variant
from harness.board.runs import RunDifference
from harness.panel.evidence import Verdict
from harness.panel.rates import Rates
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


def attributes(*names: str) -> tuple[Field[Any], ...]:
    """Columns that are called as the attributes whose values they show."""
    return tuple(Field(name, attrgetter(name)) for name in names)


def _shares(*names: str) -> tuple[Field[Rates], ...]:
    """Columns NAME, NAME_low and NAME_high of shares with intervals."""
    return tuple(
        Field(f"{name}{end}", partial(_part, name, part))
        for name in names
        for part, end in (("value", ""), ("low", "_low"), ("high", "_high"))
    )


def _part(name: str, part: str, rates: Rates) -> float | None:
    interval = getattr(rates, name)
    return None if interval is None else float(getattr(interval, part))


SCORE: tuple[Field[Score], ...] = (
    *attributes("metric", "task", "student", "teacher", "base"),
    *attributes("value", "low", "high", "n", "unit", "better"),
    Field("skipped_reason", lambda s: s.reason),
    Field("inputs", lambda s: list(s.inputs)),
    Field("level", lambda s: s.level, in_csv=False),
)
COMPARISON: tuple[Field[Comparison], ...] = (
    *attributes("metric", "task", "teacher", "base", "first", "second"),
    *attributes("difference", "low", "high", "p", "p_adjusted", "n", "detectable"),
)
CHANGE: tuple[Field[Change], ...] = (
    *attributes("metric", "task", "student", "against", "other", "teacher", "base"),
    *attributes("difference", "low", "high", "p", "p_adjusted", "n", "detectable"),
    *attributes("n_won", "n_lost", "unit", "better"),
)
COLLECTION: tuple[Field[CollectionRecord], ...] = (
    *attributes("model", "task", "sample", "n_requests", "n_answered", "n_cut_prompts"),
    Field("n_empty", lambda c: c.marks.n_empty if c.marks else None),
    Field("n_cut", lambda c: c.endings.n_cut if c.endings else None),
    Field("n_looks_cut", lambda c: c.endings.n_looks_cut if c.endings else None),
    Field("n_no_full_stop", lambda c: c.endings.n_no_stop if c.endings else None),
    Field("n_wrong", lambda c: c.endings.n_wrong if c.endings else None),
    Field("n_wrong_cut", lambda c: c.endings.n_wrong_cut if c.endings else None),
    *attributes("n_tokens", "wall_s"),
    *attributes("latency_p50_s", "latency_p95_s", "peak_memory_bytes", "usd", "missing"),
    *attributes("key", "requests_key", "grades_key"),
)
RUN_DIFFERENCE: tuple[Field[RunDifference], ...] = (
    *attributes("metric", "task", "student", "teacher", "base", "unit"),
    Field("value_a", lambda d: d.first),
    Field("value_b", lambda d: d.second),
    *attributes("difference", "low", "high", "p", "p_adjusted", "n", "outcome", "reason"),
)
VERDICT: tuple[Field[Verdict], ...] = (
    *attributes("method", "task", "suspect", "family"),
    *(
        Field(name, attrgetter(f"opinion.{name}"))
        for name in ("version", "outcome", "odds", "score")
    ),
    Field("named", lambda v: int(v.opinion.is_named)),
    # whether the suspect is documented to have learned from the family; empty = not known well enough
    Field("learned_from", lambda v: None if v.truth is None else int(v.truth)),
    Field("n", lambda v: v.n),
    Field("reason", lambda v: v.opinion.reason),
)
RATES: tuple[Field[Rates], ...] = (
    *attributes("method", "task", "family", "n_guilty", "n_guilty_lineages", "n_found", "n_named"),
    *attributes("n_innocent", "n_innocent_lineages", "n_clean"),
    Field("n_accused", lambda r: len(r.accused)),
    *_shares("named", "innocents_accused"),
    *attributes("untold", "auroc", "cllr", "cllr_min", "cllr_within"),
    Field("accused", lambda r: "; ".join(r.accused)),
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
    Field("beyond_teacher", lambda c: int(c.beyond_teacher) if c.score else None),
    Field("above_controls", lambda c: None if c.above_controls is None else int(c.above_controls)),
    Field("control_lineages", lambda c: c.lineages if c.score else None),
    Field("leads", lambda c: int(c.leads) if c.score else None),
    Field("skipped_reason", lambda c: c.score.reason if c.score else "not measured"),
)
ROW_END: tuple[Field[Row], ...] = (
    *attributes("parameters", "size_bytes"),
    # measured, so not in a file that is the same for the same stored answers
    Field("tokens_per_s", lambda r: r.tokens_per_s, in_csv=False),
)


def reserved(metrics: Iterable[str]) -> frozenset[str]:
    """Names of the columns that tables have without a sweep; `metrics` = names of measures."""
    tables: tuple[tuple[Field[Any], ...], ...]
    tables = (SCORE, COMPARISON, CHANGE, COLLECTION, RUN_DIFFERENCE, ROW, ROW_END)
    measures = [claim_name(m, field) for m in metrics for field in CLAIM]
    return frozenset([*(f.name for table in tables for f in table), *measures])


def claim_name(metric: str, field: Field[Claim]) -> str:
    """The name of a measure's column in the leaderboard."""
    name = metric.replace("/", "_")
    return f"{name}_{field.name}" if field.name else name


def swept(names: Sequence[str], variant: Callable[[R], Variant]) -> tuple[Field[R], ...]:
    """A column for each swept key, whose value is a row's own."""

    def column(name: str) -> Field[R]:
        return Field(name, lambda row: dict(variant(row)).get(name, ""))

    return tuple(map(column, names))


def score_texts(score: Score) -> dict[str, str]:
    """A score's row of scores.csv: column -> text."""
    return {f.name: f.text(score) for f in SCORE if f.in_csv}
