"""CAPA and error consistency of every two of many models, beside lm-sim and a plain loop.

    python -m tests.bench.agreement [--models N] [--questions N] [--options N] [--pairs N] [--rounds N]

Random predictions of the size of MMLU-Pro. The others are asked for a few pairs, in turns with this package, since all
pairs would take lm-sim hours; their seconds a pair count for the rest. Everybody gets the values in the form that it
takes. Writes FOLDER/agreement.md, .json and .svg; 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.metrics.error_consistency import error_consistency
from harness.panel.agreement import pairwise_kappa
from harness.panel.choices import AlignedChoices
from harness.types import Floats, Ints, Prompt
from tests.bench.plot import Ratio, picture
from tests.bench.run import Spread, processor, write_results

T = TypeVar("T")
LONGEST_S, TIMES = 10.0, 100.0


def choices_of(models: int, questions: int, options: int) -> AlignedChoices:
    """Random predictions."""
    rng = np.random.default_rng(0)
    probabilities = rng.gamma(0.3, size=(models, questions, options))
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    gold = rng.integers(0, options, questions)
    prompts = tuple(
        Prompt(f"q{i}", f"q{i}", f"q{i}", "", options, int(g)) for i, g in enumerate(gold)
    )
    names = tuple(f"m{i}" for i in range(models))
    answered = np.ones((models, questions), dtype=bool)
    chosen = probabilities.argmax(axis=2)
    return AlignedChoices(prompts, names, names, models, probabilities, chosen, answered, answered)


def plain_capa(first: Floats, second: Floats, gold: Ints) -> float:
    """CAPA of two models' probabilities (Q, K), as a user of numpy would write it. Source: Goel et al. 2025."""
    rows, options = np.arange(len(gold)), first.shape[1]
    right = [float(p[rows, gold].mean()) for p in (first, second)]
    observed = float((first * second).sum(axis=1).mean())
    wrong = [1 - r for r in right]
    expected = right[0] * right[1] + wrong[0] * wrong[1] / (options - 1)
    return float((observed - expected) / (1 - expected))


def timed(make: Callable[[], T]) -> tuple[T, float]:
    """What is made, and the seconds that it takes."""
    started = time.perf_counter()
    made = make()
    return made, time.perf_counter() - started


def measure(choices: AlignedChoices, n_pairs: int, rounds: int) -> list[dict[str, Any]]:
    """Both measures: seconds for all pairs, and how many times as long the others would take."""
    lm_sim: Any = importlib.import_module("lmsim.metrics")
    pairs = list(itertools.combinations(range(len(choices.models)), 2))
    right, gold = choices.right.astype(np.float64), choices.gold
    lists, listed = [list(p) for p in choices.probabilities], gold.tolist()
    few, values = pairs[:n_pairs], choices.probabilities
    capa, consistency = lm_sim.CAPA(prob=True), lm_sim.EC()
    return [
        _compared(
            "CAPA",
            rounds,
            lambda: pairwise_kappa(choices),
            lambda: [capa.compute_k(lists[i], lists[j], listed) for i, j in few],
            lambda: [plain_capa(values[i], values[j], gold) for i, j in few],
            (pairs, few),
        ),
        _compared(
            "error consistency",
            rounds,
            lambda: {(i, j): error_consistency(right[i], right[j]) for i, j in pairs},
            lambda: [consistency.compute_k(lists[i], lists[j], listed) for i, j in few],
            None,  # a plain loop is what this package has
            (pairs, few),
        ),
    ]


def _compared(
    what: str,
    rounds: int,
    ours: Callable[[], Any],
    theirs: Callable[[], list[float]],
    plain: Callable[[], list[float]] | None,
    asked: tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]],
) -> dict[str, Any]:
    """One measure, in turns; of `asked` this package computes all pairs, the others the few."""
    pairs, few = asked
    own_s, their_times, plain_times, furthest = list[float](), list[float](), list[float](), 0.0
    for _ in range(rounds):
        own, seconds = timed(ours)
        own_s.append(seconds)
        for make, times in ((theirs, their_times), (plain, plain_times)):
            if make is not None:
                values, took = timed(make)
                times.append(took * len(pairs) / len(few) / seconds)
                apart = (abs(float(own[p]) - v) for p, v in zip(few, values, strict=True))
                furthest = max(furthest, *apart)
    return {
        "what": what,
        "pairs": len(pairs),
        "seconds": Spread.of(own_s),
        "lm_sim_times": Spread.of(their_times),
        "plain_times": Spread.of(plain_times) if plain_times else None,
        "furthest": furthest,
    }


def table(results: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """The results as Markdown."""
    told = ", ".join(f"{key}: {value}" for key, value in about.items())
    lines = [
        "# Agreement of every two models",
        "",
        told,
        "",
        "| measure | pairs | seconds | lm-sim takes, times as long | a plain loop in numpy | largest difference |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in results:
        plain = "the same" if r["plain_times"] is None else _times(r["plain_times"])
        cells = [r["what"], r["pairs"], f"{r['seconds'].median:.2f}", _times(r["lm_sim_times"])]
        lines.append(f"| {' | '.join(map(str, cells))} | {plain} | {r['furthest']:.0e} |")
    return "\n".join([*lines, ""])


def _times(spread: Spread) -> str:
    """A ratio over rounds, in whole numbers."""
    return f"{spread.median:,.0f} ({spread.low:,.0f} to {spread.high:,.0f})"


def main() -> int:
    """Measures and writes."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = {"models": 100, "questions": 12_032, "options": 10, "pairs": 3, "rounds": 3}
    for name, default in numbers.items():
        ask.add_argument(f"--{name}", type=int, default=default)
    ask.add_argument("--out", type=Path, default=Path("results/bench"))
    asked = ask.parse_args()
    choices = choices_of(asked.models, asked.questions, asked.options)
    results = measure(choices, asked.pairs, asked.rounds)
    about = {"processor": processor(), **{name: getattr(asked, name) for name in numbers}}
    write_results(asked.out, "agreement", table(results, about), about, results)
    spreads = [(f"{r['what']}, lm-sim", r["lm_sim_times"]) for r in results]
    rows = [Ratio(name, t.median, t.low, t.high, TIMES) for name, t in spreads]
    title = "How many times as long lm-sim takes (dot: median; tick: what it should be)"
    (asked.out / "agreement.svg").write_text(picture(title, rows), "utf-8")
    print(table(results, about))
    slow = sum(r["seconds"].median for r in results) > LONGEST_S
    return int(slow or any(r["lm_sim_times"].median < TIMES for r in results))


if __name__ == "__main__":
    sys.exit(main())
