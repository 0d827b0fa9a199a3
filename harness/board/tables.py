"""The tables of a Board as values: with full numbers for files and programs, with text for readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.board import columns, numerals
from harness.board.board import Board, Row
from harness.board.claims import Claim
from harness.board.columns import Field, Stated, Value
from harness.board.recipes import (
    RecipeComparison,
    RecipeScore,
    recipe_comparisons,
    recipe_scores,
)
from harness.board.record import (
    CaseRecord,
    Change,
    CollectionRecord,
    Comparison,
    RunRecord,
    Variant,
)
from harness.board.runs import RunDifference, compare_runs
from harness.console.invisible import as_it_stands, spelled_out
from harness.panel.evidence import Verdict
from harness.panel.rates import Rates, rates_of
from harness.types import Score

R = TypeVar("R")
Fields = tuple[Field[R], ...]
DASH = "–"
_FORMULA = tuple(
    "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
)  # what a cell begins with that a spreadsheet runs
MARKS = {"above the base": "▲", "beyond the teacher": "⇈", "above the controls": "◆"}


@dataclass(frozen=True)
class Cell:
    """One place of a table."""

    value: Value  # what programs read, and what a column is sorted by
    text: str  # what readers see
    note: str = ""  # what it is made of, or why it is empty
    link: str = ""  # the store keys behind it
    interval: str = ""  # "[0.55, 0.69]", or ""
    marks: tuple[str, ...] = ()  # claims: words of MARKS
    leads: bool = False  # the best, and significantly different from the next
    wide: bool = False  # its interval is too wide to say how far


@dataclass(frozen=True)
class Head:
    """The head of a column."""

    name: str
    note: str = ""  # below the name
    numeric: bool = False
    in_csv: bool = True


@dataclass(frozen=True)
class Table:
    """Rows of cells under their heads."""

    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv_rows(self) -> list[list[str]]:
        """Names and texts of the columns that CSV files promise; no text is one that a spreadsheet would run.

        Names stay as promised: they are ours, and the keys of the command line.
        """
        promised = [i for i, head in enumerate(self.heads) if head.in_csv]
        lines = ([_plain_cell(row[i]) for i in promised] for row in self.rows)
        return [[spelled_out(self.heads[i].name) for i in promised], *lines]

    def columns(self) -> dict[str, list[Value]]:
        """The values by column."""
        return {head.name: [row[i].value for row in self.rows] for i, head in enumerate(self.heads)}


def _plain_cell(cell: Cell) -> str:
    """The text of a cell; one that a spreadsheet would take for a formula stands behind an apostrophe.

    Source: OWASP, CSV Injection.
    """
    runs = isinstance(cell.value, str) and cell.text.startswith(_FORMULA)
    text = spelled_out(cell.text)
    return f"'{text}" if runs else text


def as_written(text: str) -> str:
    """The text of a cell of our CSV files as it was: without apostrophe, nothing spelled out."""
    text = as_it_stands(text)
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def make_table(fields: Sequence[Field[R]], rows: Iterable[R]) -> Table:
    """A table of values with the texts of CSV files."""
    heads = tuple(Head(f.name, in_csv=f.in_csv) for f in fields)
    cells = (tuple(Cell(v := f.value(row), columns.as_text(v)) for f in fields) for row in rows)
    return Table(heads, tuple(cells))


def scores_table(record: RunRecord) -> Table:
    """Every score, one row each; swept keys follow as further columns."""
    swept: Fields[Score] = columns.swept(record.variants, lambda s: s.variant)
    return make_table((*columns.SCORE, *swept), ordered(record.scores))


def comparisons_table(record: RunRecord) -> Table:
    """The paired comparisons between students."""
    swept: Fields[Comparison] = columns.swept(record.variants, lambda c: c.variant)
    return make_table((*columns.COMPARISON, *swept), ordered_comparisons(record.comparisons))


def changes_table(record: RunRecord) -> Table:
    """Students beside their bases and their teachers, by the numbers that each has alone."""
    swept: Fields[Change] = columns.swept(record.variants, lambda c: c.variant)
    return make_table((*columns.CHANGE, *swept), ordered_changes(record.changes))


def recipes_table(record: RunRecord) -> Table:
    """Every score of every recipe: the mean over its seeds, or why there is none."""
    swept: Fields[RecipeScore] = columns.swept(record.variants, lambda r: r.variant)
    return make_table((*columns.RECIPE, *swept), recipe_scores(record))


def recipe_comparisons_table(record: RunRecord) -> Table:
    """Recipes beside one another, with their seeds as clusters."""
    swept: Fields[RecipeComparison] = columns.swept(record.variants, lambda c: c.variant)
    return make_table((*columns.RECIPE_COMPARISON, *swept), recipe_comparisons(record))


def recipes_view(record: RunRecord, metrics: Sequence[str]) -> Table:
    """Recipes beside one another for readers, in those of the measures that some have in common."""
    made = [c for c in recipe_comparisons(record) if c.metric in metrics]
    heads = (
        Head("Recipe"),
        Head("Beside"),
        Head("Measure"),
        Head("Task"),
        Head("What seeds and prompts say"),
    )
    numbers = (
        Head("Difference", numeric=True),
        Head("Seeds", numeric=True),
        Head("n", numeric=True),
    )
    rows = (
        (
            Cell(c.first, " ".join([c.first, *(f"{k}={v}" for k, v in c.variant)])),
            Cell(c.second, c.second, f"teacher {c.teacher}, base {c.base or 'none'}"),
            Cell(c.metric, c.metric),
            Cell(c.task, c.task),
            Cell(c.outcome, c.outcome, f"p = {c.p_adjusted:.2g} after Holm's correction"),
            Cell(c.difference, numerals.estimate(c.difference, c.low, c.high)),
            Cell(c.n_first, f"{c.n_first} and {c.n_second}"),
            Cell(c.n, str(c.n)),
        )
        for c in made
    )
    return Table((*heads, *numbers), tuple(rows))


def runs_table(first: RunRecord, second: RunRecord) -> Table:
    """The same scores in two runs, with their paired differences."""
    keys = tuple(dict.fromkeys((*first.variants, *second.variants)))
    swept: Fields[RunDifference] = columns.swept(keys, lambda d: d.variant)
    return make_table((*columns.RUN_DIFFERENCE, *swept), compare_runs(first, second))


def collections_table(record: RunRecord) -> Table:
    """How the answers were collected, by model, task and sample; a swept key is empty where all share them."""
    inside = sorted(record.collections, key=lambda c: (c.model, c.task, c.sample, c.variants))
    rows = [(c, v) for c in inside for v in c.variants or ((),)]
    own = (Field(f.name, _of_first(f), f.in_csv) for f in columns.COLLECTION)
    swept: Fields[tuple[CollectionRecord, Variant]] = columns.swept(record.variants, lambda r: r[1])
    return make_table((*own, *swept), rows)


def _of_first(field: Field[R]) -> Callable[[tuple[R, Variant]], Value]:
    return lambda row: field.value(row[0])


def verdicts_table(record: RunRecord) -> Table:
    """Every verdict of every method, of a sweep job by job."""
    swept: Fields[tuple[Stated, Variant]] = columns.swept(record.variants, lambda r: r[1])
    own = (Field(f.name, _of_first(f), f.in_csv) for f in columns.VERDICT)
    runs = ((v, run.case, run.verdicts) for v, run in record.runs().items())
    rows = [(_stated(verdict, case), v) for v, case, said in runs if case for verdict in said]
    return make_table((*own, *swept), rows)


def _stated(verdict: Verdict, case: CaseRecord) -> Stated:
    prior = case.prior_odds.get(verdict.family) if verdict.suspect == case.suspect else None
    return Stated(verdict, prior)


def rates_table(record: RunRecord) -> Table:
    """How often every method is right, about all families and about each."""
    swept: Fields[tuple[Rates, Variant]] = columns.swept(record.variants, lambda r: r[1])
    own = (Field(f.name, _of_first(f), f.in_csv) for f in columns.RATES)
    runs = ((v, run.case, run.verdicts) for v, run in record.runs().items())
    rows = [
        (r, v) for v, case, said in runs if case for r in rates_of(said, case.origins, case.suspect)
    ]
    return make_table((*own, *swept), rows)


def leaderboard_table(board: Board) -> Table:
    """One row per student and teacher, with value, interval, n, marks and reason of every measure."""
    swept: Fields[Row] = columns.swept(board.record.variants, lambda r: r.subject.variant)
    measures = [
        _of_measure(field, i, column.metric)
        for i, column in enumerate(board.columns)
        for field in columns.CLAIM
    ]
    return make_table((*columns.ROW, *swept, *measures, *columns.ROW_END), board.rows)


def _of_measure(field: Field[Claim], place: int, metric: str) -> Field[Row]:
    """A claim's column for the measure at this place of the leaderboard."""
    name = columns.claim_name(metric, field)
    return Field(name, lambda row: field.value(row.claims[place]), field.in_csv)


