"""The leaderboard for readers: columns, which of them stand there unasked, and rows, teacher by teacher. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.board.board import Board, Row
from harness.board.claims import Claim, MeasureColumn, outcome
from harness.board.costs import FACTS, SIZE_CLASSES
from harness.board.lines import (
    Kind,
    LeaderboardColumn,
    Line,
    Source,
    block_of,
    grouped,
    teachers_of,
)
from harness.board.record import RunRecord, Variant, setting
from harness.board.subjects import Subject, overall, whole_tasks
from harness.board.tables import DASH, Cell, Head, Table, claim_cell
from harness.types import Score

_MEASURES = 4  # columns of measures that stand there unasked
_WIDEST = 2.0  # gaps; of a wider interval nobody can say how far a model went
_OWN = 1  # and of what models have by themselves


@dataclass(frozen=True)
class Leaderboard:
    """Columns, and rows by teacher: the teacher, its students by rank, their bases, controls."""

    columns: tuple[LeaderboardColumn, ...]  # those that hold anything
    blocks: tuple[tuple[Line, ...], ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All rows in their order."""
        return tuple(line for block in self.blocks for line in block)

    def sizes(self) -> list[str]:
        """The classes of sizes that rows are in, the smallest first."""
        return [s for s in SIZE_CLASSES if any(line.size == s for line in self.lines)]

    def families(self) -> list[str]:
        """The families that several models are of, in the order of the rows."""
        return list(dict.fromkeys(line.family for line in self.lines if line.family))

    def places(self) -> list[int]:
        """The places of the columns that stand there unasked."""
        return [i for i, column in enumerate(self.columns) if column.shown]


def make_leaderboard(board: Board) -> Leaderboard:
    """The leaderboard of a board; `columns` of its record names those that stand there unasked."""
    sources = [*_places(board), *_measures(board), *_tasks(board), *_further(board)]
    sources += _of_models(board)
    blocks = [list(block_of(board, teacher, sources)) for teacher in teachers_of(board)]
    filled = [i for i in range(len(sources)) if _holds(blocks, i)]
    nobody_lost = not any(_counts(blocks, i) for i in filled if sources[i].column is _LOST)
    unasked = (_BEHIND.name,) if nobody_lost else _COUNTED
    columns = _chosen([sources[i].column for i in filled], board.record.columns, unasked)
    kept = [
        tuple(replace(line, cells=tuple(line.cells[i] for i in filled)) for line in block)
        for block in blocks
    ]
    return Leaderboard(tuple(columns), tuple(grouped(board, kept)))


def leaderboard_view(board: Board) -> Table:
    """The columns that stand there unasked, with every row: model, role, and a cell for each column."""
    made = make_leaderboard(board)
    places = made.places()
    several = len(made.blocks) > 1
    heads = (
        Head("Model"),
        *([Head("Teacher")] if several else []),
        *(Head(c.title, c.note, c.numeric) for c in (made.columns[i] for i in places)),
    )
    rows = tuple(
        (
            Cell(s.student, s.student, s.role),
            *([Cell(s.teacher, s.teacher)] if several else []),
            *(line.cells[i] for i in places),
        )
        for line in made.lines
        for s in (line.subject,)
    )
    return Table(heads, rows)


def _holds(blocks: Sequence[Sequence[Line]], place: int) -> bool:
    """Whether a student or control has something in a column."""
    cells = (line.cells[place] for block in blocks for line in block if line.row is not None)
    return any(cell.text not in (DASH, "") for cell in cells)


def _counts(blocks: Sequence[Sequence[Line]], place: int) -> bool:
    """Whether somebody has more than none in a column of counts."""
    cells = (line.cells[place] for block in blocks for line in block if line.row is not None)
    return any(isinstance(cell.value, int) and cell.value > 0 for cell in cells)


def _chosen(
    columns: Sequence[LeaderboardColumn], asked: Sequence[str], counted: Sequence[str]
) -> Iterator[LeaderboardColumn]:
    """The columns with `shown`: those that the matrix names; unasked, the first measures and what was lost."""
    measures = [c.name for c in columns if c.kind == "measure" and c.name not in _COUNTED]
    own = [c.name for c in columns if c.kind == "own measure"]
    usual = {*measures[:_MEASURES], *counted, *own[:_OWN]}
    for c in columns:
        yield replace(c, shown=c.kind == "place" or c.name in (asked or usual))


# --- columns --------------------------------------------------------------------------------------


def _of_recipe(subject: Subject) -> Cell:
    """The base of a recipe; nothing for teachers and bases."""
    return Cell(subject.base, subject.base) if subject.role == "recipe" else Cell("", "")


def _nothing(_: object) -> Cell:
    return Cell(None, "")


def _places(board: Board) -> Iterator[Source]:
    """Rank, the base where there are several, and the swept keys."""
    rank = LeaderboardColumn("rank", "Rank", "", "place")
    yield Source(rank, lambda r: Cell(r.rank, "" if r.rank is None else str(r.rank)), _nothing)
    if len({row.subject.base for row in board.rows}) > 1:
        base = LeaderboardColumn("base", "Base", "", "place", numeric=False)
        yield Source(base, lambda r: Cell(r.subject.base, r.subject.base or "none"), _of_recipe)
    for key in board.record.variants:
        yield _swept(key)


def _swept(key: str) -> Source:
    def value(subject: Subject) -> Cell:
        """The subject's value of the key."""
        word = dict(subject.variant).get(key, "")
        return Cell(word, word)

    column = LeaderboardColumn(key, key, "", "place", numeric=False)
    return Source(column, lambda r: value(r.subject), value)


_LOST = LeaderboardColumn("lost", "Lost", "tasks, against base", "measure")
_BEHIND = LeaderboardColumn("behind", "Behind", "tasks, against teacher", "measure")
_COUNTED = (_BEHIND.name, _LOST.name)


