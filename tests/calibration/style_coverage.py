"""How often the interval of style_transfer holds the truth, on real answers of real models.

python tests/calibration/style_coverage.py DIR     DIR holds alpaca_eval/responses.parquet; prints a table

A draw takes prompts at random and gives each prompt's two replies, of two models of one family, to student and base by
the toss of a coin; with probability `same` both get the same reply. Student and base then write alike, whatever the
teacher: the truth is exactly 0.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.metrics.style_transfer import StyleTransfer
from harness.stats.intervals import evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import text_side
from harness.types import Unavailable

METRIC = StyleTransfer("style_transfer", "style_transfer")


class Cell(NamedTuple):
    """Two models alike, a teacher, the number of prompts, and how often student and base say the same."""

    one: str
    other: str
    teacher: str
    n: int
    same: float


CELLS = tuple(
    Cell(*models, n, same)
    for models in (
        ("guanaco-33b", "guanaco-65b", "gpt4_0314"),
        ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "text_davinci_003"),
    )
    for n in (100, 300)
    for same in (0.0, 0.5, 0.9, 0.98)
)


def covered(
    answers: dict[str, list[str]], cell: Cell, rng: np.random.Generator
) -> tuple[bool, float]:
    """Whether the interval of one draw holds 0, and its width; no interval counts as holding it, with width inf."""
    picked = rng.choice(len(answers[cell.one]), cell.n, replace=False)
    first, second, taught = (
        [answers[m][i] for i in picked] for m in (cell.one, cell.other, cell.teacher)
    )
    second = [
        a if same else b
        for a, b, same in zip(first, second, rng.random(cell.n) < cell.same, strict=True)
    ]
    swap = rng.random(cell.n) < 0.5
    student = [b if s else a for a, b, s in zip(first, second, swap, strict=True)]
    base = [a if s else b for a, b, s in zip(first, second, swap, strict=True)]
    sides = Sides("open", text_side("s", student), text_side("t", taught), text_side("b", base))
    try:
        (found, *_) = findings(METRIC, [sides], rng)
        assert not isinstance(found.statistic, str)
        estimate = evaluate(found.statistic, np.random.default_rng(0))
    except Unavailable:
        return True, float("inf")
    if estimate.low is None or estimate.high is None:
        return True, float("inf")
    return estimate.low <= 0 <= estimate.high, estimate.high - estimate.low


def main() -> None:
    """Prints coverage and median width of every cell."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=300)
    given = parser.parse_args()
    table = pd.read_parquet(given.data / "alpaca_eval" / "responses.parquet").drop_duplicates(
        ["prompt", "model"]
    )
    wide = table.pivot(index="prompt", columns="model", values="response").sort_index().fillna("")
    answers = {str(m): [str(x) for x in wide[m]] for m in wide.columns}
    print(
        "| models | teacher | n | same | coverage | median width |\n| --- | --- | --- | --- | --- | --- |"
    )
    for cell in CELLS:
        rng = np.random.default_rng(0)
        drawn = [covered(answers, cell, rng) for _ in range(given.draws)]
        share, width = np.mean([c for c, _ in drawn]), np.median([w for _, w in drawn])
        names = f"{cell.one}, {cell.other} | {cell.teacher}"
        print(f"| {names} | {cell.n} | {cell.same} | {share:.3f} | {width:.3f} |", flush=True)


if __name__ == "__main__":
    main()
