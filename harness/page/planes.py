"""Planes as SVG: one, or several beside and below one another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.console.invisible import spelled_out
from harness.figures import Drawing, Names, Plane
from harness.figures._glyphs import LINE, lines_within, text_width
from harness.page.axes import EDGE, bottom, entries_of, legend, upright
from harness.page.canvas import FONT, Canvas, Sketch, digits
from harness.page.scales import Area, Scale, stepped
from harness.page.strokes import stroke

_RIGHT = 18.0  # pixels beyond a plane: half of its last number


def planes(drawing: Drawing, frames: Sequence[Plane], width: float, title: str) -> Sketch:
    """Planes in rows of equal columns."""
    canvas, names = Canvas(), [m for m in drawing.marks if isinstance(m, Names)]
    n = _columns(len(frames), names, width)
    column, top = width / n, legend(canvas, entries_of(drawing), width) + EDGE
    areas, used, foot, right = [], [], top, 0.0
    for i, plane in enumerate(frames):
        if i % n == 0:
            top = foot
        spot = _Spot(column * (i % n), top, column)
        design = _design([m for m in names if m.panel == i], spot.width - _left(plane) - _RIGHT)
        area, end = _plane(canvas, plane, design, spot)
        areas.append(area)
        used.append(design)
        foot, right = max(foot, end), max(right, area.right + _RIGHT)
    for mark in drawing.marks:
        if not isinstance(mark, Names) or mark in used:
            stroke(canvas, mark, areas)
    return canvas.sketch(right, foot, title)


class _Spot(NamedTuple):
    """The corner and the width that a plane has in its figure, in pixels."""

    left: float
    top: float
    width: float


def _columns(n: int, names: Sequence[Names], width: float) -> int:
    """How many planes stand beside one another: two where two fit, more of the smallest where there are many."""
    if n == 1:
        return 1
    smallest = min((m.width for m in names), default=220) + 70
    fit = max(1, int(width // smallest))
    return min(n, fit, 2 if n <= 4 else 3)


def _design(names: Sequence[Names], room: float) -> Names | None:
    """The names that are placed for the widest plot that there is room for, or for the narrowest."""
    ordered = sorted(names, key=lambda m: m.width)
    fit = [m for m in ordered if m.width <= room]
    return fit[-1] if fit else ordered[0] if ordered else None


def _left(plane: Plane) -> float:
    """Pixels of the numbers and the title beside a plane."""
    numbers = [word for _, word in stepped(plane.y_span, plane.step)]
    return max((text_width(word, FONT) for word in numbers), default=0) + 12 + LINE * FONT


def _plane(canvas: Canvas, plane: Plane, design: Names | None, spot: _Spot) -> tuple[Area, float]:
    """Adds the axes of a plane; its area, and the pixel where it ends."""
    left, top = spot.left + _left(plane), spot.top
    across = design.width if design else spot.left + spot.width - left - _RIGHT
    if plane.title:
        lines = lines_within(spelled_out(plane.title), FONT, across, bold=True)
        deep = LINE * FONT * len(lines)
        canvas.text(lines, (left, top + deep / 2), kind="strong")
        top += deep
    top += 8
    along = design.height if design else min(plane.height - 110.0, 0.8 * across)
    x, y = Scale(plane.x_span, left, left + across), Scale(plane.y_span, top + along, top)
    area = Area(x, y)
    numbers = stepped(plane.y_span, plane.step)
    for at, word in numbers[:: max(1, round(24 * len(numbers) / along))]:
        canvas.text([word], (left - 6, y(at)), anchor="end", kind="muted")
    canvas.path(f"M{digits(left)} {digits(top)}V{digits(top + along)}H{digits(area.right)}", "axis")
    upright(canvas, plane.y_title, (spot.left + EDGE + LINE * FONT / 2, top + along / 2), along)
    words = plane.x_ticks or stepped(plane.x_span, plane.step)
    return area, bottom(canvas, area, words, plane.x_title, (spot.left, area.right + _RIGHT))