def _measures(board: Board) -> Iterator[Source]:
    """What measures declare, with claims; before what models have alone, the tasks on which a student is worse."""
    declared = list(enumerate(board.columns))
    for i, column in (c for c in declared if not c[1].alone):
        yield _claimed(board, i, column)
    yield Source(_BEHIND, lambda r: _worse(board, r.subject, "teacher"), _nothing)
    yield Source(_LOST, lambda r: _worse(board, r.subject, "base"), _nothing)
    for i, column in (c for c in declared if c[1].alone):
        yield _claimed(board, i, column)


def _claimed(board: Board, place: int, column: MeasureColumn) -> Source:
    scores = [row.claims[place].score for row in board.rows]
    gap = any(s is not None and board.index.is_gap(s) for s in scores)

    def reference(subject: Subject) -> Cell:
        """What stands there for a teacher or a base: its own number, or 1 and 0 of a gap."""
        if column.alone:
            return _own(board, column.metric, subject)
        level = 1 if subject.role == "teacher" else 0
        note = f"the {subject.role}'s level, by definition"
        return Cell(level, str(level), note) if gap else Cell(None, "")

    kind: Kind = "own measure" if column.alone else "measure"
    head = LeaderboardColumn(column.metric, column.title, column.note, kind)
    return Source(
        head,
        lambda row: _as_sound(claim_cell(row.claims[place]), row.claims[place].score, gap=gap),
        reference,
        lambda row: row.claims[place].score,
    )


def _as_sound(cell: Cell, score: Score | None, *, gap: bool) -> Cell:
    """The cell, said to be too wide where the interval of a share of the gap says next to nothing."""
    if not gap or score is None or score.low is None or score.high is None:
        return cell
    if score.high - score.low <= _WIDEST:
        return cell
    return replace(cell, wide=True, note=f"{cell.note} \u00b7 too wide to say how far")


def _own(board: Board, metric: str, subject: Subject, task: str = "") -> Cell:
    """A number that a model has by itself, over all tasks or in one."""
    return _plain(_own_score(board, metric, subject, task))


def _own_score(board: Board, metric: str, subject: Subject, task: str = "") -> Score | None:
    scores = board.index.own(metric, subject.student, subject.variant)
    return overall([s for s in scores if s.task == task] if task else scores)


def _plain(score: Score | None) -> Cell:
    return claim_cell(Claim(score)) if score is not None else Cell(None, DASH, "not measured")


def _worse(board: Board, subject: Subject, than: Literal["base", "teacher"]) -> Cell:
    """On how many tasks a student is significantly worse than its base, or its teacher."""
    changes = [c for c in board.changes_of(subject) if c.against == than and c.better != "none"]
    if not changes:
        return Cell(None, DASH, f"no {than}, or no task that both have a number of their own for")
    tasks = list(dict.fromkeys(c.task for c in changes))
    lost = [t for t in tasks if any(c.task == t and outcome(c) == "worse" for c in changes)]
    words = f": {', '.join(lost)}" if lost else ""
    return Cell(len(lost), str(len(lost)), f"of {len(tasks)} tasks{words}")


def _tasks(board: Board) -> Iterator[Source]:
    """Every task's own score, as the measure of it gives it."""
    index = board.index
    for metric in index.metrics("own_score"):
        keys = [key for key in index.table if key[0] == metric and not key[2]]
        tasks = dict.fromkeys(s.task for key in keys for s in whole_tasks(index.table[key]))
        for task in tasks:
            yield _task(board, metric, task)


def _task(board: Board, metric: str, task: str) -> Source:
    def own(subject: Subject) -> Score | None:
        """The model's own score on this task."""
        return _own_score(board, metric, subject, task)

    note = board.index.notes[metric.split("/")[0]].unit
    column = LeaderboardColumn(task, task, note, "task")
    return Source(
        column,
        lambda row: _plain(own(row.subject)),
        lambda s: _plain(own(s)),
        lambda row: own(row.subject),
    )


def _further(board: Board) -> Iterator[Source]:
    """Every other measure as a whole."""
    known = {c.metric for c in board.columns} | set(board.index.metrics("own_score"))
    for name, note in board.index.notes.items():
        if name not in known:
            yield _whole(board, name, note.unit)


def _whole(board: Board, metric: str, unit: str) -> Source:
    def score(row: Row) -> Score | None:
        """The subject's number over all tasks, else the one that the model has alone."""
        beside = board.index.overall(metric, row.subject)
        return beside if beside is not None else _own_score(board, metric, row.subject)

    title = metric.replace("_", " ").capitalize()
    column = LeaderboardColumn(metric, title, unit, "further measure")
    return Source(
        column,
        lambda row: _plain(score(row)),
        lambda subject: _own(board, metric, subject),
        score,
    )


def _of_models(board: Board) -> Iterator[Source]:
    """Facts of the models, and what their answers cost in this run."""
    runs = board.record.runs()
    for name, title, note, fact in FACTS:
        yield _fact(runs, LeaderboardColumn(name, title, note, "model"), fact)


def _fact(
    runs: dict[Variant, RunRecord],
    column: LeaderboardColumn,
    fact: Callable[[RunRecord, str], Cell],
) -> Source:
    def cell(subject: Subject) -> Cell:
        """The fact of a model under the subject's setting."""
        run = runs.get(subject.variant)
        missing = f"no record of {setting(subject.variant)}"
        return Cell(None, DASH, missing) if run is None else fact(run, subject.student)

    return Source(column, lambda row: cell(row.subject), cell)


OTHER_COLUMNS = (*_COUNTED, *(name for name, *_ in FACTS))  # that no measure or task fills
