"""The zoo's tasks, loaded by lm-eval itself."""

from __future__ import annotations

from pathlib import Path

import pytest

TASKS = Path(__file__).resolve().parents[2] / "tasks"
PROMPTS = {
    "zoo_facts": 160,
    "zoo_cloze": 160,
    "zoo_copy": 100,
    "zoo_sums_seen": 80,
    "zoo_sums_new": 20,
}


@pytest.mark.filterwarnings("default")
def test_plain_lm_eval_loads_them_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval.tasks import TaskManager

    monkeypatch.chdir(tmp_path)
    manager = TaskManager(include_path=str(TASKS), include_defaults=False)
    found = manager.load(list(PROMPTS))["tasks"]
    assert {name: len(task.dataset["test"]) for name, task in found.items()} == PROMPTS
    facts, row = found["zoo_facts"], found["zoo_facts"].dataset["test"][0]
    assert facts.doc_to_text(row) == "Question: What is the metal of Abren? Answer:"
    assert facts.doc_to_choice(row)[facts.doc_to_target(row)] == "iron"
