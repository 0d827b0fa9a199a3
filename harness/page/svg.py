"""Drawings as static SVG, laid out for a width in pixels: no name lies on another, none leaves the figure. Pure.

Colours are classes; the page's style sheet, or the one that is put into a download, says what they look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from harness.console.invisible import spelled_out
from harness.figures import (
    Bars,
    Dots,
    Drawing,
    Grid,
    Guide,
    Heat,
    Label,
    Panels,
    Plane,
    Planes,
    Rows,
)
from harness.figures._glyphs import LINE, lines_within, text_width
from harness.page.axes import EDGE, bottom, entries_of, legend
from harness.page.canvas import FONT, Canvas, Sketch, digits
from harness.page.planes import planes
from harness.page.scales import Area, Scale, Span, span_of, ticks
from harness.page.strokes import stroke

_NAMES = 0.4  # of a figure's width: the most that names of rows take
_LEAST = 40.0  # pixels of a plot, whatever stands beside it
_ROUNDS = 4  # of making room left and right, each of which changes what the other needs
_CELL = 78.0  # pixels of a cell of a grid, at least
_TICK_ROOM = 64.0  # pixels between two numbers along the bottom


def svg(drawing: Drawing, width: float, title: str) -> Sketch:
    """The drawing for some pixels of width, or more where that is too narrow; title: for those who do not see it."""
    frame = drawing.frame
    if isinstance(frame, Rows):
        return _rows(drawing, frame, width, title)
    if isinstance(frame, Plane):
        return planes(drawing, [frame], width, title)
    if isinstance(frame, Planes):
        return planes(drawing, frame.planes, width, title)
    if isinstance(frame, Panels):
        return _panels(drawing, frame, width, title)
    if isinstance(frame, Grid):
        return _grid(drawing, frame, width, title)
    assert_never(frame)


# --- rows -----------------------------------------------------------------------------------------


def _rows(drawing: Drawing, frame: Rows, width: float, title: str) -> Sketch:
    canvas = Canvas()
    heads = [m for m in drawing.marks if isinstance(m, Label) and m.y_of == "frame"]
    beside = [m for m in drawing.marks if isinstance(m, Label) and m.y_of == "axis"]
    rest = [m for m in drawing.marks if not isinstance(m, Label)]
    names = [
        lines_within(spelled_out(n.text), FONT, _NAMES * width, bold=n.strong) for n in frame.names
    ]
    left = max((text_width(x, FONT, bold=True) for lines in names for x in lines), default=0) + 14
    span = frame.span or span_of(_along(drawing), frame.from_zero)
    scale = _beside(beside, span, left, width - 14)
    top = legend(canvas, entries_of(drawing), width)
    head = _heads(canvas, heads, scale, top + EDGE)
    row = max(20.0 if len(names) > 16 else 26.0, *(LINE * FONT * len(x) + 6 for x in names), 0)
    floor = head + row * len(names)
    area = Area(scale, Scale((-0.5, len(names) - 0.5), head, floor))
    marks = ticks(span, round((scale.end - scale.start) / _TICK_ROOM)) if frame.numbers else []
    if frame.grid:
        _grid_lines(canvas, area, [at for at, _ in marks])
    for y, (lines, name) in enumerate(zip(names, frame.names, strict=True)):
        kind = "strong" if name.strong else ""
        canvas.text(lines, (left - 10, area.y(y)), anchor="end", kind=kind)
    for mark in [*rest, *beside]:
        stroke(canvas, mark, [area])
    foot = bottom(canvas, area, marks, frame.title, (0.0, width))
    return canvas.sketch(width, foot, title)


def _along(drawing: Drawing) -> list[float]:
    """Every number along the bottom axis."""
    numbers: list[float] = []
    for mark in drawing.marks:
        if isinstance(mark, Dots):
            numbers += [x for d in mark.dots for x in (d.x, *d.x_ends) if x is not None]
        elif isinstance(mark, Bars):
            numbers += [x for b in mark.bars for x in (b.start, b.end)]
        elif isinstance(mark, Guide):
            numbers.append(mark.at)
    return numbers


def _beside(labels: Sequence[Label], span: Span, left: float, right: float) -> Scale:
    """The scale along the bottom which leaves room for labels beside the points, between two pixels."""
    low, high = span
    shares = [(mark, (mark.x - low) / (high - low), _width_of(mark)) for mark in labels]
    start, room = left, right - left
    for _ in range(_ROUNDS):
        for mark, share, needs in shares:
            if mark.end[0] == "left" and share > 0:
                room = min(room, (right - start - needs) / share)
            elif mark.end[0] == "right":
                start = max(start, left + needs - share * room)
        room = min(room, right - start)
    return Scale(span, start, start + max(room, _LEAST))


def _width_of(mark: Label) -> float:
    return text_width(spelled_out(mark.strong + mark.text), mark.size or FONT)


def _heads(canvas: Canvas, heads: Sequence[Label], scale: Scale, top: float) -> float:
    """Adds names of numbers above the rows, in as many lines as they need; the pixel where the rows begin."""
    lines: list[float] = []  # right end of each line of names, from the bottom
    placed: list[tuple[Label, float, int]] = []
    for mark in sorted(heads, key=lambda m: m.x):
        half = _width_of(mark) / 2
        x = max(scale(mark.x), scale.start - 10 + half)
        line = next((i for i, end in enumerate(lines) if end + 8 <= x - half), len(lines))
        lines[line : line + 1] = [x + half]
        placed.append((mark, x, line))
    begin = top + 15.0 * len(lines)
    for mark, x, line in placed:
        kind = "muted" if mark.quiet else ""
        canvas.text(
            [spelled_out(mark.text)],
            (x, begin - 15.0 * line - 9),
            size=11,
            anchor="middle",
            kind=kind,
        )
    return begin


def _grid_lines(canvas: Canvas, area: Area, places: Sequence[float]) -> None:
    ways = (f"M{digits(area.x(at))} {digits(area.top)}V{digits(area.bottom)}" for at in places)
    canvas.path("".join(ways), "line")


# --- panels ---------------------------------------------------------------------------------------


def _panels(drawing: Drawing, frame: Panels, width: float, title: str) -> Sketch:
    canvas = Canvas()
    ends = [m for m in drawing.marks if isinstance(m, Label) and (m.x_of, m.x) == ("frame", 1.0)]
    heads = [m for m in drawing.marks if isinstance(m, Label) and m not in ends]
    rest = [m for m in drawing.marks if not isinstance(m, Label)]
    most = 0.34 * width
    ends = [
        replace(m, text="\n".join(lines_within(spelled_out(m.text), m.size or FONT, most)))
        for m in ends
    ]
    numbers = [ticks(span, 4) for span in frame.spans]
    left = max(text_width(word, FONT) for own in numbers for _, word in own) + 8
    right = width - max((_width_of(m) for m in ends), default=0) - 14
    along = Scale(frame.x.span, left, right, frame.x.logarithmic)
    y, areas = EDGE, []
    for i, span in enumerate(frame.spans):
        y = _heading(canvas, [m for m in heads if m.panel == i], y, width)
        own = [m for m in ends if m.panel == i]
        height = max(float(frame.panel_height), sum(map(_height_of, own)))
        area = Area(along, Scale(span, y + height, y))
        areas.append(area)
        _panel(canvas, area, numbers[i], [at for at, _ in frame.x.places])
        y += height + 12
    for mark in rest:
        stroke(canvas, mark, areas)
    for i, area in enumerate(areas):
        _end_names(canvas, [m for m in ends if m.panel == i], area)
    foot = bottom(canvas, areas[-1], frame.x.places, frame.x.title, (0.0, width))
    return canvas.sketch(width, foot, title)


def _height_of(mark: Label) -> float:
    return LINE * (mark.size or FONT) * (mark.text.count("\n") + 1)


def _heading(canvas: Canvas, heads: Sequence[Label], y: float, width: float) -> float:
    """Adds what a panel shows, above it; the pixel where the panel begins."""
    for mark in heads:
        strong, rest = spelled_out(mark.strong), spelled_out(mark.text).strip()
        lines = lines_within(strong, FONT, width - 2 * EDGE, bold=True)
        beside = text_width(lines[-1], FONT, bold=True) + 8
        canvas.text(lines, (EDGE, y + LINE * FONT * len(lines) / 2), kind="strong")
        if beside + text_width(rest, FONT) <= width - 2 * EDGE:
            at = (EDGE + beside, y + LINE * FONT * (len(lines) - 0.5))
            canvas.text([rest], at, kind="muted")
        else:
            more = lines_within(rest, FONT, width - 2 * EDGE)
            at = (EDGE, y + LINE * FONT * (len(lines) + len(more) / 2))
            canvas.text(more, at, kind="muted")
            lines += more
        y += LINE * FONT * len(lines) + 6
    return y + 4


def _panel(
    canvas: Canvas, area: Area, numbers: Sequence[tuple[float, str]], places: Sequence[float]
) -> None:
    """The grid and the numbers of a panel."""
    ways = [f"M{digits(area.left)} {digits(area.y(at))}H{digits(area.right)}" for at, _ in numbers]
    ways += [f"M{digits(area.x(at))} {digits(area.bottom)}v4" for at in places]
    canvas.path("".join(ways), "line")
    for at, word in numbers:
        canvas.text([word], (area.left - 6, area.y(at)), anchor="end", kind="muted")


def _end_names(canvas: Canvas, ends: Sequence[Label], area: Area) -> None:
    """Names of curves at their right ends, moved apart where they would touch, with a line to where they belong."""
    ordered = sorted(ends, key=lambda m: -m.y)
    tops: list[float] = []
    floor = area.top
    for mark in ordered:
        tops.append(max(floor, area.y.within(mark.y) - _height_of(mark) / 2))
        floor = tops[-1] + _height_of(mark)
    ceiling = area.bottom
    for i in reversed(range(len(ordered))):
        tops[i] = min(tops[i], ceiling - _height_of(ordered[i]))
        ceiling = tops[i]
    for mark, top in zip(ordered, tops, strict=True):
        middle, own = top + _height_of(mark) / 2, area.y.within(mark.y)
        if abs(middle - own) > 3:
            ways = (
                f"M{digits(area.right + 2)} {digits(own)}L{digits(area.right + 7)} {digits(middle)}"
            )
            canvas.path(ways, "leader")
        moved = replace(mark, x=area.right + 9, y=middle)
        kind = f"of-{mark.role}" if mark.role else "muted" if mark.quiet else ""
        canvas.text(moved.text.split("\n"), (moved.x, middle), size=mark.size or FONT, kind=kind)


# --- grids ----------------------------------------------------------------------------------------


def _grid(drawing: Drawing, frame: Grid, width: float, title: str) -> Sketch:
    canvas = Canvas()
    down = [
        lines_within(spelled_out(name), FONT, min(230.0, _NAMES * width)) for name in frame.down
    ]
    left = max(text_width(x, FONT) for lines in down for x in lines) + 10
    cell = max(_CELL, min(120.0, (width - left - EDGE) / len(frame.across)))
    across = [lines_within(spelled_out(name), FONT, cell - 4) for name in frame.across]
    top = max(LINE * FONT * len(lines) for lines in across) + 14
    row = max(34.0, *(LINE * FONT * len(lines) + 6 for lines in down))
    for x, lines in enumerate(across):
        at = (left + cell * (x + 0.5), top - 6 - LINE * FONT * len(lines) / 2)
        canvas.text(lines, at, anchor="middle", kind="muted")
    for y, lines in enumerate(down):
        canvas.text(lines, (left - 8, top + row * (y + 0.5)), anchor="end")
    for mark in drawing.marks:
        if isinstance(mark, Heat):
            _cells(canvas, mark, (left, top), (cell, row))
    return canvas.sketch(left + cell * len(across) + EDGE, top + row * len(down) + EDGE, title)


def _cells(
    canvas: Canvas, mark: Heat, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Cells, the higher their value the darker, with their words."""
    (left, top), (wide, high) = corner, size
    for y, row in enumerate(mark.rows):
        for x, cell in enumerate(row):
            at = (left + wide * x + 1.5, top + high * y + 1.5)
            shade = 0.0 if cell.value is None else min(max(cell.value, 0.0), 1.0)
            told = "\n".join(cell.told) if cell.value is None else ""
            canvas.cell(at, (wide - 3, high - 3), shade, told)
            middle = (at[0] + wide / 2 - 1.5, at[1] + high / 2 - 1.5)
            words = spelled_out(cell.text) if cell.value is not None else "–"
            canvas.text(
                [words], middle, anchor="middle", kind="" if cell.value is not None else "muted"
            )
