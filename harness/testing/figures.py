"""The contract of figures, as tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from harness.board.board import Board, make_board
from harness.board.subjects import Subject
from harness.figures import (
    AbstractFigure,
    Bars,
    Dots,
    Drawing,
    Frame,
    Grid,
    Heat,
    Panels,
    Plane,
    Planes,
    Rows,
)
from harness.page.draw import plotly
from harness.page.pictures import NARROW, WIDE
from harness.page.svg import svg
from harness.testing.boards import answers_to, made_board
from harness.testing.making import check_travels, made


def check_figure(
    figure: type[AbstractFigure] | AbstractFigure | str,
    board: Board | None = None,
    **fields: Any,
) -> None:
    """Raises AssertionError with a sentence if a figure breaks its contract.

    board: of a run that it has something to say of; None = a made-up one with numbers of the measures that it draws.
    fields: its own.
    """
    drawer = made("figures", figure, fields)
    check_travels("figures", drawer)
    name = drawer.kind
    assert drawer.title, f"{name}: expected a title, got none"
    assert drawer.caption, f"{name}: expected a caption, got none"
    board = made_board(*drawer.measures) if board is None else board
    check_drawing(drawer, board)
    empty = make_board(replace(board.record, scores=()), answers_to)
    if drawer.draw(empty, subject_of(drawer, empty)) is not None:
        check_drawing(drawer, empty)


def check_drawing(figure: AbstractFigure, board: Board) -> None:
    """Marks inside the frame, a table, the same every time; the page can draw it."""
    name, subject = figure.kind, subject_of(figure, board)
    drawing = figure.draw(board, subject)
    assert drawing is not None, f"{name}: expected a drawing, got None; pass a board that suits it"
    assert figure.draw(board, subject) == drawing, f"{name}: the second drawing is another one"
    assert drawing.marks, f"{name}: expected marks, got none"
    outside = list(misplaced(drawing))
    assert outside == [], f"{name}: {'; '.join(outside)}"
    widths = {len(row) for row in drawing.numbers.rows}
    columns = len(drawing.numbers.columns)
    assert widths == {columns}, f"{name}: {columns} columns in its table, but rows of {widths}"
    assert drawing.frame.height > 0, f"{name}: a frame of height {drawing.frame.height}"
    for width in (NARROW, WIDE):
        try:
            ElementTree.fromstring(svg(drawing, width, figure.title).text)
        except ElementTree.ParseError as error:
            raise AssertionError(f"{name}: its SVG is not sound: {error}") from None
    drawn = plotly(drawing)
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn, f"{name}: it is not plain JSON"


def subject_of(figure: AbstractFigure, board: Board) -> Subject | None:
    """Whom a figure is drawn for: the first student where it is drawn for each."""
    return board.subjects[0] if figure.per == "student" and board.subjects else None


def misplaced(drawing: Drawing) -> Iterator[str]:
    """What lies outside the frame, or on a row or panel that is not there; one line each."""
    frame = drawing.frame
    rows = len(frame.names) if isinstance(frame, Rows) else None
    panels = len(_panels(frame))
    for mark in drawing.marks:
        if not isinstance(mark, (Bars, Heat)) and not 0 <= mark.panel < panels:
            yield f"{mark} is on a panel that is not there"
            continue
        if rows is not None and isinstance(mark, (Dots, Bars)):
            at = [d.y for d in mark.dots] if isinstance(mark, Dots) else [b.row for b in mark.bars]
            yield from (f"row {y} of {rows}" for y in at if y not in range(rows))
        if isinstance(mark, Heat) and isinstance(frame, Grid):
            shape = {len(row) for row in mark.rows} | {len(frame.across)}
            if len(shape) != 1 or len(mark.rows) != len(frame.down):
                yield f"{shape} cells in {len(frame.across)} columns"
        if isinstance(mark, Dots) and isinstance(frame, (Plane, Planes)):
            plane = frame if isinstance(frame, Plane) else frame.planes[mark.panel]
            low, high = zip(plane.x_span, plane.y_span, strict=True)
            for d in mark.dots:
                if not (low[0] <= d.x <= high[0] and low[1] <= d.y <= high[1]):
                    yield f"({d.x}, {d.y}) is outside"


def _panels(frame: Frame) -> tuple[object, ...]:
    """The parts of a frame on which marks may lie."""
    if isinstance(frame, Panels):
        return frame.spans
    return frame.planes if isinstance(frame, Planes) else (frame,)
