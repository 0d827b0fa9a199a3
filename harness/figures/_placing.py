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
_PLOT = (560.0, 470.0)  # pixels of the plot on a wide screen, for the size of labels
_Box = tuple[float, float, float, float]  # left, bottom, right, top


def label_sides(
    spots: Sequence[tuple[float, float]],
    names: Sequence[str],
    spans: tuple[tuple[float, float], tuple[float, float]],
) -> list[Side]:
    """For every point the side on which its label crosses fewest other points and labels, chosen in order.

    The points (0, 0) and (1, 1) are taken: base and teacher are there with their own labels.
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
    chosen: list[Side] = []
    for (x, y), name in zip(pixels[:-2], names, strict=True):
        lines = name.split("\n")
        size = (7.2 * max(map(len, lines)), 17.0 * len(lines))
        boxes = {side: _label_box(x, y, side, size) for side in _SIDES}
        outside = {s: b[2] > _PLOT[0] + 8 or b[0] < 0 for s, b in boxes.items()}
        crossings = {s: sum(_cross(b, t) for t in taken) for s, b in boxes.items()}
        best = min(_SIDES, key=lambda s: (crossings[s] + 2 * outside[s], _SIDES.index(s)))
        chosen.append(best)
        taken.append(boxes[best])
    return chosen


def _label_box(x: float, y: float, side: Side, size: tuple[float, float]) -> _Box:
    """The box of a label beside a point, in pixels."""
    width, height = size
    vertical, horizontal = side.split()
    left = {"right": x + 9, "left": x - width - 9, "center": x - width / 2}[horizontal]
    bottom = {"top": y + 6, "bottom": y - height - 6, "middle": y - height / 2}[vertical]
    return left, bottom, left + width, bottom + height


def _cross(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
