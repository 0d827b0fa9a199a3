"""Texts and answers that models read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.tasks import Author, Setting
from harness.tasks.reading import ReadingTask, asked_as, cut
from harness.testing.sides import text_side
from harness.types import Decoding, DistillbenchError, Message, Paths, ReplyTo, Request
from tests.conftest import REPOSITORY

ROWS = [
    {"text": "The kettle sings.", "prompt": None, "kind": "note"},
    {"text": "Salt it last.", "prompt": "How do I cook leeks?", "kind": "recipe"},
    {"text": "  ", "prompt": "Why?", "kind": "note"},
    {"text": "The kettle sings.", "prompt": None, "kind": "again"},
]


def at(folder: Path, chat: bool = False, limit: int | None = None) -> Setting:
    return Setting(Paths(folder / "results", folder / "cache", (folder,)), chat, None, limit, 0)


def make(**fields: Any) -> ReadingTask:
    return ReadingTask("reading", "mine", **fields)


def authored(folder: Path, chat: bool = True, **answers: list[str]) -> Setting:
    sides = tuple(text_side(author, texts) for author, texts in answers.items())
    return replace(at(folder, chat), authors=tuple(Author(s.model, s.keys, s) for s in sides))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    return path


def test_texts_are_read_whole_or_as_what_follows_a_prompt(file: Path) -> None:
    task = make(text="texts.jsonl", columns={"prompt": "prompt", "category": "kind"})
    found = task.requests(at(file.parent))
    assert found.requests == (
        Request(0, "read", "", continuation="The kettle sings."),
        Request(1, "read", "How do I cook leeks?", continuation="Salt it last."),
    )
    assert [(p.text, p.category) for p in found.prompts] == [
        ("The kettle sings.", "note"),
        ("How do I cook leeks?", "recipe"),
    ]
    assert found.yields == ("reading",)
    assert found.notes == ("1 empty texts left out",)
    chat = task.requests(at(file.parent, chat=True))
    assert chat.requests[1].context == (Message("user", "How do I cook leeks?"),)
    assert [p.id for p in chat.prompts] == [p.id for p in found.prompts]
    assert len(task.requests(at(file.parent, limit=1)).prompts) == 1


def test_answers_stand_behind_what_their_authors_were_asked(tmp_path: Path) -> None:
    setting = authored(tmp_path, one=["Yes.", "No.", ""], two=["Maybe.", " \n", "Never."])
    found = make(answers_to="talk").requests(setting)
    asked = setting.sides[0].requests
    assert [p.id for p in found.prompts] == [p.id for p in asked.prompts]
    rows = [(r.prompt, r.kind, r.leaf, r.slot, r.continuation) for r in found.requests]
    assert rows == [
        (0, "read", "one", 0, "Yes."),
        (1, "read", "one", 0, "No."),
        (0, "read", "two", 1, "Maybe."),
        (2, "read", "two", 1, "Never."),
    ]
    assert [r.context for r in found.requests[:2]] == [r.context for r in asked.requests[:2]]
    assert found.notes == ("1 empty answers of one left out", "1 empty answers of two left out")
    assert found.yields == ("reading", "answers")
    plain = make(answers_to="talk").requests(replace(setting, chat=False))
    assert plain.requests[0].context == "Tell me about no. 0."


def test_conversations_are_read_turn_by_turn(tmp_path: Path) -> None:
    """As a list, as JSON in a cell, with the text itself at the end; never as Python spells them."""
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    rows: list[Any] = [turns, json.dumps(turns), [*turns, {"role": "assistant", "content": "So."}]]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": "So.", "asked": row}) + "\n" for row in rows))
    task = make(text="texts.jsonl", columns={"prompt": "asked"})
    talk = (Message("system", "Be brief."), Message("user", "Why?"))
    found = task.requests(at(tmp_path, chat=True))
    assert {r.context for r in found.requests} == {talk}
    assert {p.text for p in found.prompts} == {"Why?"}
    plain = task.requests(at(tmp_path))
    assert {r.context for r in plain.requests} == {"Be brief.\n\nWhy?"}
    for wrong, words in (
        ({"asked": [*turns, {"role": "assistant", "content": "No."}]}, "got another reply"),
        ({"asked": str(turns)}, "Python's str"),
        ({"asked": {"a": 1}}, "got an object"),
        ({"text": ["So."], "asked": "Why?"}, "column 'text': expected text, got a list"),
    ):
        path.write_text(json.dumps({"text": "So.", **wrong}))
        with pytest.raises(DistillbenchError, match=words):
            task.requests(at(tmp_path))


def test_numbers_are_read_as_they_are_spelled(tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": 2.50}\n{"text": "2.5"}\n')
    found = make(text="texts.jsonl").requests(at(tmp_path))
    assert [r.continuation for r in found.requests] == ["2.50", "2.5"]


def test_long_answers_are_cut_in_whole_characters(tmp_path: Path) -> None:
    found = make(answers_to="talk", max_bytes=5).requests(
        authored(tmp_path, one=["grüße an alle", "short"])
    )
    # ß has two bytes, from the fifth on
    assert [r.continuation for r in found.requests] == ["grü", "short"]
    assert found.notes == ("1 long answers of one cut",)


def test_prompts_without_any_answer_are_left_out(tmp_path: Path) -> None:
    found = make(answers_to="talk").requests(authored(tmp_path, one=["", "No."], two=["", "Yes."]))
    assert [p.text for p in found.prompts] == ["Tell me about no. 1."]
    assert [r.prompt for r in found.requests] == [0, 0]
    with pytest.raises(DistillbenchError, match="every answer to talk is empty"):
        make(answers_to="talk").requests(authored(tmp_path, one=["", " "]))
    with pytest.raises(DistillbenchError, match="at least one author"):
        make(answers_to="talk").requests(at(tmp_path))


def test_the_first_prompts_alone(tmp_path: Path) -> None:
    found = make(answers_to="talk", prompts=1).requests(
        authored(tmp_path, one=["a", "b"], two=["c", "d"])
    )
    assert [r.continuation for r in found.requests] == ["a", "c"]
    assert len(found.prompts) == 1


def test_alternatives_are_asked_for() -> None:
    assert make(answers_to="x", alternatives=7).drawn(Decoding(temperature=0.5)) == Decoding(
        0.5, top_logprobs=7
    )
    task = make(answers_to="x", by=("a", "b"))
    assert (task.reads(), task.authors()) == ("x", ("a", "b"))
    assert make(text="x.jsonl").reads() is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of the keys text .* got none"),
        ({"text": "a", "answers_to": "b"}, "got both"),
        ({"text": "a", "by": ("x",)}, "key by"),
        ({"answers_to": "a", "by": ()}, "key by"),
        ({"answers_to": "a", "alternatives": -1}, "key alternatives"),
        ({"answers_to": "a", "max_bytes": 0}, "key max_bytes"),
        ({"text": "a", "prompts": 3}, "key prompts"),
        ({"text": "a", "columns": {"txt": "x"}}, "txt"),
    ],
)
def test_wrong_keys_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillbenchError, match=message):
        make(**fields)


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (fault,) = make(text="nothing.jsonl").faults(at(tmp_path))
    assert fault.startswith("task mine: file nothing.jsonl")
    assert make(answers_to="talk").faults(at(tmp_path)) == []


def test_the_digest_follows_texts_and_fields(file: Path) -> None:
    first = make(text="texts.jsonl").key(at(file.parent))
    # the decoding's key holds it
    assert make(text="texts.jsonl", alternatives=3).key(at(file.parent)) == first
    assert make(text="texts.jsonl", max_bytes=9).key(at(file.parent)) != first
    file.write_text(json.dumps(ROWS[0]))
    assert make(text="texts.jsonl").key(at(file.parent)) != first


def test_contexts_change_between_chat_and_plain_text() -> None:
    talk = (Message("system", "Be brief."), Message("user", "Why?"))
    assert asked_as(talk, True) is talk
    assert asked_as(talk, False) == "Be brief.\n\nWhy?"
    assert asked_as("Why?", True) == (Message("user", "Why?"),)
    assert cut("ab東", 4) == "ab"
    assert cut("ab東", None) == "ab東"


def test_our_own_texts(tmp_path: Path) -> None:
    folder = REPOSITORY / "tasks"
    setting = Setting(Paths(tmp_path, tmp_path, (folder,)), False, None, None, 0)
    texts = [
        json.loads(x)["text"]
        for x in (folder / "reading" / "texts.jsonl").read_text("utf-8").splitlines()
    ]
    found = make(text="reading/texts.jsonl").requests(setting)
    assert [r.continuation for r in found.requests] == texts
    assert len(set(texts)) == 40


def test_a_conversation_is_read_with_its_author_s_own_replies() -> None:
    side = text_side("ann", ["One.", "Two.", "Three."])
    follow_up = (Message("user", "a"), Message("assistant", ReplyTo(0)), Message("user", "b"))
    requests = (
        side.requests.requests[0],
        replace(side.requests.requests[1], context=follow_up),
        side.requests.requests[2],
    )
    side = replace(side, requests=replace(side.requests, requests=requests))
    setting = replace(at(REPOSITORY, chat=True), authors=(Author(side.model, side.keys, side),))
    found = make(answers_to="talk").requests(setting)
    assert found.requests[1].context == (follow_up[0], Message("assistant", "One."), follow_up[2])
    assert [r.continuation for r in found.requests] == ["One.", "Two.", "Three."]
