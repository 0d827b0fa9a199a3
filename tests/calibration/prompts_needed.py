"""How wide intervals are at n prompts, by the package's own statistics: the table of docs/how_many_prompts.md.

python -m tests.calibration.prompts_needed     writes the table into the page
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from harness.stats.intervals import evaluate
from harness.stats.means import share_interval
from harness.stats.paired import compare_values
from harness.types import Ratio, RatioStratum, Unavailable

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "how_many_prompts.md"
PROMPTS = (20, 50, 100, 200, 500, 1000, 2000)
HEADS = (
    "prompts",
    "50 % right: ±",
    "80 % right: ±",
    "least difference found, two models differ on 10 % of prompts",
    "the same, on 20 %",
    "capability transfer: ±",
)
BASE, STUDENT, TEACHER = 0.3, 0.6, 0.8  # shares right of the last column
DRAWS = 40


def half_width(right: float, n: int) -> float:
    """Half the 95 % interval of a share of n prompts."""
    values = (np.arange(n) < round(right * n)).astype(float)
    found = share_interval(values)
    return (found.high - found.low) / 2


def detectable(differing: float, n: int) -> float | None:
    """Least difference of two models that four runs of five find, where they differ on so many prompts by chance."""
    first, second = np.zeros(n), np.zeros(n)
    k = round(differing * n)
    first[: k // 2], second[k // 2 : k] = 1, 1
    return compare_values(first, second, np.arange(n)).spread.detectable()


def transfer_half_width(n: int) -> float | None:
    """The same of a student at .6 between a base at .3 and a teacher at .8, whose answers are independent.

    The median of so many draws; None where in half of them the gap is within noise.
    """
    rng = np.random.default_rng(0)
    found = [_one_transfer(n, rng) for _ in range(DRAWS)]
    known = sorted(h for h in found if h is not None)
    return float(np.median(known)) if len(known) > DRAWS / 2 else None


def _one_transfer(n: int, rng: np.random.Generator) -> float | None:
    student, teacher, base = ((rng.random(n) < p).astype(float) for p in (STUDENT, TEACHER, BASE))
    ids = tuple(f"p{i}" for i in range(n))
    stratum = RatioStratum(student - base, teacher - base, ids, ids)
    try:
        made = evaluate(Ratio((stratum,)), rng)
    except Unavailable:
        return None
    if made.low is None or made.high is None:
        return None
    return (made.high - made.low) / 2


def table() -> str:
    """The whole table, as Markdown."""
    rows = [f"| {' | '.join(HEADS)} |", f"|{' ---: |' * len(HEADS)}"]
    for n in PROMPTS:
        losses = [detectable(d, n) for d in (0.1, 0.2)]
        cells = [
            f"{n:,}",
            *(_points(half_width(share, n)) for share in (0.5, 0.8)),
            *(_points(loss) for loss in losses),
            _share(transfer_half_width(n)),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _points(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} points"


def _share(value: float | None) -> str:
    return "within noise" if value is None else f"{value:.2f}"


def main() -> None:
    """Writes the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    whole = re.sub(r"^\| prompts \|.*?(?=\n\n)", lambda _: table(), text, flags=re.M | re.S)
    PAGE.write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main()
