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


SPELLED = {
    "in one line": f"<think>{{}}</think>{REPLY}",
    "in capitals": f"<THINK>\n{{}}\n</Think>\n{REPLY}",
    "the closing tag behind a sentence": f"{{}}</think>{REPLY}",
    "tags of its own around the reply": (
        f"<|begin_of_thought|>\n{{}}\n<|end_of_thought|>\n\n<|begin_of_solution|>\n{REPLY}\n<|end_of_solution|>"
    ),
    "channels without special tokens": f"analysis{{}}assistantfinal{REPLY}",
    "a space before": f" \n<think>\n{{}}\n</think>\n\n{REPLY}",
    "end tokens behind": f"<think>\n{{}}\n</think>\n\n{REPLY}<|im_end|>",
}


@pytest.mark.parametrize("how", SPELLED)
def test_thoughts_have_many_spellings(how: str) -> None:
    cleaned = clean(SPELLED[how].format("Is it 2?\n\nYes."))
    assert cleaned.text == REPLY
    assert cleaned.trace.removeprefix("analysis") == "Is it 2?\n\nYes."
    assert not cleaned.is_open


def test_thoughts_between_the_parts_of_a_reply_are_taken_out() -> None:
    stored = "<think>a</think>\nOne.\n\n<think>\nb\n</think>\n\nTwo."
    assert clean(stored) == ("One.\n\nTwo.", "a\nb", (), False)


def test_tags_in_code_are_code() -> None:
    stored = "Write:\n\n```\n<think>\nyour thoughts\n</think>\n```\n\nThen answer."
    assert clean(stored) == (stored, "", (), False)


@pytest.mark.parametrize(("opening", "closing"), TRACES)
def test_a_trace_of_nothing_is_no_trace(opening: str, closing: str) -> None:
    assert clean(f"{opening}\n\n{closing}\n\n{REPLY}") == (REPLY, "", (), False)


@pytest.mark.parametrize("text", ["analysis of the river", "Analysis: it is", "analysis"])
def test_a_reply_may_speak_of_analysis(text: str) -> None:
    assert clean(text) == (text, "", (), False)


def test_tags_of_one_s_own() -> None:
    tags = (("[plan]", "[/plan]"),)
    assert clean("[plan]a[/plan]b", tags)[:2] == ("b", "a")
    assert clean("[plan]a", tags).is_open
    assert clean("<think>a</think>[plan]c[/plan]b", tags)[:2] == ("b", "a\nc")
