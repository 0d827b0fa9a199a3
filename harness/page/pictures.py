"""Figures drawn once and laid out for the page: an id, words around them, and one island of plotly JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Drawing
from harness.page.canvas import Sketch
from harness.page.draw import plotly, standalone
from harness.page.svg import svg
from harness.plugins import build, kinds
from harness.schema import unknown
from harness.types import DistillbenchError

WIDE, BESIDE, NARROW = 620.0, 474.0, 330.0  # pixels: of the page, beside the leaderboard, on phones
_DOTS = "measure_dots"  # the figure of any measure


@dataclass(frozen=True)
class Picture:
    """A drawn figure."""

    id: str  # of the element that the script fills
    title: str
    caption: str
    notes: tuple[str, ...]
    first: bool  # shown beside the sentences
    wide: bool  # takes the whole width of the page
    wide_sketch: Sketch  # for screens and paper
    narrow_sketch: Sketch  # for phones
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plotly: Mapping[str, Any]  # data, layout


def stock(names: Iterable[str]) -> list[AbstractFigure]:
    """One figure of each kind, in their usual order."""
    figures: Iterable[AbstractFigure] = (build("figures", kind, {"kind": kind}) for kind in names)
    return sorted(figures, key=lambda f: (f.order, f.kind))


def chosen(board: Board) -> list[AbstractFigure]:
    """The figures of the page in their order: those that the matrix names, or all; without those that fail."""
    usual = stock(kind for kind in kinds("figures") if kind not in board.undrawn)
    asked = board.record.figures
    return (
        sorted((f for f in usual if f.kind in asked), key=lambda f: asked.index(f.kind))
        if asked
        else usual
    )


def of_run(figures: Sequence[AbstractFigure], board: Board) -> list[Picture]:
    """Figures about the whole run."""
    return _drawn([f for f in figures if f.per == "run"], board, None, "run")


def of_student(
    figures: Sequence[AbstractFigure], board: Board, subject: Subject, number: int
) -> list[Picture]:
    """Figures about one student."""
    own = [f for f in figures if f.per == "student"]
    return _drawn(own, board, subject, f"student-{number}")


def of_metric(
    figures: Sequence[AbstractFigure], board: Board, metrics: Sequence[str], number: int
) -> list[Picture]:
    """A plot for each metric of a family."""
    pictures = []
    for figure in figures:
        for i, metric in enumerate(metrics) if figure.per == "metric" else ():
            own = build("figures", metric, {"kind": figure.kind, "metric": metric})
            plots = _drawn([own], board, None, f"measure-{number}-{i}")
            pictures += [replace(p, title=metric) for p in plots]
    return pictures


def _drawn(
    figures: Sequence[AbstractFigure], board: Board, subject: Subject | None, prefix: str
) -> list[Picture]:
    pictures = []
    for figure in figures:
        if (figure, subject) not in board.drawings:
            drawing = figure.draw(board, subject)
            board.drawings[figure, subject] = drawing and (
                drawing,
                plotly(drawing),
                *_sketches(drawing, figure),
            )
        if board.drawings[figure, subject] is None:
            continue
        drawing, drawn, wide, narrow = board.drawings[figure, subject]
        pictures.append(
            Picture(
                id=f"{prefix}-{figure.kind}",
                title=figure.title,
                caption=drawing.caption or figure.caption,
                notes=drawing.notes,
                first=figure.first,
                wide=bool(drawn["layout"].get("meta", {}).get("wide", False)),
                wide_sketch=wide,
                narrow_sketch=narrow,
                columns=drawing.numbers.columns,
                rows=drawing.numbers.rows,
                plotly=drawn,
            )
        )
    return pictures


def _sketches(drawing: Drawing, figure: AbstractFigure) -> tuple[Sketch, Sketch]:
    widths = (BESIDE if figure.first else WIDE, NARROW)
    wide, narrow = (svg(drawing, width, figure.title) for width in widths)
    return wide, narrow


def drawn_alone(board: Board, name: str, student: str = "") -> Mapping[str, Any]:
    """A figure for plotly: of a kind of figure, or of all models by a measure; student: its label, "" = the first.

    Raises DistillbenchError where there is no such figure or student, or nothing to show.
    """
    metrics = sorted({score.metric for score in board.record.scores})
    known = [kind for kind in kinds("figures") if kind != _DOTS]
    if name in metrics:
        figure = build("figures", name, {"kind": _DOTS, "metric": name})
    elif name in known:
        figure = build("figures", name, {"kind": name})
    else:
        whole = [metric for metric in metrics if "/" not in metric]
        raise DistillbenchError(f"figure: {unknown(name, [*known, *whole])}")
    subject = _subject(board, student) if figure.per == "student" else None
    drawing = figure.draw(board, subject)
    if drawing is None:
        raise DistillbenchError(f"figure {name}: the run has no numbers that it could show")
    return standalone(plotly(drawing), name if name in metrics else figure.title)


def _subject(board: Board, label: str) -> Subject:
    students = [s for s in board.subjects if s.role == "student"]
    named = [s for s in students if label in ("", s.label)]
    if not named:
        raise DistillbenchError(f"student: {unknown(label, [s.label for s in students])}")
    return named[0]
