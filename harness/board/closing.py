"""What a run says at its end: which student to take, and the leaderboard as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.audits import audited
from harness.board.board import Board
from harness.board.evidence import weighings
from harness.board.leaderboard import leaderboard_view
from harness.board.sentences import decisions
from harness.board.subjects import Group
from harness.board.tables import MARKS, Cell
from harness.console.columns import in_columns, shortened

_MOST = 12  # rows; the page has all
_NO_CONTROLS = (
    "no controls: nobody can say whether any training would have done the same; add models that the teacher never "
    "taught (`controls:` in the matrix, `--control` of init)"
)
_MEANING = {
    "above the base": "significantly above the base",
    "beyond the teacher": "significantly beyond the teacher",
    "above the controls": "above what unrelated models reach",
}
_LONGEST = 24  # characters of a name


def closing_lines(board: Board) -> list[str]:
    """The decision about each teacher's students, then a line per student with what the leaderboard has of it."""
    told = [
        f"{_of(d.choice.group)}: {''.join(words for words, _ in d.parts)}"
        for d in decisions(board)
        if any(strong for _, strong in d.parts)  # it names a student
    ]
    told += [
        "".join(words for words, _ in finding.words)
        for weighing in weighings(board.record)
        for finding in weighing.findings
    ]
    told += ["".join(words for words, _ in a.words) for a in audited(board.record)]
    table = leaderboard_view(board)
    students = [row for row in table.rows if row[0].note in ("recipe", "student")]
    if not students:
        return told
    rows = [tuple(head.name.lower() for head in table.heads)]
    rows += [tuple(map(_words, row)) for row in students[:_MOST]]
    right = [i for i, head in enumerate(table.heads) if head.numeric]
    more = len(students) - _MOST
    others = [f"and {more} more student{'s' * (more > 1)} on the page"] if more > 0 else []
    return [*told, *in_columns(rows, right), *others, *_explained(board, students[:_MOST])]


def _explained(board: Board, rows: Sequence[Sequence[Cell]]) -> list[str]:
    """What the marks of the rows mean; and, where nothing tells transfer from any training, what would."""
    shown = {mark for row in rows for cell in row for mark in cell.marks}
    marks = [f"{sign} {_MEANING[mark]}" for mark, sign in MARKS.items() if mark in shown]
    pairs = board.record.pairs
    alone = not board.record.controls and any(p.base_kind != "sibling" for p in pairs)
    legend = ["; ".join(["brackets hold 95 % intervals", *marks])] if marks else []
    return [*legend, *([_NO_CONTROLS] if alone else [])]


def _of(group: Group) -> str:
    """The teacher, its students' base and the swept values."""
    teacher, base, variant = group
    return " ".join(
        [teacher, *([f"from {base}"] if base else []), *(f"{k}={v}" for k, v in variant)]
    )


def _words(cell: Cell) -> str:
    marks = "".join(MARKS[mark] for mark in cell.marks)
    return " ".join(filter(None, [shortened(cell.text, _LONGEST), cell.interval, marks]))
