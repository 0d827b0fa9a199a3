"""Conversations of a checkpoint with itself: each turn stands after its own replies, whatever the batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.stages.ask import ask
from harness.store.store import Store
from harness.store.tables import outputs_from_table
from harness.types import Message, Request
from tests.core.running import FAKES, run_of
from tests.joints.small import collect_these, requests_of

TALKS = [["add 3 and 4", "and 5?"], ["Done."], ["Who?", "Why?"]]


def test_a_checkpoint_answers_its_own_conversations(tmp_path: Path, llama: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = "".join(json.dumps({"turns": talk}) + "\n" for talk in TALKS)
    (tmp_path / "data/talks.jsonl").write_text(rows)
    models: dict[str, Any] = {name: {**fields, "chat": True} for name, fields in FAKES.items()}
    models["student"] = {"kind": "hf", "path": str(llama), "device": "cpu", "chat": True}
    tasks = {"talk": {"kind": "prompts", "file": "talks.jsonl", "columns": {"turns": "turns"}}}
    decoding = {"temperature": 0.8, "max_new_tokens": 6}
    run = run_of(tmp_path, models=models, tasks=tasks, metrics={"length": None}, decoding=decoding)
    store = Store(run.paths.results)
    plan = ask(run, store)
    (cell,) = (c for c in plan.collections if c.model == "student")
    collect_these(replace(plan, collections=(cell,)), store)
    outputs = outputs_from_table(store.table(cell.key))
    expected: list[str | None] = []
    with run.models["student"].open(run.paths) as session:
        for talk in TALKS:
            messages: tuple[Message, ...] = ()
            for text in talk:
                messages += (Message("user", text),)
                prompt = requests_of(cell, store).prompts[len(expected)].id
                asked = [Request(len(expected), "generate", messages)]
                reply = session.answer_batch(asked, [prompt], cell.decoding).text[0]  # type: ignore[attr-defined]
                messages += (Message("assistant", reply),)
                expected.append(reply)
    assert list(outputs.text) == expected
    assert len(set(expected)) == 5
