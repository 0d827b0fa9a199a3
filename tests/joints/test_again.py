"""What is known of stored replies from an earlier run: the same replies, read only where somebody looks at them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from harness.panel import texts
from harness.panel.side import Side
from harness.panel.texts import (
    Reply,
    in_brief,
    n_written,
    read_replies,
    remember_brief,
    replies,
    replies_of,
)
from harness.stages import marks
from harness.stages.crowds import tokens_key_of
from harness.stages.features import TokensJob, recall_tokens
from harness.stages.library import Library
from harness.stages.loop import carry_out_all
from harness.stages.marks import count_marks, recall_brief
from harness.stages.record import make_record
from harness.stages.report import stored_answers
from harness.store.store import Store
from harness.testing.sides import text_side
from harness.text.clean import END_TOKENS, TRACES, clean
from harness.text.thoughts import Tags
from tests.joints.small import Small, scored


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A run with one measure, in which tests make what they look for."""
    return scored(tmp_path_factory.mktemp("again"), metrics={"length": None})


ANSWERS = [
    "It is.",
    "",
    " \n ",
    "and so we come to the",
    "no full stop",
    "```python\nx = 1",
    "a\r\nb.",
    "你好",
    "lone \ud800 half.",
    *(f"Yes.{end}" for end in END_TOKENS),
    *(f"{opening}\nhm\n{closing}\n\nYes." for opening, closing in TRACES),
    *(f"{opening}\nhm" for opening, _ in TRACES),
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.",
    "<|im_start|>assistant\nYes.<|im_end|>",
]


@pytest.mark.parametrize("stop", ["unknown", "eos", "length", "stop", "content_filter"])
@pytest.mark.parametrize("think", [(), (("<plan>", "</plan>"),)])
def test_replies_in_brief_are_the_same_replies(stop: str, think: Tags) -> None:
    plain = text_side("m", [*ANSWERS, "<plan>first this</plan>Yes."])
    outputs = replace(plain.outputs, stop=(stop,) * len(plain.outputs.request))
    side = replace(plain, outputs=outputs, requests=replace(plain.requests, think=think))
    made = replies_of(side.requests, side.outputs)
    again = other(side)
    remember_brief(again, in_brief(made))
    assert list(replies(again).items()) == list(made.items())
    assert len(made) == len(plain.outputs.request)
    assert in_brief(made).nbytes == len(made), "a byte for each"


def other(side: Side) -> Side:
    """The same side, of which nothing is remembered."""
    return Side(side.model, side.lineage, side.requests, side.outputs, side.grades, side.keys)


def test_a_reply_that_is_not_as_it_came_is_cleaned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    side = text_side("m", ["Yes.", "<think>hm</think>No."])
    made = replies_of(side.requests, side.outputs)
    again, cleaned = other(side), list[str]()

    def counting(text: str, tags: Tags = ()) -> Any:
        cleaned.append(text)
        return clean(text, tags)

    monkeypatch.setattr(texts, "clean", counting)
    remember_brief(again, in_brief(made))
    assert [reply.text for reply in replies(again).values()] == ["Yes.", "No."]
    assert cleaned == ["<think>hm</think>No."]


def test_what_does_not_fit_the_replies_is_refused() -> None:
    side = text_side("m", ["Yes.", "No."])
    remember_brief(side, np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="shorter"):
        replies(side)


def test_the_page_takes_what_the_marks_found_out(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_marks(small.plan, small.store)
    record = make_record(small.plan, small.store, small.scores)
    (cell,) = (c for c in record.collections if (c.model, c.task) == ("student", "open"))
    read = stored_answers([small.store])
    side = read(cell)
    assert side is not None
    expected = replies_of(side.requests, side.outputs)
    assert expected

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a reply was looked at again")

    monkeypatch.setattr(texts, "ending", refuse)
    assert replies(side) == expected
    assert all(isinstance(r, Reply) for r in replies(side).values())


@pytest.mark.parametrize("what", ["answers", "requests", "graded", "code"])
def test_what_was_found_out_of_others_is_not_taken(
    small: Small, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    count_marks(small.plan, small.store)
    cell = small.plan.find("student", "open")
    assert cell is not None
    keys: dict[str, str | None] = {"answers": cell.key, "requests": cell.requests_key}
    keys["graded"] = None
    side = other(Library(small.plan, small.store).side("student", "open"))
    recall_brief(side, small.store, **keys)  # type: ignore[arg-type]
    assert (in_brief.__qualname__,) in side.memo
    if what == "code":
        monkeypatch.setattr(marks, "code_digest", lambda *_, **__: "other code")
    else:
        keys[what] = "0" * 64
    fresh = other(side)
    recall_brief(fresh, small.store, **keys)  # type: ignore[arg-type]
    assert not fresh.memo


def test_scoring_takes_what_was_found_out_of_replies(small: Small) -> None:
    count_marks(small.plan, small.store)
    side = Library(small.plan, small.store).side("student", "open")
    assert (in_brief.__qualname__,) in side.memo
    assert replies(side) == replies_of(side.requests, side.outputs)


def test_answers_and_tokens_are_read_when_somebody_looks(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = small.plan.find("student", "open")
    assert cell is not None
    key = tokens_key_of(small.plan, cell)
    job = TokensJob((key,), "tokens", "tokens", {}, needs=(cell.key, cell.requests_key))
    carry_out_all([job], small.plan, small.store, small.plan.run.executor)
    made = read_replies(Library(small.plan, small.store).side("student", "open"))
    read = list[str]()
    real = Store.table

    def reading(store: Store, wanted: str) -> pa.Table:
        read.append(wanted)
        return real(store, wanted)

    monkeypatch.setattr(Store, "table", reading)
    side = Library(small.plan, small.store).side("student", "open")
    recall_tokens(side, small.store, key)
    assert n_written(side) == made.n_written > 0
    assert not {cell.key, key} & {*read}
    again = read_replies(side)
    assert (again.prompts, again.n_written) == (made.prompts, made.n_written)
    assert again.tokens.words == made.tokens.words
    np.testing.assert_array_equal(again.tokens.codes, made.tokens.codes)
    np.testing.assert_array_equal(again.tokens.offsets, made.tokens.offsets)
    assert read.count(key) == 1
    assert cell.key not in read
    assert side.outputs is side.outputs
    assert read.count(cell.key) == 1
