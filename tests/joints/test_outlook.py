"""What the plan says before anything is collected, and what a model says of itself on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.stages.ask import ask
from harness.stages.outlook import outlook
from harness.stages.record import make_record
from harness.stages.run import execute
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.core.running import FAKES, matrix, run_of
from tests.joints.small import collect_these, planned
from tests.models.tiny import byte_tokenizer

TASKS: dict[str, Any] = matrix()["tasks"]


def _told(tmp_path: Path, **changes: Any) -> list[str]:
    run = run_of(tmp_path, **changes)
    store = Store(run.paths.results)
    return outlook(ask(run, store), store)


def _models(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {**fields, **changes.get(name, {})} for name, fields in FAKES.items()}


def test_a_plain_side_against_a_chat_side_is_said_first(tmp_path: Path) -> None:
    models = _models(student={"chat": True}, teacher={"chat": True})
    words = "student was asked in chat, base as plain text in open, quiz: "
    (line,) = _told(tmp_path, models=models)
    assert (
        line
        == f"{words}what compares them will be empty (comparability=warn scores it all the same)"
    )
    (line,) = _told(tmp_path, models=models, comparability="warn")
    assert line == f"{words}they are compared all the same (comparability=warn)"
    assert not _told(tmp_path, models=models, metrics={"task_score": None})


def test_equal_sides_say_nothing(tmp_path: Path) -> None:
    assert not _told(tmp_path)
    assert not _told(tmp_path, models=_models(**{name: {"chat": True} for name in FAKES}))


def test_an_empty_system_message_is_no_difference(tmp_path: Path) -> None:
    chatty: dict[str, dict[str, Any]] = {name: {"chat": True} for name in FAKES}
    for system, n in (("", 0), ("Be brief.", 2)):
        models = _models(**{**chatty, "student": {"chat": True, "system": system}})
        lines = _told(tmp_path, models=models)
        assert len(lines) == n
        assert all("different system prompts" in line for line in lines)


def test_too_few_prompts_are_said_first(tmp_path: Path) -> None:
    (line, _) = _told(tmp_path, limit=19)
    assert line.startswith("open has 19 prompts, and most measures give no number below 20")
    assert not _told(tmp_path, limit=20)
    few = {**TASKS, "quiz": {**TASKS["quiz"], "minimum": 5}, "open": {**TASKS["open"], "limit": 19}}
    (line,) = _told(tmp_path, tasks=few, limit=30)
    assert line.startswith("open has 19 prompts")


def test_a_limit_of_a_task_and_one_of_the_run(tmp_path: Path) -> None:
    """Task 7, run 9: seven; task none, run 9: nine; without a run's limit the task's alone."""
    tasks = {**TASKS, "open": {**TASKS["open"], "limit": 7}}
    for limit, expected in ((9, (7, 9)), (3, (3, 3)), (None, (7, 40))):
        run = run_of(tmp_path, tasks=tasks, limit=limit)
        plan = ask(run, Store(run.paths.results))
        assert tuple({c.task: c.summary.n_prompts for c in plan.collections}.values()) == expected
    tasks["open"]["limit"] = 0
    run = run_of(tmp_path, tasks=tasks)
    with pytest.raises(DistillbenchError, match=r"task open: key limit: .*got 0"):
        ask(run, Store(run.paths.results))


@pytest.mark.parametrize(
    ("template", "fields", "task", "said"),
    [
        (True, {}, {}, True),
        (True, {"chat": True}, {}, False),
        (True, {}, {"chat": False}, False),  # the task says so
        (True, {}, {"chat": True}, False),
        (False, {}, {}, False),
    ],
)
def test_a_chat_template_that_lies_unused_is_said(
    tmp_path: Path, template: bool, fields: Any, task: Any, said: bool
) -> None:
    path = tmp_path / "checkpoint"
    byte_tokenizer(template="{{ messages }}" if template else None).save_pretrained(path)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    models = {"one": {"kind": "hf", "path": str(path), "device": "cpu", **fields}}
    tasks = {"open": {**TASKS["open"], **task}}
    lines = _told(tmp_path, models=models, tasks=tasks, pairs=[], controls=[])
    assert (
        lines
        == ["the chat template of one lies unused: it is asked in plain text (chat: true uses it)"]
    ) == said
    assert len(lines) == said


def test_nothing_is_said_of_what_is_collected(tmp_path: Path) -> None:
    plan, store = planned(tmp_path, limit=5)
    assert outlook(plan, store)
    collect_these(plan, store)
    assert not outlook(plan, store)


def test_a_run_says_it_before_it_collects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path, limit=5, stages=["collect"])
    for n in (2, 0):  # the second time all is collected
        execute(run, tmp_path / "reference.csv", alone=True)
        said = "".join(capsys.readouterr())
        assert said.count("has 5 prompts, and most measures give no number below 20") == n
        assert "done student x open" in said.partition("has 5 prompts")[2] or not n


@pytest.mark.parametrize(
    ("model", "task", "refused"),
    [
        ({"chat": False}, {}, True),
        ({"chat": True}, {}, False),
        ({"chat": False}, {"chat": True}, False),
        ({"chat": False, "system": ""}, {}, False),
    ],
)
def test_a_system_message_that_nobody_hears_is_refused(
    tmp_path: Path, model: dict[str, Any], task: dict[str, Any], refused: bool
) -> None:
    models = _models(student={"system": "Be brief.", **model})
    tasks = {name: {**fields, **task} for name, fields in TASKS.items()}
    run = run_of(tmp_path, models=models, tasks=tasks)
    if not refused:
        assert ask(run, Store(run.paths.results))
        return
    with pytest.raises(DistillbenchError) as caught:
        ask(run, Store(run.paths.results))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("model student: key system: expected `chat: true` beside it")


def test_what_a_model_says_of_itself_is_on_the_page(tmp_path: Path) -> None:
    """Once, however many tasks it was asked."""
    plan, store = planned(tmp_path, limit=5)
    collect_these(plan, store)
    for c in (c for c in plan.collections if c.model == "student"):
        how, spec, table = store.provenance(c.key), store.spec(c.key), store.table(c.key)
        store.folder(c.key).rename(store.root / f"old{c.key}")
        store.put(c.key, table, spec, {**how, "notes": ["one note", "another"]})
    record = make_record(plan, store, ())
    told = [w for w in record.warnings if w.startswith("student x ")]
    assert told == ["student x open, quiz: one note.", "student x open, quiz: another."]
