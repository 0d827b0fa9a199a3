"""Wrong answers shared with the teacher, compared with the share expected from the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import (
    AbstractFigure,
    Bar,
    Bars,
    Dot,
    Dots,
    Drawing,
    Mark,
    Numbers,
    Rows,
    numbers_of,
)
from harness.figures._rows import Placed, by_teacher, placed_of, teacher_rows, words
from harness.types import Score


@dataclass(frozen=True)
class InheritedErrors(AbstractFigure):
    """Share of common mistakes that have the same wrong answer, from expected to observed."""

    title = "Inherited errors"
    caption = (
        "Of the prompts that model and teacher both got wrong: the share with the same wrong answer (point, 95 % "
        "interval) and what popular wrong answers alone explain (bar). Nearly every pair of models lies right of the "
        "bar; whether a model that the teacher never taught would lie there too is said by excess_vs_controls."
    )
    order = 14
    measures = (
        "error_inheritance/shared_wrong",
        "error_inheritance/expected",
        "error_inheritance/excess",
    )

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Observed and expected share for every student and control."""
        shared, expected, _ = self.measures
        placed = placed_of((s, board.index.overall(shared, s)) for s in board.subjects)
        if not placed:
            return None
        rows, dots = by_teacher(placed)
        others = {p.subject: board.index.overall(expected, p.subject) for p in placed}
        title = "Same wrong answer, share of common mistakes"
        return Drawing(
            (*_expected(rows, others), *dots),
            Rows(teacher_rows(rows), title, from_zero=True),
            self._numbers(board, placed, others),
        )

    def _numbers(
        self, board: Board, placed: Sequence[Placed], expected: Mapping[Subject, Score | None]
    ) -> Numbers:
        rows = []
        for subject, score in placed:
            excess = board.index.overall(self.measures[2], subject)
            numbers = map(words, (score, expected[subject], excess))
            rows.append([subject.label, subject.role, subject.teacher, *numbers, str(score.n)])
        heads = ["Model", "Role", "Teacher", "Same wrong answer", "Expected", "Excess", "n"]
        return numbers_of(heads, rows)


def _expected(
    rows: Sequence[Placed | str], expected: Mapping[Subject, Score | None]
) -> tuple[Mark, Mark]:
    """Ticks at the expected share and bars from there to the observed one."""
    bars = []
    for y, row in enumerate(rows):
        other = expected[row.subject] if isinstance(row, Placed) else None
        if isinstance(row, Placed) and other is not None and other.value is not None:
            bars.append(Bar(other.value, row.score.value or 0.0, y))
    ticks = tuple(Dot(bar.start, bar.row) for bar in bars)
    return Bars("excess", tuple(bars)), Dots("expected", ticks, size=15)
