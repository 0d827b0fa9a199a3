"""What the measures of style cost: 100 models x 805 prompts of recorded answers, one teacher, one base.

python tests/calibration/style_cost.py DIR     DIR holds alpaca_eval/responses.parquet; prints a table of seconds
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.side import Side
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
CONTROLS = ("guanaco-65b", "gemma-7b-it", "Mistral-7B-Instruct-v0.2", "dbrx-instruct", "cohere")


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


def main() -> None:
    """Times every measure over all models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--metrics", nargs="*", default=list(METRICS))
    given = parser.parse_args()
    sides = recorded(given.data / "alpaca_eval" / "responses.parquet")
    one = Sides("alpaca_eval", sides[TEACHER], sides[TEACHER], sides[BASE], "sibling")
    one = replace(one, controls=tuple(sides[c] for c in CONTROLS))
    spent: dict[str, float] = defaultdict(float)
    first: dict[str, float] = {}
    wall = time.perf_counter()
    students = [m for m in sides if m not in (TEACHER, BASE)][: given.models]
    # The score stage asks one measure of all models before it comes to the next.
    for name in given.metrics:
        metric = build("metrics", name, {"kind": name})
        assert isinstance(metric, AbstractMetric)
        for student in students:
            start = time.process_time()
            try:
                found = findings(
                    metric, [replace(one, student=sides[student])], np.random.default_rng(0)
                )
            except Unavailable as error:
                print(f"{name} {student}: {error}")
                continue
            for item in found:
                evaluated(item.statistic)
            spent[name] += time.process_time() - start
            first.setdefault(name, spent[name])
        print(
            f"{name:20s} {spent[name]:7.1f} CPU s (first model {first.get(name, 0.0):.1f})",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    total, waited = sum(spent.values()), time.perf_counter() - wall
    print(f"{len(students)} models: {total:.1f} CPU s, {waited:.1f} s, peak {peak:.1f} GiB")


if __name__ == "__main__":
    main()
