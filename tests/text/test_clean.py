"""The reply that measures see: which marks are taken out of a stored answer, and which look like marks and are not."""

from __future__ import annotations

import signal

import pytest

from harness.text.clean import END_TOKENS, TRACES, clean, reply_start

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


ANALYSIS, FINAL = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"
NEXT = "<|end|><|start|>assistant"
CHANNELS = {
    "one thought": (f"{ANALYSIS}a{NEXT}{FINAL}", "a"),
    "of several lines": (f"{ANALYSIS}a\n\nb\n{NEXT}{FINAL}", "a\n\nb"),
    "two thoughts": (f"{ANALYSIS}a{NEXT}{ANALYSIS}b{NEXT}{FINAL}", "a\nb"),
    "a call between": (
        f"{ANALYSIS}a{NEXT}<|channel|>commentary to=f <|constrain|>json<|message|>b<|call|>{FINAL}",
        "a\nb",
    ),
    "the whole turn": (f"<|start|>assistant{ANALYSIS}a{NEXT}{FINAL}", "a"),
    "the prompt opened the thought": (f"a{NEXT}{FINAL}", "a"),
    "without the end of the message": (f"{ANALYSIS}a<|start|>assistant{FINAL}", "a"),
    "no thought": (FINAL, ""),
    "run together": ("analysisWe add.assistantfinal", "We add."),
    "run together, a small letter": ("analysisuser asks.assistantfinal", "user asks."),
    "run together, quoted": ("analysis“2+2”: easy.assistantfinal", "“2+2”: easy."),
    "run together, two": ("analysisA.assistantanalysisB.assistantfinal", "A.\nB."),
}


@pytest.mark.parametrize("how", CHANNELS)
@pytest.mark.parametrize("end", ["", "<|return|>", "<|end|>"])
def test_the_final_channel_is_the_reply(how: str, end: str) -> None:
    before, trace = CHANNELS[how]
    assert clean(f"{before}{REPLY}{end}") == (REPLY, trace, (end,) if end else (), False)


@pytest.mark.parametrize(
    ("stored", "trace"),
    [
        (f"{ANALYSIS}a", "a"),
        (f"{ANALYSIS}a<|end|>", "a"),
        (f"{ANALYSIS}a{NEXT}", "a"),
        (f"{ANALYSIS}a{NEXT}{ANALYSIS}b", "a\nb"),
        ("analysisWe add", "We add"),
    ],
)
def test_channels_without_a_final_one_are_an_open_thought(stored: str, trace: str) -> None:
    assert clean(stored)[:2] == ("", trace)
    assert clean(stored).is_open


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (f"{ANALYSIS}a", None),
        (f"{ANALYSIS}a{NEXT}{ANALYSIS}b", None),
        (f"{ANALYSIS}a{NEXT}{FINAL}b", len(f"{ANALYSIS}a{NEXT}{FINAL}")),
        (f"{FINAL}b", len(FINAL)),
        ("analysisWe add.", None),
        ("analysisWe add.assistantfinalb", len("analysisWe add.assistantfinal")),
        ("analysis of it", 0),
    ],
)
def test_a_reply_in_channels_begins_with_the_final_one(text: str, start: int | None) -> None:
    assert reply_start(text, "") == start


@pytest.mark.parametrize("around", ["<|START_RESPONSE|>{}<|END_RESPONSE|>", "<|START_RESPONSE|>{}"])
def test_a_reply_in_a_frame_needs_no_thought(around: str) -> None:
    """As Command A answers without reasoning."""
    assert clean(around.format(REPLY)) == (REPLY, "", (), False)
    assert clean(around.format(REPLY) + "<|END_OF_TURN_TOKEN|>").text == REPLY


LONE = {
    "behind an odd fence": "Hm.\n```python\nprint(1)",
    "behind a mention": "Okay, <think> is a tag.",
    "behind a mention of the closing one": "It ends at `</think>` then.",
    "behind both": "<b>Is <think> or </think> a tag?\n```",
}


@pytest.mark.parametrize("how", LONE)
@pytest.mark.parametrize("reply", [REPLY, ""])
def test_a_closing_tag_with_a_line_for_itself_ends_a_trace(how: str, reply: str) -> None:
    assert clean(f"{LONE[how]}\n</think>\n\n{reply}") == (reply, LONE[how], (), False)


@pytest.mark.parametrize("blank", ["\n", " \n", "\r", "\t", ".\n"])
def test_long_runs_are_read_in_one_pass(blank: str) -> None:
    """A pattern that begins again at every character would need hours here; the alarm only ends the wait for it."""

    def late(*_: object) -> None:
        raise AssertionError("a run of blanks takes time that grows by its square")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    try:
        assert clean(f"a{blank * 300_000}]").text.endswith("]")
        assert clean(f"a\n</think>\n{blank * 300_000}]").trace == "a"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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
    assert cleaned.trace == "Is it 2?\n\nYes."
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
