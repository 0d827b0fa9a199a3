"""Drawings as static SVG, laid out for a width in pixels: no name lies on another, none leaves the figure. Pure.

Colours are classes; the page's style sheet, or the one that is put into a download, says what they look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, assert_never

from harness.figures import (
    Bars,
    Curve,
    Dots,
    Drawing,
    Grid,
    Guide,
    Heat,
    Label,
    Names,
    Panels,
    Plane,
    Rows,
)
from harness.figures._glyphs import LINE, lines_within, text_width
from harness.page.canvas import FONT, Canvas, digits
from harness.page.looks import LOOKS, OTHER, visible
from harness.page.scales import Area, Scale, Span, span_of, stepped, ticks
from harness.page.strokes import key, stroke

_NAMES = 0.4  # of a figure's width: the most that names of rows take
_CELL = 78.0  # pixels of a cell of a grid, at least
_TICK_ROOM = 64.0  # pixels between two numbers along the bottom
_LEGEND_LINE = 18.0
_EDGE = 6.0  # pixels that are free on all sides


class Sketch(NamedTuple):
    """A figure as SVG, with its size in pixels."""

    text: str
    width: float
    height: float


def svg(drawing: Drawing, width: float, title: str) -> Sketch:
    """The drawing for some pixels of width, or more where that is too narrow; title: for those who do not see it."""
    frame = drawing.frame
    if isinstance(frame, Rows):
        return _rows(drawing, frame, width, title)
    if isinstance(frame, Plane):
        return _plane(drawing, frame, width, title)
    if isinstance(frame, Panels):
        return _panels(drawing, frame, width, title)
    if isinstance(frame, Grid):
        return _grid(drawing, frame, width, title)
    assert_never(frame)


# --- legends --------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """A line of a legend."""

    role: str
    word: str
    curve: bool


def _entries(drawing: Drawing) -> list[_Entry]:
    """What the symbols stand for, where there are several and nothing else says so."""
    marks = drawing.marks
    named = any(isinstance(mark, Names) for mark in marks) or isinstance(drawing.frame, Panels)
    curves = [_Entry(m.role, visible(m.name), True) for m in marks if isinstance(m, Curve)]
    roles = dict.fromkeys(m.role for m in marks if isinstance(m, Dots) and m.dots)
    dots = [_Entry(role, LOOKS.get(role, OTHER).word, False) for role in roles]
    entries = list(dict.fromkeys([*dots, *curves]))
    return [] if named or len(entries) < 2 else entries


def _legend(canvas: Canvas, entries: Sequence[_Entry], width: float) -> float:
    """Adds the legend at the top; its height."""
    x, line = _EDGE, 0
    for entry in entries:
        mark = 26.0 if entry.curve else 18.0
        words = lines_within(entry.word, FONT, width - 2 * _EDGE - mark)
        needs = mark + max(text_width(w, FONT) for w in words)
        if x > _EDGE and x + needs > width - _EDGE:
            x, line = _EDGE, line + 1
        y = _EDGE + (line + 0.5) * _LEGEND_LINE
        key(canvas, entry.role, (x + mark / 2 - 3, y), entry.curve)
        canvas.text(words, (x + mark, y + (len(words) - 1) * LINE * FONT / 2), kind="muted")
        line += len(words) - 1
        x += needs + 14
    return (line + 1) * _LEGEND_LINE + _EDGE if entries else 0.0


# --- rows -----------------------------------------------------------------------------------------


def _rows(drawing: Drawing, frame: Rows, width: float, title: str) -> Sketch:
    canvas = Canvas()
    heads = [m for m in drawing.marks if isinstance(m, Label) and m.y_of == "frame"]
    beside = [m for m in drawing.marks if isinstance(m, Label) and m.y_of == "axis"]
    rest = [m for m in drawing.marks if not isinstance(m, Label)]
    names = [
        lines_within(visible(n.text), FONT, _NAMES * width, bold=n.strong) for n in frame.names
    ]
    left = max((text_width(x, FONT, bold=True) for lines in names for x in lines), default=0) + 14
    span = frame.span or span_of(_along(drawing), frame.from_zero)
    scale = _beside(beside, span, left, width - 14)
    top = _legend(canvas, _entries(drawing), width)
    head = _heads(canvas, heads, scale, top + _EDGE)
    row = max(20.0 if len(names) > 16 else 26.0, *(LINE * FONT * len(x) + 6 for x in names), 0)
    bottom = head + row * len(names)
    area = Area(scale, Scale((-0.5, len(names) - 0.5), head, bottom))
    marks = ticks(span, round((scale.end - scale.start) / _TICK_ROOM)) if frame.numbers else []
    if frame.grid:
        _grid_lines(canvas, area, [at for at, _ in marks])
    for y, (lines, name) in enumerate(zip(names, frame.names, strict=True)):
        kind = "strong" if name.strong else ""
        canvas.text(lines, (scale.start - 10, area.y(y)), anchor="end", kind=kind)
    for mark in [*rest, *beside]:
        stroke(canvas, mark, [area])
    foot = _bottom(canvas, area, marks, frame.title, width)
    return _sketch(canvas, width, foot, title)


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
    room = right - left
    for mark in labels:
        share, needs = (mark.x - low) / (high - low), _width_of(mark)
        if mark.end[0] == "left" and share > 0:
            room = min(room, (right - left - needs) / share)
    start = left
    for mark in labels:
        share = (mark.x - low) / (high - low)
        if mark.end[0] == "right":
            start = max(start, left + _width_of(mark) - share * room)
    return Scale(span, start, start + min(room, right - start))


def _width_of(mark: Label) -> float:
    return text_width(visible(mark.strong + mark.text), mark.size or FONT)


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
            [visible(mark.text)], (x, begin - 15.0 * line - 9), size=11, anchor="middle", kind=kind
        )
    return begin


def _grid_lines(canvas: Canvas, area: Area, places: Sequence[float]) -> None:
    ways = (f"M{digits(area.x(at))} {digits(area.top)}V{digits(area.bottom)}" for at in places)
    canvas.path("".join(ways), "line")


def _bottom(
    canvas: Canvas, area: Area, marks: Sequence[tuple[float, str]], title: str, width: float
) -> float:
    """Adds numbers and title below an area; the pixel where the figure ends."""
    y = area.bottom + 4
    free = -1e9
    for at, word in marks:
        x, half = area.x(at), text_width(word, FONT) / 2
        if x - half >= max(free, 0) and x + half <= width:
            canvas.text([word], (x, y + 9), anchor="middle", kind="muted")
            free = x + half + 4
    y += 18.0 if marks else 0.0
    lines = lines_within(visible(title), FONT, width - 2 * _EDGE)
    half = max(text_width(line, FONT) for line in lines) / 2
    x = min(max((area.left + area.right) / 2, half), width - half)
    deep = LINE * FONT * len(lines)
    canvas.text(lines, (x, y + 4 + deep / 2), anchor="middle", kind="muted")
    return y + 4 + deep + 4


def _sketch(canvas: Canvas, width: float, height: float, title: str) -> Sketch:
    return Sketch(canvas.whole(width, height, title), width, height)


# --- planes ---------------------------------------------------------------------------------------


def _plane(drawing: Drawing, frame: Plane, width: float, title: str) -> Sketch:
    canvas = Canvas()
    designs = sorted((m for m in drawing.marks if isinstance(m, Names)), key=lambda m: m.width)
    numbers = {
        axis: stepped(span, frame.step) for axis, span in (("x", frame.x_span), ("y", frame.y_span))
    }
    left = max((text_width(word, FONT) for _, word in numbers["y"]), default=0) + 12 + LINE * FONT
    room = width - left - 14
    design = next(
        (d for d in reversed(designs) if d.width <= room), designs[0] if designs else None
    )
    across = design.width if design else room
    along = design.height if design else min(frame.height - 110.0, 0.8 * across)
    top = _legend(canvas, _entries(drawing), width) + _EDGE + 4
    area = Area(Scale(frame.x_span, left, left + across), Scale(frame.y_span, top + along, top))
    shown = numbers["y"][:: max(1, round(24 * len(numbers["y"]) / along))]
    for at, word in shown:
        canvas.text([word], (left - 6, area.y(at)), anchor="end", kind="muted")
    axes = f"M{digits(left)} {digits(top)}V{digits(top + along)}H{digits(left + across)}"
    canvas.path(axes, "axis")
    for mark in drawing.marks:
        if not isinstance(mark, Names) or mark is design:
            stroke(canvas, mark, [area])
    whole = left + across + 14
    _upright(canvas, frame.y_title, (_EDGE + LINE * FONT / 2, top + along / 2), along)
    foot = _bottom(canvas, area, numbers["x"], frame.x_title, whole)
    return _sketch(canvas, whole, foot, title)


def _upright(canvas: Canvas, title: str, place: tuple[float, float], length: float) -> None:
    """The title of an axis, read upwards; in a smaller font where it would be longer than the axis."""
    words = visible(title)
    size = FONT * min(1.0, length / text_width(words, FONT))
    canvas.text([words], place, size=size, anchor="middle", kind="muted", turned=True)


# --- panels ---------------------------------------------------------------------------------------


def _panels(drawing: Drawing, frame: Panels, width: float, title: str) -> Sketch:
    canvas = Canvas()
    ends = [m for m in drawing.marks if isinstance(m, Label) and (m.x_of, m.x) == ("frame", 1.0)]
    heads = [m for m in drawing.marks if isinstance(m, Label) and m not in ends]
    rest = [m for m in drawing.marks if not isinstance(m, Label)]
    most = 0.34 * width
    ends = [
        replace(m, text="\n".join(lines_within(visible(m.text), m.size or FONT, most)))
        for m in ends
    ]
    numbers = [ticks(span, 4) for span in frame.spans]
    left = max(text_width(word, FONT) for own in numbers for _, word in own) + 8
    right = width - max((_width_of(m) for m in ends), default=0) - 14
    along = Scale(frame.x.span, left, right, frame.x.logarithmic)
    y, areas = _EDGE, []
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
    foot = _bottom(canvas, areas[-1], frame.x.places, frame.x.title, width)
    return _sketch(canvas, width, foot, title)


def _height_of(mark: Label) -> float:
    return LINE * (mark.size or FONT) * (mark.text.count("\n") + 1)


def _heading(canvas: Canvas, heads: Sequence[Label], y: float, width: float) -> float:
    """Adds what a panel shows, above it; the pixel where the panel begins."""
    for mark in heads:
        strong, rest = visible(mark.strong), visible(mark.text).strip()
        lines = lines_within(strong, FONT, width - 2 * _EDGE, bold=True)
        beside = text_width(lines[-1], FONT, bold=True) + 8
        canvas.text(lines, (_EDGE, y + LINE * FONT * len(lines) / 2), kind="strong")
        if beside + text_width(rest, FONT) <= width - 2 * _EDGE:
            at = (_EDGE + beside, y + LINE * FONT * (len(lines) - 0.5))
            canvas.text([rest], at, kind="muted")
        else:
            more = lines_within(rest, FONT, width - 2 * _EDGE)
            at = (_EDGE, y + LINE * FONT * (len(lines) + len(more) / 2))
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
    down = [lines_within(visible(name), FONT, min(230.0, _NAMES * width)) for name in frame.down]
    left = max(text_width(x, FONT) for lines in down for x in lines) + 10
    cell = max(_CELL, min(120.0, (width - left - _EDGE) / len(frame.across)))
    across = [lines_within(visible(name), FONT, cell - 4) for name in frame.across]
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
    return _sketch(canvas, left + cell * len(across) + _EDGE, top + row * len(down) + _EDGE, title)


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
            words = visible(cell.text) if cell.value is not None else "–"
            canvas.text(
                [words], middle, anchor="middle", kind="" if cell.value is not None else "muted"
            )
