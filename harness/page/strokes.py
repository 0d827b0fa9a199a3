"""Marks on a canvas, once it is known which numbers are where."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.console.invisible import spelled_out
from harness.figures import (
    Band,
    Bars,
    Box,
    Curve,
    Dot,
    Dots,
    Guide,
    Label,
    Mark,
    Names,
)
from harness.figures._glyphs import LINE, text_size
from harness.page.canvas import FONT, Anchor, Canvas, digits, points, symbol
from harness.page.looks import LOOKS, OTHER
from harness.page.scales import Area

_SMALL, _SMALLER = 7.0, 5.5  # pixels of the points on a student's curve, and on others'
_ANCHOR: dict[str, Anchor] = {"left": "start", "center": "middle", "right": "end"}


def stroke(canvas: Canvas, mark: Mark, areas: Sequence[Area]) -> None:
    """Adds a mark; areas: of the frame's panels, from the top."""
    if isinstance(mark, Dots):
        _dots(canvas, mark, areas[mark.panel])
    elif isinstance(mark, Bars):
        _bars(canvas, mark, areas[0])
    elif isinstance(mark, Curve):
        _curve(canvas, mark, areas[mark.panel])
    elif isinstance(mark, Band):
        _band(canvas, mark, areas[mark.panel])
    elif isinstance(mark, Guide):
        _guide(canvas, mark, areas[mark.panel])
    elif isinstance(mark, Box):
        _box(canvas, mark, areas[mark.panel])
    elif isinstance(mark, Names):
        _names(canvas, mark, areas[mark.panel])
    elif isinstance(mark, Label):
        _label(canvas, mark, areas[mark.panel])


def key(canvas: Canvas, role: str, place: tuple[float, float], curve: bool) -> None:
    """The symbol of a role in a legend, with a line through it where it stands for a curve."""
    own = Canvas()
    x, y = place
    if curve:
        own.path(f"M{digits(x - 9)} {digits(y)}h18", _line_kind(role))
    _symbols(own, role, [(x, y)], _SMALL if curve else 9.0)
    canvas.group(role_class(role), own)


def role_class(role: str) -> str:
    """The class that colours what belongs to a role."""
    return role if role in (*LOOKS, "path") else "other"


def _symbols(canvas: Canvas, role: str, places: Sequence[tuple[float, float]], size: float) -> None:
    shape, kind = _shape(role)
    canvas.path("".join(symbol(shape, x, y, size) for x, y in places), kind)


def _shape(role: str) -> tuple[str, str]:
    """The symbol of a role and the class of its path."""
    shape, is_open, _ = LOOKS.get(role, OTHER).symbol.partition("-open")
    if shape in ("x", "line-ns"):
        return shape, "ends"
    return shape, "open" if is_open else "solid"


def _dots(canvas: Canvas, mark: Dots, area: Area) -> None:
    own = Canvas()
    own.path("".join(_ends(d, area) for d in mark.dots), "ends")
    if any(d.link for d in mark.dots):
        for d in mark.dots:
            _linked(own, mark, d, area)
    else:
        _symbols(own, mark.role, [(area.x(d.x), area.y(d.y)) for d in mark.dots], mark.size)
    kind = role_class(mark.role) + (" faint" if mark.quiet else "")
    canvas.group(kind, own)
    for d in mark.dots:
        if d.label:
            _beside(canvas, mark, d, area)


def _linked(canvas: Canvas, mark: Dots, dot: Dot, area: Area) -> None:
    """A point that leads to a student's part of the page, with its numbers under the pointer."""
    shape, kind = _shape(mark.role)
    way = symbol(shape, area.x(dot.x), area.y(dot.y), mark.size)
    canvas.path(way, kind, "\n".join(dot.told), dot.link)


def _ends(dot: Dot, area: Area) -> str:
    """The path of a point's intervals, cut where the area ends."""
    x, y = digits(area.x(dot.x)), digits(area.y(dot.y))
    way = ""
    (x_low, x_high), (y_low, y_high) = dot.x_ends, dot.y_ends
    if x_low is not None or x_high is not None:
        low, high = (area.x.within(dot.x if e is None else e) for e in (x_low, x_high))
        way += f"M{digits(low)} {y}H{digits(high)}"
    if y_low is not None or y_high is not None:
        low, high = (area.y.within(dot.y if e is None else e) for e in (y_low, y_high))
        way += f"M{x} {digits(low)}V{digits(high)}"
    return way


