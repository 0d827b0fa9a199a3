"""The calibration script still runs, and its committed table meets the bars for every cell."""

from __future__ import annotations

from tests.calibration.interval_cells import interval_cells
from tests.calibration.p_cells import p_cells
from tests.calibration.simulate import (
    LARGEST_RATE,
    LEAST_COVERAGE,
    SIZES,
    TABLE,
    interval_row,
    p_row,
    table,
)


def committed() -> tuple[dict[tuple[str, int], float], dict[tuple[str, int], float]]:
    """(what, n) -> rate of the intervals and of the p-values."""
    intervals, p_values = TABLE.read_text(encoding="utf-8").split("## p-values")
    return _rates(intervals), _rates(p_values)


def _rates(text: str) -> dict[tuple[str, int], float]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {(row[0], int(row[1])): float(row[2]) for row in rows if row[1].isdigit()}


def test_committed_table_has_every_cell_and_meets_the_bars() -> None:
    intervals, p_values = committed()
    assert set(intervals) == {(what, n) for what in interval_cells() for n in SIZES}
    assert set(p_values) == {(what, n) for what, (sizes, _) in p_cells().items() for n in sizes}
    assert min(intervals.values()) >= LEAST_COVERAGE
    assert max(p_values.values()) <= LARGEST_RATE


def test_same_seed_same_rates() -> None:
    first = [p_row("conformal (models)", 19, 40), interval_row("share 0.5", 100, 40)]
    again = [p_row("conformal (models)", 19, 40), interval_row("share 0.5", 100, 40)]
    assert first == again
    assert 0.8 <= first[1].rate <= 1.0
    assert "| share 0.5 | 100 |" in table(first[1:], first[:1], 40)
