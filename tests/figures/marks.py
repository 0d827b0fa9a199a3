"""The drawer that draws nothing: it lays out what a drawing is made of, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from harness.figures import (
    Bars,
    Curve,
    Dot,
    Dots,
    Drawing,
    Grid,
    Guide,
    Heat,
    Label,
    Panels,
    Plane,
    Rows,
)

M = TypeVar("M")


def of_type(drawing: Drawing, kind: type[M]) -> list[M]:
    """The drawing's marks of one kind, the lowest first."""
    return [mark for mark in drawing.marks if isinstance(mark, kind)]


def dots(drawing: Drawing, role: str) -> list[Dot]:
    """Every point of a role."""
    return [d for mark in of_type(drawing, Dots) if mark.role == role for d in mark.dots]


def misplaced(drawing: Drawing) -> Iterator[str]:
    """What lies outside the frame, or on a row or panel that is not there; one line each."""
    frame = drawing.frame
    rows = len(frame.names) if isinstance(frame, Rows) else None
    panels = len(frame.spans) if isinstance(frame, Panels) else 1
    for mark in drawing.marks:
        if isinstance(mark, (Curve, Label, Guide)) and not 0 <= mark.panel < panels:
            yield f"{mark} is on a panel that is not there"
        if rows is not None and isinstance(mark, (Dots, Bars)):
            at = [d.y for d in mark.dots] if isinstance(mark, Dots) else [b.row for b in mark.bars]
            yield from (f"row {y} of {rows}" for y in at if y not in range(rows))
        if isinstance(mark, Heat) and isinstance(frame, Grid):
            shape = {len(row) for row in mark.rows} | {len(frame.across)}
            if len(shape) != 1 or len(mark.rows) != len(frame.down):
                yield f"{shape} cells in {len(frame.across)} columns"
        if isinstance(mark, Dots) and isinstance(frame, Plane):
            low, high = zip(frame.x_span, frame.y_span, strict=True)
            for d in mark.dots:
                if not (low[0] <= d.x <= high[0] and low[1] <= d.y <= high[1]):
                    yield f"({d.x}, {d.y}) is outside"
