"""CAPA and error consistency of every two of many models, beside lm-sim: python -m tests.bench.agreement

    python -m tests.bench.agreement [--models N] [--questions N] [--options N] [--pairs N]

Random predictions of the size of MMLU-Pro. lm-sim is asked for a few pairs, since all of them would take it hours; its
seconds a pair count for the others. Both are given the values in the form that they take.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from harness.metrics.error_consistency import error_consistency
from harness.panel.agreement import pairwise_kappa
from harness.panel.choices import AlignedChoices
from harness.types import Prompt

T = TypeVar("T")
lm_sim: Any = importlib.import_module("lmsim.metrics")
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


def timed(make: Callable[[], T]) -> tuple[T, float]:
    """What is made, and the seconds that it takes."""
    started = time.perf_counter()
    return make(), time.perf_counter() - started


def main() -> int:
    """Prints both times and their ratios; 1 where a bar is missed."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("models", 100), ("questions", 12_032), ("options", 10), ("pairs", 3)):
        ask.add_argument(f"--{name}", type=int, default=default)
    asked = ask.parse_args()
    choices = choices_of(asked.models, asked.questions, asked.options)
    pairs = list(itertools.combinations(range(asked.models), 2))
    right, gold = choices.right.astype(np.float64), choices.gold.tolist()
    rows = [list(p) for p in choices.probabilities]
    few = pairs[: asked.pairs]
    makes: dict[str, tuple[Callable[[], Any], Any]] = {
        "CAPA": (lambda: pairwise_kappa(choices), lm_sim.CAPA(prob=True)),
        "error consistency": (
            lambda: {(i, j): error_consistency(right[i], right[j]) for i, j in pairs},
            lm_sim.EC(),
        ),
    }
    missed, whole_s = False, 0.0
    for what, (all_of_ours, theirs) in makes.items():
        mine, mine_s = timed(all_of_ours)
        started = time.perf_counter()
        other = [theirs.compute_k(rows[i], rows[j], gold) for i, j in few]
        other_s = (time.perf_counter() - started) * len(pairs) / len(few)
        worst = max(abs(float(mine[p]) - k) for p, k in zip(few, other, strict=True))
        print(
            f"{what} of {len(pairs)} pairs: {mine_s:.1f} s; lm-sim would take {other_s:.0f} s, "
            f"{other_s / mine_s:.0f} x (bar {TIMES:g} x); largest difference {worst:.0e}"
        )
        missed |= other_s / mine_s < TIMES
        whole_s += mine_s
    print(f"both: {whole_s:.1f} s; bar {LONGEST_S:g} s")
    return int(missed or whole_s > LONGEST_S)


if __name__ == "__main__":
    sys.exit(main())
