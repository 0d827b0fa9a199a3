"""Conversations whose earlier replies are the model's own: one collection, answered in rounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import tasks
from harness.models.fake import FakeSession
from harness.plan.collections import Collection, Plan
from harness.store.store import Store
from harness.store.tables import outputs_from_table
from harness.tasks import asks
from harness.text import turns
from harness.types import Decoding, Message, Outputs, Prompt, ReplyTo, Request, RequestSet
from tests.joints.small import MODELS, collect_these, planned, requests_of

TALKS = [[f"Tell me about {i}.", f"And {i} in winter?", f"Why {i}?"][: 1 + i % 3] for i in range(9)]
TASKS = {"talk": {"kind": "prompts", "file": "talks.jsonl", "columns": {"turns": "turns"}}}


def plan_of(folder: Path, **task: Any) -> tuple[Plan, Store, Collection]:
    """A plan of one model that is asked conversations of one to three turns."""
    (folder / "data").mkdir(parents=True)
    rows = "".join(json.dumps({"turns": talk}) + "\n" for talk in TALKS)
    (folder / "data/talks.jsonl").write_text(rows)
    models: dict[str, Any] = {name: {**fields, "chat": True} for name, fields in MODELS.items()}
    plan, store = planned(folder, models=models, tasks={"talk": {**TASKS["talk"], **task}})
    (cell, *_) = (c for c in plan.collections if c.model == "student")
    return replace(plan, collections=(cell,)), store, cell


def replies(store: Store, cell: Collection) -> dict[int, str | None]:
    outputs = outputs_from_table(store.table(cell.key))
    return dict(zip(outputs.request.tolist(), outputs.text, strict=True))


def by_hand(plan: Plan, store: Store, cell: Collection) -> dict[int, str | None]:
    """What the student says, turn by turn, when it is asked by hand."""
    model: Any = plan.run.models["student"]
    session, said = FakeSession(model), dict[int, str | None]()
    index = 0
    for talk in TALKS:
        messages: tuple[Message, ...] = ()
        for text in talk:
            messages += (Message("user", text),)
            prompt = requests_of(cell, store).prompts[index].id
            asked = Request(index, "generate", messages)
            (reply,) = session.answer_batch([asked], [prompt], cell.decoding).text
            messages += (Message("assistant", str(reply)),)
            said[index] = reply
            index += 1
    return said


def test_every_turn_is_asked_after_the_model_s_own_replies(tmp_path: Path) -> None:
    plan, store, cell = plan_of(tmp_path)
    collect_these(plan, store)
    assert replies(store, cell) == by_hand(plan, store, cell)
    assert len(set(replies(store, cell).values())) == 18
    clusters = [p.cluster for p in requests_of(cell, store).prompts]
    assert len(clusters) == 18
    assert len(set(clusters)) == len(TALKS)  # turns of a conversation are resampled together


def test_a_kill_between_two_rounds_asks_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store, cell = plan_of(tmp_path)
    asked: list[str] = []
    honest = FakeSession.answer_batch

    def mortal(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        if len(asked) == 12:
            asked.append("killed")
            raise KeyboardInterrupt
        asked.extend(ids)
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "answer_batch", mortal)
    monkeypatch.setattr(
        FakeSession, "batches", lambda self, ask: [[i] for i in range(len(ask.requests))]
    )
    with pytest.raises(KeyboardInterrupt):
        collect_these(plan, store)
    collect_these(plan, store)
    asked.remove("killed")
    assert sorted(asked) == sorted(p.id for p in requests_of(cell, store).prompts)
    assert replies(store, cell) == by_hand(plan, store, cell)


def test_what_follows_on_no_reply_is_never_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store, cell = plan_of(tmp_path)
    honest = FakeSession.answer_batch

    def silent(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        whole = honest(self, requests, ids, decoding)
        mute = [r.prompt == 3 for r in requests]  # the first turn of the third conversation
        return replace(
            whole,
            text=tuple(None if m else t for m, t in zip(mute, whole.text, strict=True)),
            answered=tuple(not m for m in mute),
        )

    monkeypatch.setattr(FakeSession, "answer_batch", silent)
    collect_these(plan, store)
    outputs = outputs_from_table(store.table(cell.key))
    assert [i for i, a in enumerate(outputs.answered) if not a] == [3, 4, 5]
    assert store.provenance(cell.key)["n_answered"] == 15


def test_rounds_and_slots() -> None:
    slot = Message("assistant", ReplyTo(0))
    requests = [
        Request(0, "generate", (Message("user", "a"),)),
        Request(1, "generate", (Message("user", "b"),)),
        Request(2, "generate", (slot, Message("assistant", ReplyTo(1)))),
        Request(3, "score", (slot, Message("assistant", ReplyTo(2))), continuation="x"),
    ]
    assert turns.rounds(requests) == [[0, 1], [2], [3]]
    assert turns.rounds([]) == []
    assert [turns.askable(r, {0: "one", 1: None}) for r in requests] == [True, True, False, False]
    whole = turns.filled(requests[2], {0: "one", 1: "two"})
    assert whole.context == (Message("assistant", "one"), Message("assistant", "two"))
    assert turns.never_asked(requests, {0: "one", 1: None}) == [2, 3]
    assert turns.never_asked(requests, {0: "one"}) == []
    with pytest.raises(ValueError, match="request 0 is not filled in"):
        _ = slot.text


def test_a_task_s_own_tags_stay_out_of_earlier_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store, _ = plan_of(tmp_path, think=[["<plan>", "</plan>"]])
    honest, earlier = FakeSession.answer_batch, list[str]()

    def planning(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        for request in requests:
            earlier.extend(m.text for m in request.context if isinstance(m, Message))
        whole = honest(self, requests, ids, decoding)
        return replace(whole, text=tuple(f"<plan>Hm.</plan>Oak {i}." for i in ids))

    monkeypatch.setattr(FakeSession, "answer_batch", planning)
    collect_these(plan, store)
    assert any(text.startswith("Oak ") for text in earlier)
    assert not any("<plan>" in text for text in earlier)


def test_how_replies_are_cleaned_is_asked_where_a_request_holds_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked(holds_a_reply: bool) -> set[str]:
        turns_ = (
            Message("user", "a"),
            *([Message("assistant", ReplyTo(0))] if holds_a_reply else []),
        )
        requests = (Request(0, "generate", "a"), Request(0, "generate", turns_, slot=1))
        one = RequestSet("t", (Prompt("p0", "a", "c", ""),), requests, True, "", ("text",))
        made = {asks(one), asks(replace(one, think=(("<plan>", "</plan>"),)))}
        with monkeypatch.context() as patch:
            patch.setattr(tasks, "CLEANING", -1)
            return made | {asks(one)}

    assert len(asked(holds_a_reply=True)) == 3
    assert len(asked(holds_a_reply=False)) == 1


def test_an_earlier_turn_stands_without_its_thoughts() -> None:
    asked = Request(1, "generate", (Message("user", "a"), Message("assistant", ReplyTo(0))))
    whole = turns.filled(asked, {0: "<think>\nHm.\n</think>\n\nOak.<|im_end|>"})
    assert whole.context == (Message("user", "a"), Message("assistant", "Oak."))
    whole = turns.filled(asked, {0: "<plan>Hm.</plan>Oak."}, (("<plan>", "</plan>"),))
    assert whole.context == (Message("user", "a"), Message("assistant", "Oak."))
