"""Placement of the labels of points, with few overlaps."""

from __future__ import annotations

from collections.abc import Sequence

from harness.figures._marks import Side

_SIDES: tuple[Side, ...] = (
    "top right",
    "bottom right",
    "top left",
    "bottom left",
    "top center",
    "bottom center",
    "middle right",
    "middle left",
)
_PLOT = (540.0, 470.0)  # pixels of the plot on a wide screen, for the size of labels
_Box = tuple[float, float, float, float]  # left, bottom, right, top


def label_sides(
    spots: Sequence[tuple[float, float]],
    names: Sequence[str],
    spans: tuple[tuple[float, float], tuple[float, float]],
    must: Sequence[bool],
) -> list[Side | None]:
    """For every point the side on which its label crosses fewest other points and labels.

    Labels that must stand come first, those with the least room before the others; of the rest those that would cross
    something are left out (None). The points (0, 0) and (1, 1) are taken: base and teacher are there with their own
    labels.
    """
    to_pixels = [_PLOT[i] / (spans[i][1] - spans[i][0]) for i in (0, 1)]
    pixels = [
        ((x - spans[0][0]) * to_pixels[0], (y - spans[1][0]) * to_pixels[1])
        for x, y in (*spots, (0.0, 0.0), (1.0, 1.0))
    ]
    base, teacher = pixels[-2:]
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in pixels]
    taken += [
        _label_box(*base, "top right", (36, 16)),
        _label_box(*teacher, "top center", (136, 16)),
    ]
    boxes = [_boxes(at, name) for at, name in zip(pixels, names, strict=False)]

    def cost(i: int, side: Side) -> int:
        return _cost(boxes[i][side], [*taken[:i], *taken[i + 1 :]])  # it may touch its own point

    free = [sum(not cost(i, side) for side in _SIDES) for i in range(len(names))]
    chosen: list[Side | None] = [None] * len(names)
    for i in sorted(range(len(names)), key=lambda i: (not must[i], free[i])):
        best = min(_SIDES, key=lambda side: (cost(i, side), _SIDES.index(side)))
        if must[i] or not cost(i, best):
            chosen[i] = best
            taken.append(boxes[i][best])
    return chosen


def _boxes(at: tuple[float, float], name: str) -> dict[Side, _Box]:
    lines = name.split("\n")
    size = (7.2 * max(map(len, lines)), 17.0 * len(lines))
    return {side: _label_box(*at, side, size) for side in _SIDES}


def _cost(box: _Box, taken: Sequence[_Box]) -> int:
    """How many other boxes it crosses; a name that leaves the frame is cut, which counts as four."""
    outside = box[0] < 0 or box[2] > _PLOT[0] or box[1] < 0 or box[3] > _PLOT[1]
    return sum(_cross(box, t) for t in taken) + 4 * outside


def _label_box(x: float, y: float, side: Side, size: tuple[float, float]) -> _Box:
    """The box of a label beside a point, in pixels."""
    width, height = size
    vertical, horizontal = side.split()
    left = {"right": x + 9, "left": x - width - 9, "center": x - width / 2}[horizontal]
    bottom = {"top": y + 6, "bottom": y - height - 6, "middle": y - height / 2}[vertical]
    return left, bottom, left + width, bottom + height


def _cross(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
