"""Axes of numbers that are all the same."""

from __future__ import annotations

import pytest

from harness.page.scales import span_of, ticks


@pytest.mark.parametrize("from_zero", [True, False])
@pytest.mark.parametrize(
    "numbers", [[], [0.0], [0.0, 0.0], [2.0, 2.0], [-1.0], [-1.0, 0.0]], ids=str
)
def test_every_axis_has_a_length(numbers: list[float], from_zero: bool) -> None:
    low, high = span_of(numbers, from_zero)
    assert low < high
    assert all(low <= n <= high for n in numbers)
    assert ticks((low, high), 4)
