"""Fixtures of the measures' tests: the independent implementation, and recorded predictions of real models."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.panel.side import Side
from harness.testing.sides import acc_grades, blank_outputs
from harness.types import Prompt, Request, RequestSet


@pytest.fixture(scope="session")
def lm_sim() -> ModuleType:
    """The metrics of the package lm-sim 0.1.1, by the authors of CAPA."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its docstrings hold invalid escapes
        return importlib.import_module("lmsim.metrics")


def lab(model: str) -> str:
    """Who made a model."""
    names = {
        "Meta": "meta",
        "Mistral": "mistral",
        "Yi": "01-ai",
        "Phi": "microsoft",
        "Qwen": "alibaba",
        "gem": "google",
    }
    return next(value for key, value in names.items() if model.startswith(key))


@pytest.fixture(scope="session")
def mmlu_pro(shared_data: Path) -> dict[str, Side]:
    """Recorded predictions of 13 models on the questions whose right answer is the same in all their files."""
    import pandas as pd

    table = pd.read_parquet(shared_data / "mmlu_pro" / "predictions.parquet")
    table = table[table.groupby("question_id").answer.transform("nunique") == 1]
    questions = table.drop_duplicates("question_id").set_index("question_id")
    prompts = tuple(
        Prompt(f"{q}", f"question {q}", f"{q}", category, int(k), ord(answer) - ord("A"))
        for q, category, answer, k in zip(
            questions.index, questions.category, questions.answer, questions.n_options, strict=True
        )
    )
    n = len(prompts)
    requests = RequestSet(
        "mmlu_pro",
        prompts,
        tuple(Request(i, "choose", p.text) for i, p in enumerate(prompts)),
        False,
        "1",
        ("grades", "choices"),
    )
    found = {}
    for model, own in table.groupby("model"):
        known = dict(zip(own.question_id, own.pred, strict=True))
        letters = [known.get(q) for q in questions.index]
        choice = tuple(ord(x) - ord("A") if isinstance(x, str) else None for x in letters)
        answered = tuple(q in known for q in questions.index)
        outputs = replace(blank_outputs(n, "choose"), choice=choice, answered=answered)
        grades = acc_grades(prompts, [c == p.gold for c, p in zip(choice, prompts, strict=True)])
        rows = np.flatnonzero(answered)
        column = replace(grades.columns[0], prompt=rows, value=grades.columns[0].value[rows])
        found[str(model)] = Side(
            str(model), lab(str(model)), requests, outputs, replace(grades, columns=(column,)), ()
        )
    return found
