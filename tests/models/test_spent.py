"""Where the time went: in run.json, counted exactly where it is a count, and in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.board.spent import spent_line
from harness.cli.config import packaged
from harness.models._hf_model import LoadedModel
from harness.models.hf import HfModel
from harness.stages.run import execute
from harness.types import Decoding, Paths, Request
from tests.bench.engines import counting
from tests.core.running import run_of

REFERENCE = packaged("reference") / "scores.csv"


def _spent(results: Path) -> dict[str, float]:
    spent: dict[str, float] = json.loads((results / "report" / "run.json").read_text())["spent"]
    return spent


def test_forward_tokens_are_those_that_reach_the_model(llama: Path, tmp_path: Path) -> None:
    model = HfModel(kind="hf", name="m", path=str(llama), device="cpu")
    asked = (
        Request(0, "score", "The miller of", continuation=" Brask"),
        Request(1, "score", "The miller of", continuation=" Orl hums"),
        Request(2, "generate", "The miller of Brask", max_new_tokens=5),
        Request(3, "generate", "Orl", max_new_tokens=3),
    )
    with model.open(Paths(tmp_path / "results", tmp_path / "cache")) as session:
        loaded: LoadedModel = session._loaded
        _ = session._shared.longest  # compares itself with a plain pass, once
        before = dict(session.spent())
        with counting(loaded.model) as tokens:
            session.answer_batch(asked, ["p"] * len(asked), Decoding())
        after = session.spent()
        assert after["forward_tokens"] - before["forward_tokens"] == tokens[0] > 0
        assert after["tokens_in_s"] > 0
        assert after["tokens_out_s"] > 0
        assert 0 < after["head_s"] - before["head_s"] < after["tokens_in_s"] + after["tokens_out_s"]
        network = loaded.model
        hooks = [m for m in network.modules() if m._forward_pre_hooks or m._forward_hooks]
        assert hooks
    assert not [m for m in network.modules() if m._forward_pre_hooks or m._forward_hooks]


def test_a_run_says_where_its_time_went(
    llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = {"kind": "hf", "path": str(llama), "device": "cpu", "batch_size": 3}
    models: dict[str, Any] = {"m": common, "n": {**common, "max_length": 100}}
    tasks = {"open": {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}}}
    run = run_of(
        tmp_path, models=models, tasks=tasks, metrics={"refusal": None}, pairs=[], controls=[], limit=25,
        decoding={"max_new_tokens": 4}, workers=2,
    )  # fmt: skip
    execute(run, REFERENCE, alone=True)
    spent = _spent(run.paths.results)
    assert {
        "load_s", "answer_s", "tokens_in_s", "tokens_out_s", "head_s", "forward_tokens", "building_requests_s",
        "scoring_s/refusal", "page_s", "whole_s",
    } <= spent.keys()  # fmt: skip
    assert spent["tokens_in_s"] + spent["tokens_out_s"] <= spent["answer_s"]
    (line,) = [t for t in capsys.readouterr().err.splitlines() if t.startswith("time: ")]
    assert f"{spent['forward_tokens']:,.0f} tokens went through models" in line
    execute(run, REFERENCE, alone=True)
    again = _spent(run.paths.results)
    assert again.keys() == {"whole_s"}, "nothing was done"


def test_the_line_by_hand() -> None:
    spent = {
        "whole_s": 100.0, "load_s": 2.0, "answer_s": 60.0, "tokens_in_s": 31.25, "tokens_out_s": 20.0, "head_s": 4.0,
        "grading_s": 0.5, "scoring_s/a": 1.5, "scoring_s/b": 12.0, "scoring_s/c": 2.5, "page_s": 3.0,
        "forward_tokens": 1234567,
    }  # fmt: skip
    assert spent_line(spent) == (
        "time: 100 s, of all processes: loading 2.0 s, tokens in 31 s, tokens out 20 s (output layer, in and out: "
        "4.0 s), page 3.0 s, other answering 8.8 s, scoring 16 s (b 12 s, c 2.5 s); "
        "1,234,567 tokens went through models"
    )
    assert spent_line({"whole_s": 0.4}) == "time: 0.4 s"
