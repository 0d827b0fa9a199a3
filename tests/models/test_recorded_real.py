"""Recorded answers of real models."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.models.recorded import RecordedModel
from harness.plugins import build
from harness.types import Outputs, Paths, Request
from tests.models.asking import answered

TABLE = {
    "file": "alpaca_eval/responses.parquet",
    "where": {"model": "{name}"},
    "columns": {"prompt": "prompt", "answer": "response"},
}


def recorded(name: str, **fields: Any) -> RecordedModel:
    model = build("models", name, {"kind": "recorded", **fields})
    assert isinstance(model, RecordedModel)
    return model


def answers(model: RecordedModel, requests: list[Request], data: Path, cache: Path) -> Outputs:
    paths = Paths(cache, cache, (), data)
    assert model.faults(paths) == []
    with model.open(paths) as session:
        return answered(session, requests)


def questions(data: Path) -> list[Request]:
    prompts = pd.read_parquet(data / "alpaca_eval/responses.parquet", columns=["prompt"])[
        "prompt"
    ].drop_duplicates()
    return [Request(i, "generate", p) for i, p in enumerate(sorted(prompts))]


@pytest.mark.slow
def test_alpaca_eval_files_equal_the_table(shared_data: Path, tmp_path: Path) -> None:
    requests = questions(shared_data)
    folders = sorted(p.name for p in (shared_data / "alpaca_eval/native").iterdir())
    assert len(folders) == 9
    for name in folders:
        table = answers(recorded(name, **TABLE), requests, shared_data, tmp_path)
        native = answers(
            recorded(name, file="alpaca_eval/native/{name}"), requests, shared_data, tmp_path
        )
        assert native.answered == (True,) * 805
        assert native.text == table.text


@pytest.mark.slow  # seconds
def test_a_hundred_models_load_in_seconds(shared_data: Path, tmp_path: Path) -> None:
    requests = questions(shared_data)
    frame = pd.read_parquet(shared_data / "alpaca_eval/responses.parquet", columns=["model"])[
        "model"
    ]
    begun, count = time.process_time(), 0
    for name in frame.unique():
        count += sum(answers(recorded(name, **TABLE), requests, shared_data, tmp_path).answered)
    assert count == len(frame) == 81_298
    assert time.process_time() - begun < 20


def test_predictions_of_real_models(shared_data: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(shared_data / "mmlu_pro/predictions.parquet")
    rows = frame[frame["model"] == "Yi-6b-Chat"].set_index("question_id")["pred"]
    model = recorded(
        "Yi-6b-Chat",
        file="mmlu_pro/predictions.parquet",
        where={"model": "{name}"},
        columns={"prompt": "question_id", "choice": "pred"},
    )
    found = answers(
        model,
        [Request(i, "choose", str(q), n_options=10) for i, q in enumerate(rows.index)],
        shared_data,
        tmp_path,
    )
    letters = tuple(None if c is None else "ABCDEFGHIJ"[c] for c in found.choice)
    assert letters == tuple(None if pd.isna(p) else p for p in rows)
    assert letters.count(None) == 2277
    assert all(found.answered)


def test_an_unknown_real_model_is_named_with_its_nearest(shared_data: Path, tmp_path: Path) -> None:
    (line,) = recorded("alpaca-7", **TABLE).faults(Paths(tmp_path, tmp_path, (), shared_data))
    assert "did you mean 'alpaca-7b'" in line


def test_the_same_answers_in_another_file_are_the_same_model(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "alpaca_eval/native/alpaca-7b/model_outputs.json"
    copy = tmp_path / "model_outputs.json"
    copy.write_text(json.dumps(json.loads(source.read_text("utf-8"))[::-1]), "utf-8")
    requests = questions(shared_data)[:50]
    turned = answers(recorded("x", file=str(copy)), requests, shared_data, tmp_path)
    assert (
        turned.text == answers(recorded("alpaca-7b", **TABLE), requests, shared_data, tmp_path).text
    )
