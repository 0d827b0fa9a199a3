"""Agreement with the teacher beyond chance, students compared with controls."""

from __future__ import annotations

from dataclasses import dataclass

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Drawing, Guide, Rows, numbers_of
from harness.figures._rows import Placed, by_teacher, placed_of, teacher_rows, words

_TITLES = {"capa": "CAPA", "error_consistency": "Error consistency"}


@dataclass(frozen=True)
class Agreement(AbstractFigure):
    """CAPA of every student and control with its teacher, highest first."""

    title = "Agreement with the teacher beyond chance"
    caption = (
        "0 is the agreement that two models so often right would show by chance, 1 complete agreement; bars are 95 % "
        "intervals. Capable models agree more whoever taught them: judge a student against the controls (hollow)."
    )
    order = 12
    measures = tuple(_TITLES)

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """A dot plot of the first of the measures that the run has, by teacher."""
        for metric in self.measures:
            placed = placed_of((s, board.index.overall(metric, s)) for s in board.subjects)
            if placed:
                return _drawing(placed, f"{_TITLES[metric]} (kappa, higher is more alike)")
        return None


def _drawing(placed: list[Placed], title: str) -> Drawing:
    rows, dots = by_teacher(placed)
    table = [[s.label, s.role, s.teacher, x.task, words(x), str(x.n)] for s, x in placed]
    return Drawing(
        (*dots, Guide(0.0)),
        Rows(teacher_rows(rows), title, from_zero=True),
        numbers_of(["Model", "Role", "Teacher", "Task", "Agreement", "n"], table),
    )
