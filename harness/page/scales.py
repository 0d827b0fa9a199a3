"""Numbers to pixels: scales, the areas of a figure that have two of them, and the ticks of an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.board.numerals import fixed

Span = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """The pixels of numbers between two ends; an axis may be logarithmic, its span then holds powers of ten."""

    span: Span
    start: float  # pixels of the lower end of the span
    end: float
    logarithmic: bool = False

    def __call__(self, number: float) -> float:
        """The pixel of a number."""
        at = math.log10(number) if self.logarithmic else number
        low, high = self.span
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def within(self, number: float) -> float:
        """The pixel of a number, or of the end beyond which it lies."""
        low, high = sorted((self.start, self.end))
        return min(max(self(number), low), high)


@dataclass(frozen=True)
class Area:
    """The part of a figure between two axes."""

    x: Scale
    y: Scale  # from the lowest number at the bottom, or from the first row at the top

    @property
    def left(self) -> float:
        """Pixels from the left of the figure."""
        return self.x.start

    @property
    def right(self) -> float:
        """Pixels from the left of the figure."""
        return self.x.end

    @property
    def top(self) -> float:
        """Pixels from the top of the figure."""
        return min(self.y.start, self.y.end)

    @property
    def bottom(self) -> float:
        """Pixels from the top of the figure."""
        return max(self.y.start, self.y.end)


def span_of(numbers: Iterable[float], from_zero: bool) -> Span:
    """The numbers with a little room at the ends that are not zero."""
    every = [*numbers, *([0.0] if from_zero else [])] or [0.0, 1.0]
    low, high = min(every), max(every)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    zero_low, zero_high = from_zero and low == 0, from_zero and low < high == 0
    return low if zero_low else low - room, high if zero_high else high + room


def ticks(span: Span, most: int) -> list[tuple[float, str]]:
    """At most `most` round numbers of a span, with their words."""
    low, high = span
    rough = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough * (1 - 1e-9))
    return stepped(span, step)


def stepped(span: Span, step: float) -> list[tuple[float, str]]:
    """The multiples of a step in a span, with their words."""
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    places += (
        abs(round(step, places) - step) > step * 1e-6
    )  # a step of 0.25 has a digit more than 0.2
    first, last = math.ceil(span[0] / step - 1e-9), math.floor(span[1] / step + 1e-9)
    return [(k * step, fixed(k * step, places)) for k in range(first, last + 1)]
