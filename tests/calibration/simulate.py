"""Shows by simulation that p-values and intervals do what they promise; writes table.md beside this file.

Run by hand: `python tests/calibration/simulate.py` (`--draws 200 --table /tmp/table.md` for a quick look).
A p-value may be at most .05 in at most .065 of the draws in which nothing is to be found; a 95 % interval has to hold
the truth in at least .93. A set without bounds counts as holding it; its share is printed.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.calibration.interval_cells import interval_cells
from tests.calibration.p_cells import p_cells
from tests.calibration.populations import population_value

SIZES = (100, 300, 1000)
TABLE = Path(__file__).with_name("table.md")
LARGEST_RATE, LEAST_COVERAGE = 0.065, 0.93


class Row(NamedTuple):
    """One simulated cell."""

    what: str
    n: int
    rate: float  # p-values: share of draws at most .05; intervals: share that hold the truth
    unbounded: float = 0.0  # intervals: share of draws without bounds
    width: float = np.inf  # intervals: median of the bounded ones


def interval_row(what: str, n: int, draws: int) -> Row:
    """How often an interval holds the truth."""
    truth, bounds = interval_cells()[what]
    value = truth if isinstance(truth, float) else population_value(truth)
    rng = _rng(what, n)
    ends = np.array([bounds(rng, n) for _ in range(draws)])
    width = ends[:, 1] - ends[:, 0]
    bounded = width[np.isfinite(width)]
    hits = (ends[:, 0] <= value) & (value <= ends[:, 1])
    median = float(np.median(bounded)) if len(bounded) else np.inf
    return Row(what, n, float(hits.mean()), 1 - len(bounded) / draws, median)


def p_row(what: str, n: int, draws: int) -> Row:
    """How often a p-value is at most .05 where nothing is to be found."""
    _, p_value = p_cells()[what]
    rng = _rng(what, n)
    return Row(what, n, float(np.mean([p_value(rng, n) <= 0.05 + 1e-12 for _ in range(draws)])))


def _rng(what: str, n: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(what.encode()), n])


def table(intervals: list[Row], p_values: list[Row], draws: int) -> str:
    """The rows as Markdown, with the least favourable of each kind on top."""
    worst = sorted(intervals, key=lambda r: r.rate)[:1]
    most = sorted(p_values, key=lambda r: -r.rate)[:1]
    lines = [
        "# Calibration",
        "",
        f"Written by `python tests/calibration/simulate.py`; {draws} draws in each cell, seeded by its name.",
        *(
            f"Least coverage {r.rate:.4f} ({r.what}, n = {r.n}); the bar is {LEAST_COVERAGE}."
            for r in worst
        ),
        *(
            f"Largest false-positive rate {r.rate:.4f} ({r.what}, n = {r.n}); the bar is {LARGEST_RATE}."
            for r in most
        ),
        "",
        "## 95 % intervals",
        "",
        "| interval | n | holds the truth | without bounds | median width of the others |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {r.what} | {r.n} | {r.rate:.3f} | {r.unbounded:.3f} | {_width(r.width)} |"
            for r in intervals
        ),
        "",
        "## p-values at .05 where nothing is to be found",
        "",
        "n = prompts, or control lineages where marked (models).",
        "",
        "| p-value | n | false positives |",
        "| --- | ---: | ---: |",
        *(f"| {r.what} | {r.n} | {r.rate:.4f} |" for r in p_values),
    ]
    return "\n".join(lines) + "\n"


def _width(width: float) -> str:
    return f"{width:.3g}" if np.isfinite(width) else "none bounded"


def main() -> int:
    """0 where every bar is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="cells with this in their name")
    parser.add_argument("--table", type=Path, default=TABLE)
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.workers) as pool:
        names = [what for what in interval_cells() if chosen.only in what]
        intervals = [
            pool.submit(interval_row, what, n, chosen.draws) for what in names for n in SIZES
        ]
        tests = [
            (what, n)
            for what, (sizes, _) in p_cells().items()
            if chosen.only in what
            for n in sizes
        ]
        p_values = [pool.submit(p_row, what, n, chosen.draws) for what, n in tests]
        interval_rows, p_rows = [f.result() for f in intervals], [f.result() for f in p_values]
    chosen.table.write_text(table(interval_rows, p_rows, chosen.draws), encoding="utf-8")
    missed = [r for r in interval_rows if r.rate < LEAST_COVERAGE] + [
        r for r in p_rows if r.rate > LARGEST_RATE
    ]
    for row in missed:
        print(f"bar missed: {row.what}, n = {row.n}: {row.rate:.4f}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
