"""Legends, numbers and titles of axes, on a canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from harness.console.invisible import spelled_out
from harness.figures import Curve, Dots, Drawing, Names, Panels
from harness.figures._glyphs import LINE, lines_within, text_width
from harness.page.canvas import FONT, Canvas
from harness.page.looks import LOOKS, OTHER
from harness.page.scales import Area, Span
from harness.page.strokes import key

EDGE = 6.0  # pixels that are free on all sides
_LEGEND_LINE = 18.0


class Entry(NamedTuple):
    """A line of a legend."""

    role: str
    word: str
    curve: bool


def entries_of(drawing: Drawing) -> list[Entry]:
    """What the symbols stand for, where there are several and nothing else says so."""
    marks = drawing.marks
    named = any(isinstance(mark, Names) for mark in marks) or isinstance(drawing.frame, Panels)
    curves = [
        Entry(m.role, spelled_out(m.name), True) for m in marks if isinstance(m, Curve) and m.name
    ]
    roles = dict.fromkeys(m.role for m in marks if isinstance(m, Dots) and m.dots)
    dots = [Entry(role, LOOKS.get(role, OTHER).word, False) for role in roles]
    entries = list(dict.fromkeys([*dots, *curves]))
    return [] if named or len(entries) < 2 else entries


def legend(canvas: Canvas, entries: Sequence[Entry], width: float) -> float:
    """Adds the legend at the top; its height."""
    x, line = EDGE, 0
    for entry in entries:
        mark = 26.0 if entry.curve else 18.0
        words = lines_within(entry.word, FONT, width - 2 * EDGE - mark)
        needs = mark + max(text_width(w, FONT) for w in words)
        if x > EDGE and x + needs > width - EDGE:
            x, line = EDGE, line + 1
        y = EDGE + (line + 0.5) * _LEGEND_LINE
        key(canvas, entry.role, (x + mark / 2 - 3, y), entry.curve)
        canvas.text(words, (x + mark, y + (len(words) - 1) * LINE * FONT / 2), kind="muted")
        line += len(words) - 1
        x += needs + 14
    return (line + 1) * _LEGEND_LINE + EDGE if entries else 0.0


def bottom(
    canvas: Canvas, area: Area, marks: Sequence[tuple[float, str]], title: str, room: Span
) -> float:
    """Adds numbers and title below an area, between two pixels; the pixel where it ends."""
    y = area.bottom + 4
    for x, word in _apart([(area.x(at), word) for at, word in marks], room):
        canvas.text([word], (x, y + 9), anchor="middle", kind="muted")
    y += 18.0 if marks else 0.0
    lines = lines_within(spelled_out(title), FONT, room[1] - room[0] - 2 * EDGE)
    half = max(text_width(line, FONT) for line in lines) / 2
    x = min(max((area.left + area.right) / 2, room[0] + half), room[1] - half)
    deep = LINE * FONT * len(lines)
    canvas.text(lines, (x, y + 4 + deep / 2), anchor="middle", kind="muted")
    return y + 4 + deep + 4


def _apart(numbers: Sequence[tuple[float, str]], room: Span) -> list[tuple[float, str]]:
    """Those of the numbers at their pixels that stand apart: every one, every second ...; as many as fit where they
    do not lie evenly."""
    steps = [b[0] - a[0] for a, b in pairwise(numbers)]
    if steps and max(steps) - min(steps) < 1:
        widest = max(text_width(word, FONT) for _, word in numbers) + 4
        numbers = numbers[:: max(1, math.ceil(widest / max(steps[0], 1e-9)))]
    apart, free = list[tuple[float, str]](), room[0]
    for x, word in numbers:
        half = text_width(word, FONT) / 2
        if x - half >= free and x + half <= room[1]:
            apart.append((x, word))
            free = x + half + 4
    return apart


def upright(canvas: Canvas, title: str, place: tuple[float, float], length: float) -> None:
    """The title of an axis, read upwards; in a smaller font where it would be longer than the axis."""
    words = spelled_out(title)
    size = FONT * min(1.0, length / text_width(words, FONT))
    canvas.text([words], place, size=size, anchor="middle", kind="muted", turned=True)
