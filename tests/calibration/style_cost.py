"""What the measures of style cost: 805 prompts of recorded answers, one teacher and base, nine lineages of controls.

python tests/calibration/style_cost.py DIR > tests/calibration/style_cost.md

DIR holds alpaca_eval/responses.parquet. CPU seconds from stored features: words are counted before, and in one thread,
as in the score stage. What students share is made for the first of them; some are measured as if they were the first.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from harness.metrics import AbstractMetric
from harness.panel.side import Side
from harness.panel.texts import reading, replies
from harness.plugins import build
from harness.stats.intervals import evaluate
from harness.testing.panels import Sides, findings
from harness.types import (
    Kind,
    Message,
    Outputs,
    Prompt,
    Request,
    RequestSet,
    Statistic,
    Unavailable,
)

METRICS = (
    "length", "style_profile", "style_transfer", "style_classifier", "ngram_similarity",
    "style_ladder", "phrases",
)  # fmt: skip
TEACHER, BASE = "gpt4_0314", "guanaco-33b"
# one of each lineage
CONTROLS = (
    "guanaco-65b", "gemma-7b-it", "Mistral-7B-Instruct-v0.2", "dbrx-instruct", "cohere", "claude-2",
    "gemini-pro", "Yi-34B-Chat", "Qwen-14B-Chat",
)  # fmt: skip
REPEATS = 5


def recorded(file: Path) -> dict[str, Side]:
    """Every model's answers as a side; prompts that it left out are not answered."""
    import pandas as pd

    table = pd.read_parquet(file).drop_duplicates(["prompt", "model"])
    sources = table.drop_duplicates("prompt").set_index("prompt").source.to_dict()
    wide = table.pivot(index="prompt", columns="model", values="response")
    ids = [hashlib.sha256(p.encode()).hexdigest() for p in wide.index]
    prompts = tuple(Prompt(i, p, i, str(sources[p])) for i, p in zip(ids, wide.index, strict=True))
    asked = tuple(Request(i, "generate", (Message("user", p.text),)) for i, p in enumerate(prompts))
    requests = RequestSet("alpaca_eval", prompts, asked, True, "1", ("text", "style"))
    return {str(m): _side(str(m), requests, list(wide[m])) for m in wide.columns}


def _side(model: str, requests: RequestSet, answers: list[object]) -> Side:
    texts = tuple(a if isinstance(a, str) else None for a in answers)
    n = len(texts)
    none: tuple[None, ...] = (None,) * n
    kind: tuple[Kind, ...] = tuple("generate" for _ in texts)
    there = tuple(t is not None for t in texts)
    outputs = Outputs(
        np.arange(n), kind, np.zeros(n, np.int64), texts, ("unknown",) * n, np.full(n, np.nan), none, none,
        there,
    )  # fmt: skip
    return Side(model, model, requests, outputs, None, (model,))


def evaluated(statistic: Statistic | str) -> None:
    """Evaluates as the score stage does."""
    if not isinstance(statistic, str):
        try:
            evaluate(statistic, np.random.default_rng(0))
        except Unavailable:
            return


class Cost(NamedTuple):
    """CPU seconds of one measure."""

    first: list[float]  # of a student, and of what is the same for all of a teacher and base
    others: list[float]  # of each further student


def spent(metric: AbstractMetric, sides: Sides) -> float:
    """CPU seconds of one student's findings, evaluated."""
    start = time.process_time()
    for item in findings(metric, [sides], np.random.default_rng(0)):
        evaluated(item.statistic)
    return time.process_time() - start


def cost(metric: AbstractMetric, one: Sides, students: Sequence[Side]) -> Cost:
    """The cost of all students, with some of them as the first one."""
    spent(metric, replace(one, student=students[0]))  # imports, and what is cached for good
    first = []
    for k in range(REPEATS):
        fresh = unseen(one)
        first.append(spent(metric, replace(fresh, student=students[k])))
    others = [spent(metric, replace(fresh, student=s)) for s in students[REPEATS:]]
    return Cost(first, others)


def unseen(one: Sides) -> Sides:
    """The same teacher, base and controls with stored features, of whom no measure has seen anything."""
    assert one.teacher is not None
    assert one.base is not None
    return replace(
        one,
        teacher=_unseen(one.teacher),
        base=_unseen(one.base),
        controls=tuple(map(_unseen, one.controls)),
    )


def _unseen(side: Side) -> Side:
    made, stored = replace(side), (replies.__qualname__, reading.__qualname__)
    made.memo.update({k: v for k, v in side.memo.items() if k[0] in stored})
    return made


def spell(seconds: Sequence[float]) -> str:
    """The median, and the smallest."""
    return f"{np.median(seconds):.3f} ({min(seconds):.3f})"


def main() -> None:
    """Times every measure over all models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=int, default=25)
    parser.add_argument("--metrics", nargs="*", default=list(METRICS))
    given = parser.parse_args()
    sides = recorded(given.data / "alpaca_eval" / "responses.parquet")
    one = Sides("alpaca_eval", sides[TEACHER], sides[TEACHER], sides[BASE], "sibling")
    one = replace(one, controls=tuple(sides[c] for c in CONTROLS))
    students = [s for m, s in sides.items() if m not in (TEACHER, BASE, *CONTROLS)][: given.models]
    for side in (sides[TEACHER], sides[BASE], *one.controls, *students):
        reading(side)
    print("# What the measures of style cost\n")
    print("Written by `python tests/calibration/style_cost.py DIR`.")
    print(
        f"CPU seconds, one thread, from stored features: {len(students)} students, {one.student.requests.task} "
        f"({len(one.student.requests.prompts)} prompts), {len(CONTROLS)} control lineages; median (smallest).\n"
    )
    print("| measure | first student, with all that students share | each further student |")
    print("| --- | --- | --- |")
    with threadpool_limits(1):
        for name in given.metrics:
            metric = build("metrics", name, {"kind": name})
            assert isinstance(metric, AbstractMetric)
            first, others = cost(metric, one, students)
            print(f"| {name} | {spell(first)} | {spell(others)} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nPeak memory {peak:.1f} GiB, all texts and their words included.")


if __name__ == "__main__":
    main()
