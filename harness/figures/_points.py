"""Points of a plane with intervals and names: building blocks of maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.figures._marks import Dot, Dots, Names
from harness.figures._placing import Plot, Wanted, name_of, place_names
from harness.figures._rows import wrapped

_SIZES = ((240, 230, 11.5), (200, 220, 11.0))  # of the plot and of the font: screen, phone
_ROOM = 0.14  # share of an axis left free around the outermost points
_DOT = 11.0  # pixels
Ends = tuple[float | None, float | None]
Span = tuple[float, float]


class Point(NamedTuple):
    """A model in a plane."""

    name: str
    role: str
    x: float
    y: float
    x_ends: Ends
    y_ends: Ends
    told: tuple[str, ...]
    link: tuple[str, str] | None = None  # student and teacher that a click leads to


def span_of(values: Sequence[float]) -> Span:
    """An axis with room beyond the outermost values."""
    low, high = min(values), max(values)
    room = _ROOM * (high - low) or 0.5
    return round(low - room, 4), round(high + room, 4)


def dots_by_role(points: Sequence[Point], panel: int = 0) -> list[Dots]:
    """The points, one mark for each role."""
    return [
        Dots(role, tuple(_dot(p) for p in points if p.role == role), size=_DOT, panel=panel)
        for role in dict.fromkeys(p.role for p in points)
    ]


def _dot(p: Point) -> Dot:
    return Dot(p.x, p.y, p.x_ends, p.y_ends, told=p.told, link=p.link)


def names_of(points: Sequence[Point], x_span: Span, y_span: Span, panel: int = 0) -> list[Names]:
    """The names of the points, placed for each size of the plot; students first."""
    return [_names(points, Plot(w, h, x_span, y_span), size, panel) for w, h, size in _SIZES]


def _names(points: Sequence[Point], plot: Plot, size: float, panel: int) -> Names:
    boxes = [box for p in points for box in plot.mark((p.x, p.y), _DOT, (p.x_ends, p.y_ends))]
    wanted = [
        Wanted(wrapped(p.name, 20), size, plot.at(p.x, p.y), rank=int(p.role != "student"))
        for p in points
    ]
    placed = zip(points, wanted, place_names(wanted, boxes, plot), strict=True)
    names = tuple(
        name_of(want, spot, plot, quiet=p.role != "student")
        for p, want, spot in placed
        if spot is not None
    )
    return Names(round(plot.width), round(plot.height), names, panel)
