"""Measures of style on recorded replies of real models whose teachers are documented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import plugins
from harness.metrics.ngram_similarity import BITS, SIZES
from harness.panel.side import Side
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import blank_outputs
from harness.text.grams import word_grams
from harness.text.likeness import similarity
from harness.text.segment import read
from harness.types import Outputs, Prompt, Request, RequestSet
from tests.calibration.style_answers import Answers, Pair, lineages, values
from tests.calibration.style_dose import Cell, draw

Load = Callable[[str], Side]


@pytest.fixture(scope="module")
def load(shared_data: Path) -> Load:
    """Recorded answers of one model, by name."""
    import pandas as pd

    table = pd.read_parquet(shared_data / "alpaca_eval" / "responses.parquet")
    wide = table.pivot_table(index="prompt", columns="model", values="response", aggfunc="first")
    prompts = tuple(Prompt(f"{i:04d}", str(p), f"{i:04d}", "") for i, p in enumerate(wide.index))
    asked = RequestSet(
        "alpaca_eval",
        prompts,
        tuple(Request(i, "generate", p.text) for i, p in enumerate(prompts)),
        False,
        "1",
        ("text", "style"),
    )

    def one(model: str) -> Side:
        texts = tuple(t if isinstance(t, str) else None for t in wide[model])
        n = len(texts)
        outputs: Outputs = replace(
            blank_outputs(n, "generate"),
            text=texts,
            stop=("unknown",) * n,
            answered=tuple(t is not None for t in texts),
        )
        return Side(model, model, asked, outputs, None, (model,))

    return one


def estimate(metric: str, sides: Sides) -> Estimate:
    """The measure's whole number."""
    found = findings(
        plugins.build("metrics", metric, {"kind": metric}), [sides], np.random.default_rng(0)
    )
    statistic = next(f.statistic for f in found if f.name == "")
    assert not isinstance(statistic, str)
    return evaluate(statistic, np.random.default_rng(0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "teacher", "student", "base"),
    [
        ("style_transfer", "claude-2", "claude2-alpaca-13b", "guanaco-13b"),
        ("style_transfer", "text_davinci_003", "alpaca-7b", "guanaco-7b"),
        ("style_classifier", "claude-2", "claude2-alpaca-13b", "guanaco-13b"),
    ],
)
def test_documented_students_lie_above_clean_controls(
    load: Load, metric: str, teacher: str, student: str, base: str
) -> None:
    one = Sides("alpaca_eval", load(student), load(teacher), load(base), "sibling")
    found = estimate(metric, one)
    assert found.low is not None
    assert found.value > 0.5
    for control in ("guanaco-33b", "guanaco-65b"):
        high = estimate(metric, replace(one, student=load(control))).high
        assert high is not None
        assert high < found.low


@pytest.mark.slow
def test_derived_models_are_nearest_to_their_parent(load: Load) -> None:
    parents = {
        "Mixtral-8x7B-Instruct-v0.1_concise": "Mixtral-8x7B-Instruct-v0.1",
        "gpt-3.5-turbo-1106_verbose": "gpt-3.5-turbo-1106",
        "Llama-3-Instruct-8B-SimPO": "Meta-Llama-3-8B-Instruct",
    }
    rivals = ["gpt-3.5-turbo-0301", "Meta-Llama-3-70B-Instruct", "mistral-medium"]

    def counts(model: str) -> object:
        return word_grams(read(tuple(t or "" for t in load(model).outputs.text)), *SIZES, BITS)

    grams = {m: counts(m) for m in (*parents, *parents.values(), *rivals)}
    for model, parent in parents.items():
        candidates = [m for m in grams if m not in parents]
        nearest = max(candidates, key=lambda m: similarity(grams[model], grams[m]).total.mean())  # type: ignore[arg-type]
        assert nearest == parent


@pytest.mark.slow
def test_doses_of_real_replies_are_read_and_unrelated_models_go_little_of_the_way(
    shared_data: Path,
) -> None:
    bases, teachers = ("guanaco-7b", "guanaco-13b"), ("claude-2", "claude-2.1")
    crowd = lineages(teachers[0], bases[0])
    answers = Answers.load(shared_data, (*bases, *teachers, "claude2-alpaca-13b", *crowd))
    made = draw(answers, Cell(teachers, bases), 300, np.random.default_rng(3))
    for dose, found in made.items():
        assert isinstance(found, Estimate)
        assert found.value == pytest.approx(dose, abs=0.08)
    pair = Pair("claude-2", "claude2-alpaca-13b", "guanaco-13b")
    said = values(answers.sides(pair, np.arange(0, answers.n, 2)))
    parts = {part: e for part, e in said.items() if isinstance(e, Estimate)}
    assert parts[""].value == pytest.approx(0.93, abs=0.06)
    assert parts["beyond_unrelated"].value == pytest.approx(0.92, abs=0.06)
    assert parts["unrelated"].value == pytest.approx(0.13, abs=0.08)
    assert parts["unrelated"].n == 10
