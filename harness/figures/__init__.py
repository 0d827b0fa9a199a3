"""Figures: pictures of a Board. One file, one subclass of AbstractFigure.

A figure draws nothing: it says which marks stand where, and others draw them: the page as SVG, plotly when a reader
asks for it, nobody in tests.
Marks: `Dots` (with intervals), `Bars`, `Curve`, `Band`, `Heat`, `Label`, `Names`, `Guide`, `Box`; frames, which hold
the axes: `Rows`, `Plane`, `Planes`, `Panels`, `Grid`. To write one, copy this into `harness/figures/NAME.py`::

    @dataclass(frozen=True)
    class Sizes(AbstractFigure):
        \"\"\"Parameters of every student.\"\"\"

        title = "Sizes"
        caption = "Parameters of each model."
        order = 50

        def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
            rows = [r for r in board.rows if r.parameters is not None]
            if not rows:
                return None
            dots = tuple(Dot(r.parameters, y) for y, r in enumerate(rows))
            names = tuple(RowName(r.subject.label) for r in rows)
            numbers = numbers_of(["Model", "Parameters"], [[r.subject.label, str(r.parameters)] for r in rows])
            return Drawing((Dots("student", dots),), Rows(names, "Parameters"), numbers)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures._marks import (
    Band,
    Bar,
    Bars,
    Box,
    Curve,
    Dot,
    Dots,
    Drawing,
    Frame,
    Grid,
    Guide,
    Heat,
    HeatCell,
    Label,
    Mark,
    Name,
    Names,
    Numbers,
    Panels,
    Plane,
    Planes,
    RowName,
    Rows,
    Ticks,
    numbers_of,
)

__all__ = [
    "AbstractFigure", "Band", "Bar", "Bars", "Box", "Curve", "Dot", "Dots", "Drawing", "Frame", "Grid", "Guide",
    "Heat", "HeatCell", "Label", "Mark", "Name", "Names", "Numbers", "Panels", "Plane", "Planes", "RowName", "Rows",
    "Ticks", "numbers_of",
]  # fmt: skip


@dataclass(frozen=True)
class AbstractFigure(ABC):
    """A picture on the page."""

    kind: str
    name: str

    title: ClassVar[str]
    caption: ClassVar[str]  # one line: how to read this
    order: ClassVar[int]  # place on the page
    measures: ClassVar[
        tuple[str, ...]
    ] = ()  # it draws these; () = what the run's measures stand for
    per: ClassVar[Literal["run", "student", "metric"]] = "run"
    # per: "student" = drawn once per student, which is then the subject; "metric" = drawn for any measure that no
    # other figure shows
    first: ClassVar[bool] = False  # stands beside the sentences at the top of the page

    @abstractmethod
    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """The figure's marks, or None where there is nothing to draw. Pure: the same board, the same drawing."""