def ordered(scores: Iterable[Score]) -> list[Score]:
    """Scores by metric, task, teacher, student, base, variant."""
    return sorted(scores, key=lambda s: (s.metric, s.task, s.teacher, s.student, s.base, s.variant))


def ordered_comparisons(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Comparisons by metric, task, teacher, base, students, variant."""
    return sorted(
        comparisons,
        key=lambda c: (c.metric, c.task, c.teacher, c.base, c.first, c.second, c.variant),
    )


def ordered_changes(changes: Iterable[Change]) -> list[Change]:
    """Changes by metric, task, teacher, base, student, model compared with, variant."""
    return sorted(
        changes,
        key=lambda c: (c.metric, c.task, c.teacher, c.base, c.student, c.against, c.variant),
    )


def claim_cell(claim: Claim) -> Cell:
    """A number with its interval, its marks and what it is made of; or a dash with the reason."""
    score = claim.score
    if score is None:
        return Cell(None, DASH, "not measured")
    link = " ".join(key[:12] for key in score.inputs[:4])
    if score.value is None:
        return Cell(None, DASH, score.reason, link)
    number, whole = (
        f(score.value, score.low, score.high) for f in (numerals.number, numerals.estimate)
    )
    lineages = " control lineages" if score.level == "models" else ""
    note = f"{score.metric} · {score.task} · {whole} {score.unit} · n = {score.n}{lineages}"
    holding = (claim.above_base, claim.beyond_teacher, claim.above_controls is True)
    claimed = zip(MARKS, holding, strict=True)
    marks = tuple(word for word, holds in claimed if holds)
    interval = whole.removeprefix(number).strip()
    return Cell(score.value, number, note, link, interval, marks, columns.is_best(claim))


def recipe_cell(score: RecipeScore) -> Cell:
    """The number of a recipe for readers, or a dash with the reason."""
    if score.value is None:
        return Cell(None, DASH, score.reason)
    number, whole = (
        f(score.value, score.low, score.high) for f in (numerals.number, numerals.estimate)
    )
    left_out = f"; none of {', '.join(score.without)}" if score.without else ""
    why = f" · {score.reason}" if score.reason else ""
    seeds = f"mean of {len(score.seeds)} seeds{left_out}"
    note = f"{score.metric} · {score.task} · {whole} {score.unit} · {seeds} · n = {score.n}{why}"
    return Cell(score.value, number, note, interval=whole.removeprefix(number).strip())
