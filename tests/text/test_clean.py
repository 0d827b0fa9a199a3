"""The reply that measures see: which marks are taken out of a stored answer, and which look like marks and are not."""

from __future__ import annotations

import pytest

from harness.text.clean import END_TOKENS, TRACES, clean

REPLY = "First line.\n\n- one\n- two\n\n**Done:** that is all [1]."

UNTOUCHED = [
    "",
    REPLY,
    "The old price is <s>12</s>",
    "In HTML, write <b>x</b>",
    "an array: a[0]",
    "The end token of this model is <|im_end|>, it says.",
    "Ask it to write its thoughts as <think>...</think> first.",
    "Templates close thoughts with `</think>` in the line.",
    "if (a > b) { return <T>",
    "\\r\\n is what Windows writes",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_only_looks_like_a_mark_stays(text: str) -> None:
    assert clean(text) == (text, "", (), False)


@pytest.mark.parametrize("end", END_TOKENS)
@pytest.mark.parametrize("around", ["{}", "\n{}\n", "{}{}", " {} <pad><pad>"])
def test_end_tokens_behind_a_reply_are_cut(end: str, around: str) -> None:
    cleaned = clean(REPLY + around.replace("{}", end))
    assert (cleaned.text, cleaned.trace) == (REPLY, "")
    assert cleaned.ends[0] == end
    assert clean(end).text == "", "a reply of nothing"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\r\r\n"])
def test_line_ends_are_those_of_no_system(end: str) -> None:
    assert clean(REPLY.replace("\n", end)).text == REPLY
    assert clean("a\r\n\r\nb").text == "a\n\nb"


@pytest.mark.parametrize(("opening", "closing"), TRACES)
def test_thoughts_are_told_apart_from_the_reply(opening: str, closing: str) -> None:
    thought = "Is it 2?\n\nYes."
    assert clean(f"{opening}\n{thought}\n{closing}\n\n{REPLY}")[:2] == (REPLY, thought)
    assert clean(f"{thought}\n{closing}\n\n{REPLY}")[:2] == (REPLY, thought), (
        "the template wrote the opening mark"
    )
    assert clean(f"{opening}{thought}")[:2] == ("", thought), "cut before the reply began"
    assert clean(f"{opening}a{closing}\n{opening}b{closing}\n{REPLY}")[:2] == (REPLY, "a\nb")


def test_the_final_channel_is_the_reply() -> None:
    thought = "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant"
    stored = f"{thought}<|channel|>final<|message|>{REPLY}<|return|>"
    assert clean(stored) == (REPLY, thought, ("<|return|>",), False)


def test_a_beginning_token_does_not_make_an_end_token_markup() -> None:
    assert clean("<s>Hello.</s>").text == "<s>Hello."
    assert clean("Hello.</s>").text == "Hello."
    assert clean("<s>a</s> and</s>").text == "<s>a</s> and"


@pytest.mark.parametrize(
    "stored", [*UNTOUCHED, "</s></s>\r", "<think>a</think><thinking>b</thinking>c</s>"]
)
def test_a_cleaned_reply_is_clean(stored: str) -> None:
    assert clean(clean(stored).text).text == clean(stored).text
