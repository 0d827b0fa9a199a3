"""Whether style_transfer reads the dose, on real answers: shares of a teacher's replies, exactly known.

python tests/calibration/style_dose.py DIR [--draws N]     DIR holds alpaca_eval/responses.parquet; prints a table

A draw takes n prompts and gives each prompt's two replies of two versions of a teacher to the teacher and to its double
by the toss of a coin, and those of two bases to the base and to its double. The student takes the teacher's double's
reply on a share of the prompts and the base's double's on the others: the truth is that share.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.stats.intervals import Estimate
from harness.testing.panels import Sides
from harness.types import Ints
from tests.calibration.style_answers import Answers, values

DOSES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Cell(NamedTuple):
    """Two versions of a teacher and two bases, of which the first is the one in the matrix."""

    teachers: tuple[str, str]
    bases: tuple[str, str]


CHATGPT = ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")
GPT4 = ("gpt4_0314", "gpt4_0613")
LARGE, SMALL = ("guanaco-33b", "guanaco-65b"), ("guanaco-7b", "guanaco-13b")
CELLS = (
    Cell(CHATGPT, LARGE),
    Cell(CHATGPT, SMALL),
    Cell(CHATGPT, ("Mistral-7B-Instruct-v0.2", "Mistral-7B-Instruct-v0.3")),
    Cell(GPT4, LARGE),
    Cell(("claude-2", "claude-2.1"), SMALL),
    Cell(("text_davinci_003", "text_davinci_001"), SMALL),
)


def tossed(
    answers: Answers, names: tuple[str, str], prompts: Ints, coin: Ints
) -> tuple[Ints, Ints]:
    """Places of each prompt's two replies, dealt out by the coin (P,)."""
    first, second = (answers.rows(m, prompts) for m in names)
    return np.where(coin, first, second), np.where(coin, second, first)


def draw(
    answers: Answers, cell: Cell, n: int, rng: np.random.Generator
) -> dict[float, Estimate | str]:
    """Dose -> what is read."""
    prompts = np.sort(rng.choice(answers.n, n, replace=False))
    teacher, other = tossed(answers, cell.teachers, prompts, rng.integers(2, size=n))
    base, another = tossed(answers, cell.bases, prompts, rng.integers(2, size=n))
    one = Sides(
        "talk",
        answers.side("student", base),
        answers.side("teacher", teacher),
        answers.side("base", base),
        "sibling",
        controls=answers.crowd(cell.teachers[0], cell.bases[0], prompts),
    )
    order, made = rng.random(n), {}
    for dose in DOSES:
        taken = np.where(order < dose, other, another)
        student = answers.side("student", taken)
        made[dose] = values(Sides(**{**vars(one), "student": student}))[""]
    return made


def main() -> None:
    """Prints medians, spread, coverage and the share with a number for every cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--n", type=int, nargs="*", default=[100, 300, 805])
    given = parser.parse_args()
    answers = Answers.load(given.data)
    heads = "teacher versions | base versions | n | medians at 0 .25 .50 .75 1 | sd | coverage | number | width"
    print(f"| {heads} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for n in given.n:
        pooled = []
        for cell in CELLS:
            rng = np.random.default_rng(0)
            drawn = [draw(answers, cell, n, rng) for _ in range(given.draws)]
            print(_row(cell, n, drawn), flush=True)
            pooled += [_covered(d, x) for made in drawn for d, x in made.items()]
        held = [x for x in pooled if x is not None]
        print(f"n = {n}: coverage {np.mean(held):.3f} over {len(held)} numbers", flush=True)


def _covered(dose: float, read: Estimate | str) -> bool | None:
    """Whether the interval holds the dose; None where there is no number."""
    if isinstance(read, str) or read.low is None or read.high is None:
        return None
    return read.low <= dose <= read.high


def _row(cell: Cell, n: int, drawn: list[dict[float, Estimate | str]]) -> str:
    read = {d: [x for made in drawn if not isinstance(x := made[d], str)] for d in DOSES}
    medians = " ".join(f"{np.median([x.value for x in read[d]]):.2f}" for d in DOSES)
    held = {d: [h for x in read[d] if (h := _covered(d, x)) is not None] for d in DOSES}
    coverage = " ".join(f"{np.mean(held[d]):.2f}" for d in DOSES)
    numbers = sum(len(r) for r in read.values()) / len(drawn) / len(DOSES)
    widths = [x.high - x.low for x in read[0.5] if x.high is not None and x.low is not None]
    sd = np.std([x.value for x in read[0.5]])
    names = f"{', '.join(cell.teachers)} | {', '.join(cell.bases)}"
    return f"| {names} | {n} | {medians} | {sd:.2f} | {coverage} | {numbers:.2f} | {np.median(widths):.2f} |"


if __name__ == "__main__":
    main()
