"""Placement of names on a plot: none lies on another, on a mark, or beyond the frame.

Pixels count from the lower left corner of the plot, to the right and upwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.figures._glyphs import text_size
from harness.figures._marks import Name
from harness.types import Floats

_EDGE = 2.0  # pixels that a name keeps from the frame
_GAP = 4.0  # and from a mark beside it
_RINGS = (
    14.0,
    24.0,
    38.0,
    54.0,
    72.0,
    94.0,
    120.0,
    150.0,
    180.0,
)  # pixels from a point to its name
_ANGLES = tuple(2 * math.pi * i / 24 for i in range(24))


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Plot:
    """A plot of a given size, over given ranges of numbers."""

    width: float
    height: float
    x_span: tuple[float, float]
    y_span: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixels of two numbers."""
        return (
            self.width * (x - self.x_span[0]) / (self.x_span[1] - self.x_span[0]),
            self.height * (y - self.y_span[0]) / (self.y_span[1] - self.y_span[0]),
        )

    def mark(
        self,
        place: tuple[float, float],
        size: float,
        ends: Sequence[tuple[float | None, float | None]] = (),
    ) -> list[Box]:
        """The boxes of a point of `size` pixels and of its intervals along x and y, where it has them."""
        x, y = self.at(*place)
        half = size / 2 + 1
        boxes = [Box(x - half, y - half, x + half, y + half)]
        for axis, (low, high) in enumerate(ends):
            if low is not None and high is not None:
                first, last = (
                    self.at(*((end, place[1]) if axis == 0 else (place[0], end)))
                    for end in (low, high)
                )
                boxes.append(Box(first[0] - 1, first[1] - 1, last[0] + 1, last[1] + 1))
        return boxes


@dataclass(frozen=True)
class Wanted:
    """A name that is to be placed: at one of some places, or around a point."""

    text: str
    size: float  # of the font, in pixels
    point: tuple[float, float]  # in pixels
    reach: float = 7.0  # radius of the point's mark
    # middles of the text in the order in which they are tried; () = around the point, at growing distances
    middles: tuple[tuple[float, float], ...] = ()
    rank: int = 0  # the lowest are placed first


def name_of(want: Wanted, spot: Spot, plot: Plot, *, role: str = "", quiet: bool = False) -> Name:
    """A placed name, by its distance from the number that it belongs to."""
    spans, lengths = (plot.x_span, plot.y_span), (plot.width, plot.height)
    x, y = (
        span[0] + (span[1] - span[0]) * at / length
        for span, at, length in zip(spans, want.point, lengths, strict=True)
    )
    shift = (spot.middle[0] - want.point[0], spot.middle[1] - want.point[1])
    return Name(want.text, x, y, shift, spot.leader, role, quiet, want.size)


class Spot(NamedTuple):
    """Where a name stands."""

    middle: tuple[float, float]
    leader: bool  # a line leads from the point to it


def text_box(middle: tuple[float, float], text: str, size: float) -> Box:
    """The box of a text around its middle."""
    width, height = text_size(text, size)
    x, y = middle
    return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def place_names(wanted: Sequence[Wanted], marks: Sequence[Box], plot: Plot) -> list[Spot | None]:
    """A place for each name, where it crosses no mark, no name, no leader and not the frame; None where there is none.

    Those of the lowest rank are placed first, and among them those with the least room.
    """
    taken = [*marks]
    tried = [list(_tries(w)) for w in wanted]
    room = [_free(w, spots, taken, plot) for w, spots in zip(wanted, tried, strict=True)]
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i].rank, len(room[i]), i))
    placed: list[Spot | None] = [None] * len(wanted)
    for i in order:
        free = _free(wanted[i], room[i], taken, plot)
        spot = next((s for s in free if not _led_across(wanted[i], s, taken[len(marks) :])), None)
        if spot is not None:
            placed[i] = spot
            taken.append(text_box(spot.middle, wanted[i].text, wanted[i].size))
            taken += _leader(wanted[i], spot)
    return placed


def _tries(wanted: Wanted) -> Iterator[Spot]:
    """Places for a name, the best first."""
    for middle in wanted.middles:
        yield Spot(middle, False)
    if wanted.middles:
        return
    width, height = text_size(wanted.text, wanted.size)
    x, y = wanted.point
    right, up = wanted.reach + _GAP + width / 2, wanted.reach + height / 2
    beside = ((1, 0.8), (1, -0.8), (-1, 0.8), (-1, -0.8), (0, 1.1), (0, -1.1), (1, 0), (-1, 0))
    for across, along in beside:
        yield Spot((x + across * right, y + along * up), False)
    for ring in _RINGS:
        far = ring + wanted.reach
        for angle in _ANGLES:
            step = math.cos(angle) * (far + width / 2), math.sin(angle) * (far + height / 2)
            yield Spot((x + step[0], y + step[1]), True)


def _free(wanted: Wanted, spots: Sequence[Spot], taken: Sequence[Box], plot: Plot) -> list[Spot]:
    """The places where a name lies inside the frame and on nothing that is there."""
    if not spots:
        return []
    half = np.array(text_size(wanted.text, wanted.size)) / 2
    middles = np.array([s.middle for s in spots])
    boxes = np.concatenate((middles - half, middles + half), axis=1)
    inside = (boxes[:, 0] >= _EDGE) & (boxes[:, 2] <= plot.width - _EDGE)
    inside &= (boxes[:, 1] >= _EDGE) & (boxes[:, 3] <= plot.height - _EDGE)
    crossed = _crossed(boxes, np.array(taken, dtype=float).reshape(-1, 4))
    return [
        spot
        for spot, fits, crosses in zip(spots, inside.tolist(), crossed, strict=True)
        if fits and not crosses
    ]


def _crossed(boxes: Floats, others: Floats) -> list[bool]:
    """Which of the boxes (n, 4) cross one of the others (m, 4)."""
    a, b = boxes[:, None], others[None]
    apart: NDArray[np.bool_] = (a[..., 0] >= b[..., 2]) | (b[..., 0] >= a[..., 2])
    apart |= (a[..., 1] >= b[..., 3]) | (b[..., 1] >= a[..., 3])
    crosses: list[bool] = np.any(~apart, axis=1).tolist()
    return crosses


def _leader(wanted: Wanted, spot: Spot) -> list[Box]:
    """Small boxes along the line from the mark towards the middle of the name; none where there is no line."""
    if not spot.leader:
        return []
    box = text_box(spot.middle, wanted.text, wanted.size)
    (x, y), (to_x, to_y) = wanted.point, spot.middle
    steps = max(2, round(math.dist(wanted.point, spot.middle) / 3))
    points = [(x + (to_x - x) * k / steps, y + (to_y - y) * k / steps) for k in range(steps)]
    return [
        Box(px - 1.5, py - 1.5, px + 1.5, py + 1.5)
        for px, py in points
        if math.dist((px, py), wanted.point) > wanted.reach
        and not (box.left < px < box.right and box.bottom < py < box.top)
    ]


def _led_across(wanted: Wanted, spot: Spot, names: Sequence[Box]) -> bool:
    """Whether the line to a name crosses names or lines that stand."""
    line = _leader(wanted, spot)
    return bool(line and names) and any(_crossed(np.array(line), np.array(names)))
