"""Columns of tables for programs: CSV, JSON, gates and `harness.load` read them; one entry adds one to all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from harness.board.board import Row
from harness.board.claims import Claim
from harness.board.recipes import RecipeComparison, RecipeScore
from harness.board.record import Change, CollectionRecord, Comparison, Variant
from harness.board.runs import RunDifference
from harness.panel.evidence import Verdict
from harness.panel.rates import Rates
from harness.types import Score

R = TypeVar("R")
Value = str | int | float | None | Sequence[str]


class Stated(NamedTuple):
    """A verdict, and the odds that the user stated beforehand; None of a model that is not the suspect."""

    verdict: Verdict
    prior_odds: float | None

    @property
    def posterior_odds(self) -> float | None:
        """Their product with the verdict's odds; None where nothing can be told."""
        return None if self.prior_odds is None else self.verdict.posterior_odds(self.prior_odds)


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


def attributes(*names: str, **paths: str) -> tuple[Field[Any], ...]:
    """Columns called as the attributes that they show; paths: name -> an attribute, or one of an attribute (`a.b`)."""
    every = {**dict(zip(names, names, strict=True)), **paths}
    return tuple(Field(name, attrgetter(path)) for name, path in every.items())


def parts(whole: str, **names: str) -> tuple[Field[Any], ...]:
    """Columns (name -> attribute) of an attribute that may be None, and that then are empty."""
    return tuple(
        Field(name, partial(_part, attrgetter(whole), attrgetter(own)))
        for name, own in names.items()
    )


def _part(whole: Callable[[Any], Any], own: Callable[[Any], Value], row: Any) -> Value:
    value = whole(row)
    return None if value is None else own(value)


def _shares(*names: str) -> tuple[Field[Rates], ...]:
    """Columns NAME, NAME_low and NAME_high of shares with intervals."""
    return tuple(
        field
        for name in names
        for field in parts(name, **{name: "value", f"{name}_low": "low", f"{name}_high": "high"})
    )


SCORE: tuple[Field[Score], ...] = (
    *attributes("metric", "task", "student", "teacher", "base"),
    *attributes("value", "low", "high", "n", "unit", "better"),
    *attributes(skipped_reason="reason"),
    Field("inputs", lambda s: list(s.inputs)),
    Field("level", attrgetter("level"), in_csv=False),
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
RECIPE: tuple[Field[RecipeScore], ...] = (
    *attributes("metric", "task", "recipe", "teacher", "base"),
    Field("n_seeds", lambda r: len(r.seeds)),
    *attributes("value", "low", "high", "n", "unit", "better", "reason"),
    Field("seeds", lambda r: "; ".join(r.seeds)),
    Field("without_number", lambda r: "; ".join(r.without)),
)
RECIPE_COMPARISON: tuple[Field[RecipeComparison], ...] = (
    *attributes("metric", "task", "teacher", "base", "first", "second"),
    *attributes("difference", "low", "high", "p", "p_adjusted"),
    *attributes("n_first", "n_second", "n", "outcome"),
)
COLLECTION: tuple[Field[CollectionRecord], ...] = (
    *attributes("model", "task", "sample", "n_requests", "n_answered", "n_cut_prompts"),
    *parts("marks", n_empty="n_empty"),
    *parts("endings", n_cut="n_cut", n_looks_cut="n_looks_cut", n_no_full_stop="n_no_stop"),
    *parts("endings", n_wrong="n_wrong", n_wrong_cut="n_wrong_cut"),
    *attributes("n_tokens", "n_prompt_tokens", "wall_s"),
    *attributes("latency_p50_s", "latency_p95_s", "peak_memory_bytes", "usd", "missing"),
    *attributes("key", "requests_key", "grades_key"),
)
RUN_DIFFERENCE: tuple[Field[RunDifference], ...] = (
    *attributes("metric", "task", "student", "teacher", "base", "unit"),
    *attributes(value_a="first", value_b="second"),
    *attributes("difference", "low", "high", "p", "p_adjusted", "n", "outcome", "reason"),
)
VERDICT: tuple[Field[Stated], ...] = (
    *(Field(n, attrgetter(f"verdict.{n}")) for n in ("method", "task", "suspect", "family")),
    *(
        Field(n, attrgetter(f"verdict.opinion.{n}"))
        for n in ("version", "outcome", "odds", "score")
    ),
    Field("named", lambda s: int(s.verdict.opinion.is_named)),
    # whether the suspect is documented to have learned from the family; empty = not known well enough
    Field("learned_from", lambda s: None if s.verdict.truth is None else int(s.verdict.truth)),
    Field("p", lambda s: s.verdict.opinion.p),  # of an innocent, over lineages
    Field("n", lambda s: s.verdict.n),
    Field("reason", lambda s: s.verdict.opinion.reason),
    # prompts, in random order, after which one could have stopped asking; empty = not after all, or not told
    *parts("verdict.opinion.stop", enough_prompts="prompts"),
    # empty for everybody but the suspect of a case
    Field("prior_odds", lambda s: s.prior_odds),
    Field("posterior_odds", lambda s: s.posterior_odds),
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
    *attributes("rank", student="subject.student", teacher="subject.teacher"),
    *attributes(role="subject.role", base="subject.base"),
    Field("base_kind", lambda r: r.subject.base_kind if r.subject.role == "student" else ""),
)


def is_best(claim: Claim) -> bool:
    """Whether a number leads in a measure of which one end is better; of others nobody is the best."""
    return claim.leads and claim.score is not None and claim.score.better != "none"


CLAIM: tuple[Field[Claim], ...] = (
    Field("", attrgetter("value")),
    *parts("score", low="low", high="high", n="n"),
    Field("above_base", lambda c: int(c.above_base) if c.score else None),
    Field("beyond_teacher", lambda c: int(c.beyond_teacher) if c.score else None),
    Field("above_controls", lambda c: None if c.above_controls is None else int(c.above_controls)),
    Field("control_lineages", lambda c: c.lineages if c.score else None),
    Field("leads", lambda c: int(is_best(c)) if c.score else None),
    Field("skipped_reason", lambda c: c.score.reason if c.score else "not measured"),
)
ROW_END: tuple[Field[Row], ...] = (
    *attributes("parameters", "size_bytes"),
    # measured, so not in a file that is the same for the same stored answers
    Field("tokens_per_s", attrgetter("tokens_per_s"), in_csv=False),
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
        """The column of one key; empty for rows whose job does not set it."""
        return Field(name, lambda row: dict(variant(row)).get(name, ""))

    return tuple(map(column, names))


def score_texts(score: Score) -> dict[str, str]:
    """A score's row of scores.csv: column -> text."""
    return {f.name: f.text(score) for f in SCORE if f.in_csv}
