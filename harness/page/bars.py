"""Intervals as thin bars inside table cells: positions on a scale of 0 to 100. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.types import Score

_ROOM = 0.04  # share of the scale left free at both ends
_LIMIT = (-1.0, 2.0)  # gaps are clipped here: the interval of a small gap may be very wide


@dataclass(frozen=True)
class Scale:
    """The values at the left and right end of every bar of a column."""

    low: float
    high: float
    gap: bool  # 1 is the teacher's level

    def at(self, value: float) -> float:
        """Position of a value, 0 to 100; values outside are clipped."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 1)


@dataclass(frozen=True)
class Bar:
    """Positions of the interval, the point and the guides of one cell, 0 to 100."""

    left: float
    right: float
    point: float
    guides: tuple[float, ...]  # of 0 and, for gaps, 1


def scale(scores: Iterable[Score | None], is_gap: Callable[[Score], bool]) -> Scale:
    """The common scale of a column: holds 0, for gaps also 1, and all intervals within the limit."""
    valued = [s for s in scores if s is not None and s.value is not None]
    gap = any(is_gap(s) for s in valued)
    ends = [0.0, *([1.0] if gap else [])]
    for s in valued:
        ends += [x for x in (s.value, s.low, s.high) if x is not None]
    low, high = min(ends), max(ends)
    if gap:
        low, high = max(low, _LIMIT[0]), min(high, _LIMIT[1])
    room = _ROOM * (high - low) or 0.5
    return Scale(low - room, high + room, gap)


def bar(score: Score, on: Scale) -> Bar:
    """The bar of a score that has a value."""
    if score.value is None:
        raise ValueError("a score without a value has no bar")
    guides = [0.0] if on.low < 0.0 < on.high else []
    guides += [1.0] if on.gap and on.low < 1.0 < on.high else []
    low = score.low if score.low is not None else score.value
    high = score.high if score.high is not None else score.value
    return Bar(on.at(low), on.at(high), on.at(score.value), tuple(on.at(g) for g in guides))
