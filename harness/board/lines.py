"""Rows of the leaderboard: of each teacher its recipes, its students by rank, bases and controls, and folds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.board.board import Board, Row
from harness.board.claims import Claim
from harness.board.costs import size_class
from harness.board.recipes import over_recipe
from harness.board.record import RunRecord
from harness.board.subjects import Subject
from harness.board.tables import Cell, recipe_cell
from harness.types import Score

_ALL_SHOWN = 8  # students of one teacher; of more, the best and the worst stand there
BESIDE = "beside"  # the fold of all but students, where there are many
_ENDS = 3  # how many of the best and of the worst

Kind = Literal["place", "measure", "own measure", "task", "further measure", "model"]


@dataclass(frozen=True)
class LeaderboardColumn:
    """A column and where its numbers come from."""

    name: str  # its word in `columns` of a matrix and in the address of the page
    title: str
    note: str  # below the title
    kind: Kind
    numeric: bool = True
    shown: bool = True


@dataclass(frozen=True)
class Line:
    """One row: a student, a control, another version of the teacher; a teacher, a base or a recipe beside them."""

    subject: Subject  # of a teacher or a base: itself, beside the teacher of the block
    cells: tuple[Cell, ...]  # one per column
    row: Row | None = None  # None for teachers, bases and recipes
    fold: str = ""  # the name of the fold that it is in; "" = it stands there
    family: str = ""  # its lineage; "" = no other model here is of it
    size: str = ""  # a class of parameters, "1 B to 3 B"; "" = not known


@dataclass(frozen=True)
class Source:
    """A column with what fills it: for rows of the board, and for teachers and bases."""

    column: LeaderboardColumn
    of_row: Callable[[Row], Cell]
    of_reference: Callable[[Subject], Cell]
    score_of: Callable[[Row], Score | None] | None = None  # what a recipe's seeds have of it


def teachers_of(board: Board) -> list[str]:
    return list(dict.fromkeys(row.subject.teacher for row in board.rows))


def grouped(board: Board, blocks: Sequence[Sequence[Line]]) -> Iterator[tuple[Line, ...]]:
    """The blocks with what their rows can be grouped by: families of several models, and classes of sizes."""
    runs, first = board.record.runs(), next(iter(board.record.runs().values()))

    def run_of(line: Line) -> RunRecord:
        """The record of a row's setting."""
        return runs.get(line.subject.variant, first)

    def family(line: Line) -> str:
        """The lineage of a row's model."""
        return run_of(line).lineages.get(line.subject.student, line.subject.student)

    members: dict[str, set[str]] = {}
    for line in (line for block in blocks for line in block):
        members.setdefault(family(line), set()).add(line.subject.student)
    for block in blocks:
        yield tuple(
            replace(
                line,
                family=family(line) if len(members[family(line)]) > 1 else "",
                size=size_class(
                    run_of(line).models.get(line.subject.student, {}).get("parameters")
                ),
            )
            for line in block
        )


def block_of(board: Board, teacher: str, sources: Sequence[Source]) -> Iterator[Line]:
    """The rows of one teacher."""
    rows = [row for row in board.rows if row.subject.teacher == teacher]
    students = [row for row in rows if row.subject.role == "student"]
    yield from _references(board, [teacher], "teacher", rows, sources)
    yield from _recipes(board, students, sources)
    many, crowded = len(students) > _ALL_SHOWN, _is_crowded(board)

    def compared(row: Row) -> list[Claim]:
        """Claims of a student beside its teacher, without what it has alone."""
        return [c for c, head in zip(row.claims, board.columns, strict=True) if not head.alone]

    for i, row in enumerate(students):
        middle = many and _ENDS <= i < len(students) - _ENDS
        silent = crowded and not any(c.value is not None for c in compared(row))
        yield _line(row, sources, "further students" if middle or silent else "")
    bases = dict.fromkeys(row.subject.base for row in students if row.subject.base)
    for line in _references(board, bases, "base", rows, sources):
        yield replace(line, fold=BESIDE if crowded else "")
    controls = [row for row in rows if row.subject.role == "control"]
    others = [row for row in rows if row.subject.role not in ("student", "control")]
    for fold, own in (("controls", controls), ("further models", others)):
        yield from (_line(row, sources, BESIDE if crowded else fold) for row in own)


def _is_crowded(board: Board) -> bool:
    """Whether so many students of several teachers are here that only they stand open."""
    n = sum(row.subject.role == "student" for row in board.rows)
    return n > _ALL_SHOWN and len(teachers_of(board)) > 1


def _recipes(board: Board, students: Sequence[Row], sources: Sequence[Source]) -> Iterator[Line]:
    """A row for each recipe: the mean over its seeds in every column that measures something."""
    runs = board.record.runs()
    groups: dict[Subject, list[Row]] = {}
    for row in students:
        s, run = row.subject, runs.get(row.subject.variant)
        recipe = run.recipes.get(s.student) if run else None
        if recipe is not None:
            subject = Subject(recipe, s.teacher, "recipe", s.base, s.base_kind, s.variant)
            groups.setdefault(subject, []).append(row)
    for subject, seeds in sorted(groups.items(), key=lambda item: item[0].label):
        cells = (_over_seeds(source, subject, seeds) for source in sources)
        n = f"{len(seeds)} seed{'s' * (len(seeds) != 1)}"
        yield Line(replace(subject, student=f"{subject.student} ({n})"), tuple(cells))


def _over_seeds(source: Source, recipe: Subject, seeds: Sequence[Row]) -> Cell:
    if source.score_of is None:
        return source.of_reference(recipe) if source.column.kind == "place" else Cell(None, "")
    scores = [score for row in seeds if (score := source.score_of(row)) is not None]
    return recipe_cell(over_recipe(recipe.student, scores)) if scores else Cell(None, "")


def _line(row: Row, sources: Sequence[Source], fold: str) -> Line:
    return Line(row.subject, tuple(s.of_row(row) for s in sources), row, fold)


def _references(
    board: Board,
    models: Iterable[str],
    role: str,
    rows: Sequence[Row],
    sources: Sequence[Source],
) -> Iterator[Line]:
    """A row for each model, under every setting of a sweep in which it differs."""
    runs, variants = board.record.runs(), dict.fromkeys(row.subject.variant for row in rows)
    teacher = rows[0].subject.teacher
    for model in models:
        lines: dict[tuple[str, ...], Line] = {}
        for variant in variants:
            if variant in runs:
                subject = Subject(model, teacher, role, variant=variant)
                cells = tuple(s.of_reference(subject) for s in sources)
                told = zip(sources, cells, strict=True)
                same = tuple(
                    c.text + c.interval + c.note for s, c in told if s.column.kind != "place"
                )
                lines.setdefault(same, Line(subject, cells))
        yield from lines.values() if len(lines) > 1 else map(_of_all, lines.values(), [sources])


def _of_all(line: Line, sources: Sequence[Source]) -> Line:
    """A row that is the same under every setting, without one setting's values."""
    subject = replace(line.subject, variant=())
    cells = (
        s.of_reference(subject) if s.column.kind == "place" else c
        for s, c in zip(sources, line.cells, strict=True)
    )
    return replace(line, subject=subject, cells=tuple(cells))
