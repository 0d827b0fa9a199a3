"""Where one student's style came across: the families of the headline."""

from __future__ import annotations

from dataclasses import dataclass

from harness.board.board import Board
from harness.board.subjects import Subject, overall
from harness.figures import AbstractFigure, Dot, Dots, Drawing, Rows, numbers_of
from harness.figures._rows import dots_of, gap_guides, row_names, words
from harness.types import Score


@dataclass(frozen=True)
class StyleFamilies(AbstractFigure):
    """Style recovered by family, the student filled, controls hollow."""

    title = "Style by family"
    caption = (
        "How far each family of style went from the base (0) to the teacher (1), with 95 % intervals; above 1 it is "
        "overdone; hollow triangles are controls."
    )
    order = 30
    measures = ("style_transfer",)
    per = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Dot plot of the subject's families, with the controls and ceilings of its teacher."""
        if subject is None:
            return None
        (style,) = self.measures
        families = self._families(board, subject)
        rows = [style, *families]
        beside = [
            s
            for s in board.subjects
            if s.group == subject.group and s.role in ("control", "ceiling")
        ]
        marks, table = [], []
        for shown in (*beside, subject):
            scores = [overall(board.index.all(metric, shown)) for metric in rows]
            valued = [(y, s) for y, s in enumerate(scores) if s is not None and s.value is not None]
            if valued:
                marks.append(_dots(shown, valued))
                table += [
                    [shown.label, self._title(m), words(s), str(s.n)]
                    for m, s in zip(rows, scores, strict=True)
                    if s
                ]
        if not families or not any(dots.role == "student" for dots in marks):
            return None
        return Drawing(
            (*marks, *gap_guides()),
            Rows(
                row_names([self._title(m) for m in rows]),
                "Share of the gap, higher is closer to the teacher",
                headed=True,
            ),
            numbers_of(["Model", "Family", "Recovered", "n"], table),
        )

    def _families(self, board: Board, subject: Subject) -> list[str]:
        """Parts of the headline, not parts of parts: categories of prompts are not families."""
        prefix = f"{self.measures[0]}/"
        return sorted(
            {
                s.metric
                for s in board.scores_of(subject, self.measures[0])
                if s.metric.startswith(prefix) and "/" not in s.metric.removeprefix(prefix)
                if s.value is not None and board.index.is_gap(s)
            }
        )

    def _title(self, metric: str) -> str:
        (style,) = self.measures
        return (
            "all style" if metric == style else metric.removeprefix(f"{style}/").replace("_", " ")
        )


def _dots(subject: Subject, valued: list[tuple[int, Score]]) -> Dots:
    dots = dots_of(subject.role, [s for _, s in valued], [y for y, _ in valued])
    if subject.role == "student":
        return dots
    bare = tuple(Dot(d.x, d.y, told=d.told) for d in dots.dots)
    return Dots(subject.role, bare, quiet=True)