def _beside(canvas: Canvas, mark: Dots, dot: Dot, area: Area) -> None:
    """The label of a point, on its side."""
    up, _, across = dot.side.partition(" ")
    anchor: Anchor = {"right": "start", "left": "end"}.get(across, "middle")  # type: ignore[assignment]
    far = mark.size / 2 + 4
    x = area.x(dot.x) + {"start": far, "end": -far}.get(anchor, 0.0)
    y = area.y(dot.y) + {"top": -far, "bottom": far}.get(up, 0.0)
    kind = "" if mark.role == "student" else "muted"
    canvas.text(spelled_out(dot.label).split("\n"), (x, y), anchor=anchor, kind=kind)


def _bars(canvas: Canvas, mark: Bars, area: Area) -> None:
    stretches = (
        f"M{digits(area.x(b.start))} {digits(area.y(b.row))}H{digits(area.x(b.end))}"
        for b in mark.bars
    )
    canvas.path("".join(stretches), "bars")


def _line_kind(role: str) -> str:
    return {"student": "curve", "path": "path"}.get(role, "curve dashed")


def _curve(canvas: Canvas, mark: Curve, area: Area) -> None:
    own = Canvas()
    places = [(area.x(d.x), area.y(d.y)) for d in mark.dots]
    if mark.joined and len(places) > 1:
        own.path(points(places), _line_kind(mark.role))
    own.path("".join(_ends(d, area) for d in mark.dots), "ends")
    if mark.role not in ("expected", "path"):
        _symbols(own, mark.role, places, _SMALL if mark.role == "student" else _SMALLER)
    canvas.group(role_class(mark.role), own)


def _band(canvas: Canvas, mark: Band, area: Area) -> None:
    over = [(area.x(x), area.y.within(y)) for x, y in zip(mark.xs, mark.highs, strict=True)]
    under = [(area.x(x), area.y.within(y)) for x, y in zip(mark.xs, mark.lows, strict=True)]
    own = Canvas()
    own.path(points([*over, *reversed(under)]) + "z", "band")
    canvas.group(role_class(mark.role), own)


def _guide(canvas: Canvas, mark: Guide, area: Area) -> None:
    kind = "guide dashed" if mark.dotted else "guide"
    if mark.across == "x":
        way = f"M{digits(area.x(mark.at))} {digits(area.top)}V{digits(area.bottom)}"
    else:
        way = f"M{digits(area.left)} {digits(area.y(mark.at))}H{digits(area.right)}"
    canvas.path(way, kind)


def _box(canvas: Canvas, mark: Box, area: Area) -> None:
    (x0, y0), (x1, y1) = mark.low, mark.high
    left, right = digits(area.x(x0)), digits(area.x(x1))
    canvas.path(f"M{left} {digits(area.y(y0))}H{right}V{digits(area.y(y1))}H{left}z", "guide")


def _names(canvas: Canvas, mark: Names, area: Area) -> None:
    for name in mark.names:
        x, y = area.x(name.x), area.y(name.y)
        across, up = name.shift
        at = (x + across, y - up)
        if name.leader:
            canvas.path(_leader((x, y), at, spelled_out(name.text), name.size), "leader")
        kind = f"of-{name.role}" if name.role else "muted" if name.quiet else ""
        canvas.text(
            spelled_out(name.text).split("\n"), at, size=name.size, anchor="middle", kind=kind
        )


def _leader(start: tuple[float, float], middle: tuple[float, float], text: str, size: float) -> str:
    """The line from a point's mark to the box of its name."""
    across, along = middle[0] - start[0], middle[1] - start[1]
    halves = [length / 2 for length in text_size(text, size)]
    inside = min(
        half / max(abs(way), 1e-9) for half, way in zip(halves, (across, along), strict=True)
    )
    length = math.hypot(across, along)
    ends = (min(7 / length, 1.0), max(0.0, 1 - inside))
    return points([(start[0] + across * k, start[1] + along * k) for k in ends])


def _label(canvas: Canvas, mark: Label, area: Area) -> None:
    """A text at its place."""
    size = FONT if mark.size is None else mark.size
    x = area.x(mark.x) if mark.x_of == "axis" else area.left + mark.x * (area.right - area.left)
    y = area.y(mark.y) if mark.y_of == "axis" else area.bottom - mark.y * (area.bottom - area.top)
    lines = spelled_out(mark.strong + mark.text).split("\n")
    half = LINE * size * len(lines) / 2
    y += {"top": half, "bottom": -half}.get(mark.end[1], 0.0)
    across, up = mark.shift
    kind = f"of-{mark.role}" if mark.role else "muted" if mark.quiet else ""
    canvas.text(lines, (x + across, y - up), size=size, anchor=_ANCHOR[mark.end[0]], kind=kind)
