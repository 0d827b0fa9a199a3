"""The judge as a task: who is asked what, in which order, and how a reply is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.panel.judgements import verdict
from harness.panel.side import Side
from harness.plugins import build
from harness.tasks import Author, Setting
from harness.tasks.judge import TEMPLATE, JudgeTask, judge_text
from harness.types import (
    DistillbenchError,
    Kind,
    Message,
    Outputs,
    Paths,
    Prompt,
    Request,
    RequestSet,
)


def author(model: str, texts: list[str | None]) -> Side:
    """A model's answers to Q0, Q1 ...; None = it has none."""
    n = len(texts)
    prompts = tuple(Prompt(f"id{i}", f"Q{i}?", f"cluster{i % 2}", "kind") for i in range(n))
    asked = RequestSet(
        "open", prompts, tuple(Request(i, "generate", "") for i in range(n)), False, "1", ("text",)
    )
    none = (None,) * n
    kinds: list[Kind] = ["generate"] * n
    there = tuple(t is not None for t in texts)
    outputs = Outputs(
        np.arange(n),
        tuple(kinds),
        np.ones(n, int),
        tuple(texts),
        none,
        np.full(n, np.nan),
        none,
        none,
        there,
    )
    return Side(model, model, asked, outputs, None, (f"key of {model}",))


def setting(*authors: Side, chat: bool = False) -> Setting:
    return Setting(
        Paths(Path("r"), Path("c"), ()),
        chat,
        None,
        None,
        0,
        tuple(Author(s.model, s.keys, s) for s in authors),
    )


def task(**changes: object) -> JudgeTask:
    fields = {
        "kind": "judge",
        "answers_to": "open",
        "judge": "j",
        "first": ["s"],
        "second": ["t", "b"],
        **changes,
    }
    built = build("tasks", "judged", fields)
    assert isinstance(built, JudgeTask)
    return built


SIDES = (
    author("s", ["s0", "s1", ""]),
    author("t", ["t0", None, "t2"]),
    author("b", ["b0", "b1", "{a} b2"]),
)


def test_each_answer_is_shown_in_both_places_and_no_name_is_told() -> None:
    asked = task().requests(setting(*SIDES))
    told = [
        (r.leaf, r.slot, asked.prompts[r.prompt].text, r.context.split("reply_a>\n")[1].split("\n<")[0],
         r.context.split("reply_b>\n")[1].split("\n<")[0])
        for r in asked.requests
        if isinstance(r.context, str)
    ]  # fmt: skip
    assert told == [
        ("s against t", 0, "Q0?", "s0", "t0"),
        ("s against t", 1, "Q0?", "t0", "s0"),
        ("s against t", 0, "Q2?", "", "t2"),
        ("s against t", 1, "Q2?", "t2", ""),
        ("s against b", 0, "Q0?", "s0", "b0"),
        ("s against b", 1, "Q0?", "b0", "s0"),
        ("s against b", 0, "Q1?", "s1", "b1"),
        ("s against b", 1, "Q1?", "b1", "s1"),
        ("s against b", 0, "Q2?", "", "{a} b2"),
        ("s against b", 1, "Q2?", "{a} b2", ""),
    ]
    for request in asked.requests:
        assert isinstance(request.context, str)
        assert request.context.count("Q") == 1
        assert "against" not in request.context
    assert {(r.kind, r.temperature, r.max_new_tokens) for r in asked.requests} == {
        ("generate", 0.0, 16)
    }
    assert [p.cluster for p in asked.prompts] == [
        "cluster0",
        "cluster0",
        "cluster0",
        "cluster1",
        "cluster0",
    ]
    assert asked.yields == ("verdicts",)
    assert asked.notes == ("1 of 3 prompts not judged: s or t has no answer",)


def test_in_chat_the_judge_gets_one_message() -> None:
    asked = task(second=["b"]).requests(setting(*SIDES, chat=True))
    assert asked.requests[0].context == (Message("user", judge_text(TEMPLATE, "Q0?", "s0", "b0")),)


def test_two_models_are_compared_once() -> None:
    asked = task(first=["s", "t"], second=["t", "s", "b"]).requests(setting(*SIDES))
    assert list(dict.fromkeys(r.leaf for r in asked.requests)) == [
        "s against t", "s against b", "t against b",
    ]  # fmt: skip


def test_who_is_asked_and_who_is_read() -> None:
    assert task().reads() == "open"
    assert task(first=["s", "t"]).authors() == ("s", "t", "b")
    assert task().readers() == ("j",)


def test_the_key_depends_on_what_the_judge_sees() -> None:
    here = setting(*SIDES)
    others = [task(template=TEMPLATE + " "), task(first=["b"], second=["s"])]
    keys = [
        task().key(here),
        task().key(replace(here, chat=True)),
        *(t.key(here) for t in others),
    ]
    assert len(set(keys)) == 4
    assert task(judge="k").key(here) == keys[0]  # who answers is part of the answers' key


@pytest.mark.parametrize(("changes", "said"), [
    ({"judge": ""}, "key judge: expected the name of a model"),
    ({"first": []}, "key first: expected a list of models"),
    ({"first": ["s"], "second": ["s"]}, "key second: expected other models than s"),
    ({"template": "{question} {a}"}, "key template: .* no b"),
    ({"max_new_tokens": 0}, "key max_new_tokens"),
])  # fmt: skip
def test_faults_name_the_key(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DistillbenchError, match=said):
        task(**changes)


def test_nothing_answered_by_both_is_an_error() -> None:
    with pytest.raises(DistillbenchError, match="no prompt of open was answered by both sides"):
        task(second=["t"]).requests(setting(author("s", ["x", None]), author("t", [None, "y"])))


@pytest.mark.parametrize(("reply", "said"), [
    ("A", "A"), (" B.\n", "B"), ("**TIE**", "tie"), ("tie", "tie"), ('"A"', "A"),
    ("Reply A is shorter.\n\n[[B]]", "B"),
    ("", None), ("A or B", None), ("A is better", None), ("a", None), ("Answer: A", None), ("C", None),
    ("A\nbecause", None),
    ("ＡB", None),
])  # fmt: skip
def test_a_verdict_is_the_whole_last_line(reply: str, said: str | None) -> None:
    assert verdict(reply) == said
