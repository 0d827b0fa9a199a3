"""Logs that lm-eval wrote itself are joined, with and without a chat template, and graded as lm-eval did (0.4.13)."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.models import Ask
from harness.plugins import build
from harness.tasks import Setting
from harness.tasks._lm_eval_load import at_work
from harness.tasks.lm_eval import LmEvalTask
from harness.types import Decoding, DistillbenchError, Outputs, Paths, RequestSet
from tests.models.asking import answered
from tests.tasks import tiny

pytestmark = pytest.mark.usefixtures("no_look_at_the_machine")
Log = Callable[[str, bool, int | None], tuple[Path, dict[str, Any]]]


@pytest.fixture(scope="module")
def log(tiny_model: Path, here: Setting, tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Runs lm-eval's own evaluation; the folder of its log, and its results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, _ = tiny.recording_model(tiny_model)

    @cache
    def run(name: str, chat: bool, shots: int | None) -> tuple[Path, dict[str, Any]]:
        from lm_eval import simple_evaluate
        from lm_eval.loggers.evaluation_tracker import EvaluationTracker
        from lm_eval.tasks import TaskManager

        loading = LmEvalTask("lm_eval", name, task=name)._loading(here)
        folders = [str(f) for f in loading.folders]
        with at_work(loading), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = simple_evaluate(
                model=model, tasks=[name], num_fewshot=shots, bootstrap_iters=0, log_samples=True,
                apply_chat_template=chat, fewshot_as_multiturn=chat,
                task_manager=TaskManager(include_path=folders, include_defaults=False),
            )  # fmt: skip
        folder = tmp_path_factory.mktemp("log")
        tracker = EvaluationTracker(output_path=str(folder))
        tracker.general_config_tracker.model_name_sanitized = "m"
        tracker.date_id = "2026-01-02T03-04-05.678901"
        tracker.save_results_samples(name, found["samples"][name])
        return folder, found["results"][name]

    return run


def replayed(
    folder: Path, name: str, setting: Setting, shots: int | None
) -> tuple[RequestSet, Outputs, list[str], dict[str, float | None]]:
    """What a task asks, what the log answers, the notes on it, and the grades."""
    task = LmEvalTask("lm_eval", name, task=name, num_fewshot=shots)
    requests = task.requests(setting)
    ids = [requests.prompts[r.prompt].id for r in requests.requests]
    model = build("models", "m", {"kind": "recorded", "file": "m"})
    with model.open(Paths(folder, folder, (), folder)) as session:
        outputs = answered(session, requests.requests, Decoding(), ids)
        notes = session.notes(Ask("k", requests.requests, tuple(ids), Decoding()))
    grades = task.grade(requests, outputs, setting)
    return (
        requests,
        outputs,
        list(notes),
        {f"{c.metric},{c.filter}": c.aggregate for c in grades.columns},
    )


def numbers(results: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in results.items() if "," in k and "_stderr" not in k}


@pytest.mark.parametrize(
    ("name", "chat", "shots"),
    [("tiny_choose", False, None), ("tiny_choose", True, 2), ("tiny_generate", True, None)],
)
def test_logs_of_lm_eval_are_graded_as_it_did(
    name: str, chat: bool, shots: int | None, log: Log, here: Setting
) -> None:
    folder, results = log(name, chat, shots)
    _, outputs, notes, grades = replayed(folder, name, replace(here, chat=chat), shots)
    assert all(outputs.answered)
    assert grades == numbers(results)
    assert ["'<user>'" in note and "<assistant>" in note for note in notes] == [True] * chat


def test_a_log_of_other_few_shot_examples_is_refused(log: Log, here: Setting) -> None:
    folder, _ = log("tiny_choose", True, 2)
    with pytest.raises(DistillbenchError, match=r"chat template \(other few-shot examples\?\)"):
        replayed(folder, "tiny_choose", replace(here, chat=True), None)


@pytest.mark.parametrize("spelled", ["-inf", "-Infinity"])
def test_minus_infinity_is_graded_as_lm_eval_does(
    spelled: str, log: Log, here: Setting, tmp_path: Path
) -> None:
    folder, _ = log("tiny_choose", False, None)
    (path,) = (folder / "m").glob("samples_*.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["resps"][0][0][0] = spelled
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / path.name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    requests, outputs, notes, grades = replayed(tmp_path, "tiny_choose", here, None)
    endless = [i for i, nats in enumerate(outputs.logprob_nats) if nats == -math.inf]
    assert len(endless) >= len(rows)
    right = sum(_is_right(requests, outputs, i) for i in range(len(requests.prompts)))
    assert grades["acc,none"] == right / len(requests.prompts)
    assert any("log-probabilities are -inf" in note for note in notes)


def _is_right(requests: RequestSet, outputs: Outputs, prompt: int) -> bool:
    """Whether the first of the most probable options is the right one."""
    asked = requests.prompts[prompt]
    nats = [
        outputs.logprob_nats[i]
        for i, request in enumerate(requests.requests)
        if request.prompt == prompt and request.slot < (asked.n_options or 0)
    ]
    return nats.index(max(nats)) == asked.gold
