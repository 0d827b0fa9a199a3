"""Training data in a whole run: read once, faults before anything is collected, shares and warnings on the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.stages import overlap as seen
from harness.stages.ask import ask
from harness.stages.run import DONE, Outcome, execute
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.core.running import FAKES, run_of

NOWHERE = Path("nowhere.csv")
METRICS = {"task_score": None, "overlap": None}


def trained(tmp_path: Path, texts: list[str]) -> dict[str, Any]:
    """The fakes, with training data for the student."""
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "train.jsonl").write_text(
        "".join(json.dumps({"text": t}) + "\n" for t in texts)
    )
    return {
        **FAKES,
        "student": {
            **FAKES["student"],
            "training_data": "train.jsonl",
            "training_columns": ["text"],
        },
    }


def ran(tmp_path: Path, texts: list[str]) -> Outcome:
    return execute(
        run_of(tmp_path, models=trained(tmp_path, texts), metrics=METRICS), NOWHERE, alone=True
    )


def test_shares_and_warnings_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"Tell me about thing {i}." for i in range(10)] + ["Something else."]
    outcome = ran(tmp_path, texts)
    assert outcome.code == DONE
    assert outcome.record is not None
    scores = {(s.metric, s.task, s.student): s for s in outcome.record.scores}
    assert scores["overlap/exact", "open", "student"].value == 10 / 40
    assert scores["overlap/ngram", "quiz", "student"].value == 0
    clean, whole = (scores[f"overlap/{part}", "quiz", "student"] for part in ("clean", "all"))
    assert clean.value == whole.value == scores["task_score", "quiz", "student"].value
    assert scores["overlap", "open", "base"].reason == "no training data is named for this model"
    told = "student was trained on text that overlaps with 10 of 40 prompts of open (10 word for word)."
    assert told in outcome.record.warnings

    def refuse(*_: object) -> None:
        raise AssertionError("the training data was read again")

    monkeypatch.setattr(seen, "seen_texts", refuse)
    (tmp_path / "results" / "finished.json").unlink()
    again = ran(tmp_path, texts)
    assert again.record is not None
    assert again.record.scores == outcome.record.scores


def test_other_training_data_gives_other_shares(tmp_path: Path) -> None:
    ran(tmp_path, ["Tell me about thing 1."])
    outcome = ran(tmp_path, ["Tell me about thing 1.", "Tell me about thing 2."])
    assert outcome.record is not None
    found = [
        s.value
        for s in outcome.record.scores
        if (s.metric, s.task) == ("overlap/exact", "open") and s.value
    ]
    assert found == [2 / 40]


def test_missing_training_data_is_a_fault_of_the_plan(tmp_path: Path) -> None:
    models = {**FAKES, "student": {**FAKES["student"], "training_data": "gone.jsonl"}}
    run = run_of(tmp_path, models=models)
    with pytest.raises(
        DistillbenchError, match=r"model student: key training_data: expected a file 'gone.jsonl'"
    ):
        ask(run, Store(run.paths.results))
