"""The reply that measures see: what a model wrote, without the marks of the programs that carried it.

Stored answers stay as they came. Three things are taken out of what measures read, each only where it is certain: line
ends of other systems, end tokens behind the reply, and what a model thought aloud before it. All else that looks like a
mark is counted (`text/marks`) and never cut.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.text.thoughts import Parts, Tags, has_tags, joined, without_thoughts

# Part of the keys of grades, and of requests that are made from replies: raised when `clean` gives another text.
VERSION = 4
# Source: `eos_token` and the last token of the chat templates of Llama 2 to 4, Mistral, Qwen, Gemma, Phi, DeepSeek,
# Command R, OpenChat, gpt-oss, Granite and T5; `pad_token` of the same, which follows the end in a batch.
END_TOKENS = (
    "</s>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|end|>",
    "<|return|>",
    "<|end_of_turn|>",
    "<|endofturn|>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
    "<end_of_turn>",
    "<turn|>",
    "<eos>",
    "<EOS>",
    "<pad>",
    "[PAD]",
    "<|pad|>",
)
# Source: chat templates of DeepSeek R1, Qwen 3, Magistral, Kimi, Seed-OSS, OpenThinker and Command A; the plain words
# are what instructions often ask for.
TRACES: Tags = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
)
# Source: the same; what stands around the reply behind such a trace.
_AROUND = (
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
)
TAGS = frozenset(tag for pair in (*TRACES, *_AROUND) for tag in pair)
# Source: OpenAI's Harmony response format: the reply stands in the channel "final", thoughts before it in others.
CHANNEL = "<|channel|>"
CHANNELS = frozenset((CHANNEL, "<|start|>", "<|message|>", "<|end|>"))
_CHANNELS_BEGIN = re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>")
_CHANNEL = re.compile(r"<\|channel\|>[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_FINAL = re.compile(r"<\|channel\|>final<\|message\|>")
_AROUND_MESSAGES = ("<|start|>assistant", "<|end|>", "<|call|>")
# Decoding that leaves special tokens out leaves the channels' names, run together with the text.
_RUN_TOGETHER = re.compile(r"analysis(?=\S)")
_RUN_TOGETHER_OPEN = re.compile(r"analysis(?=[A-Z])")
_RUN_TOGETHER_CHANNEL = re.compile(r"(?<=\S)assistantanalysis(?=\S)")
_RUN_TOGETHER_FINAL = re.compile(r"(?<=\S)assistantfinal(?=\S)")
# No pattern begins with white space that it may pass over line by line: texts of line ends alone would take minutes.
_LINE_END = re.compile(r"\r+\n?")


class Cleaned(NamedTuple):
    """A reply, and what was taken out of it."""

    text: str
    trace: str = ""  # what the model thought aloud before it
    ends: tuple[str, ...] = ()  # end tokens that stood behind it
    is_open: bool = False  # a trace begins and does not end: the reply is incomplete


def clean(stored: str, tags: Tags = ()) -> Cleaned:
    """The reply of a stored answer. The same again for its own text.

    tags: around traces, beside those of TRACES.
    """
    text = _LINE_END.sub(_line_ends, stored) if "\r" in stored else stored
    text, ends = _without_ends(text)
    text, trace, is_open = _without_trace(text, (*tags, *TRACES))
    return Cleaned(text, trace, ends, is_open)


def opened_trace(prompt: str) -> str:
    """The opening tag with which a rendered prompt ends, so that the reply begins inside a trace; "" = none."""
    end = prompt.rstrip()
    return next((opening for opening, _ in TRACES if end.endswith(opening)), "")


def behind_its_tag(prompt: str, text: str) -> str:
    """A reply behind the tag of the thought that its prompt opens, where it does not close it: it was cut inside."""
    opening = opened_trace(prompt)
    if not opening or dict(TRACES)[opening].lower() in text.lower():
        return text
    return f"{opening}\n{text}"


def with_trace(trace: str, text: str) -> str:
    """A reply behind a trace that came beside it, as `clean` takes them apart; the reply where there is no trace."""
    opening, closing = TRACES[0]
    return f"{opening}\n{trace.strip()}\n{closing}\n\n{text}" if trace.strip() else text


def closed_trace(prompt: str) -> str:
    """What closes the trace that a rendered prompt opens, so that a reply may follow; "" = it opens none."""
    opening = opened_trace(prompt)
    return f"\n{dict(TRACES)[opening]}\n\n" if opening else ""


def reply_start(text: str, opened: str) -> int | None:
    """Where the reply begins in a text that begins with a trace, or inside one that `opened` opened; None = not yet."""
    if _CHANNELS_BEGIN.match(text) or _RUN_TOGETHER_OPEN.match(text):
        final = _final(text)
        return final.end() if final else None
    begins = text.lstrip()
    opening = opened or next((o for o, _ in TRACES if begins.startswith(o)), "")
    if not opening:
        return 0
    closing = dict(TRACES)[opening]
    place = text.find(closing)
    if place < 0:
        return None
    return len(text) - len(text[place + len(closing) :].lstrip())


def _line_ends(match: re.Match[str]) -> str:
    return "\n" if match.group().endswith("\n") else "\n" * len(match.group())


def _without_ends(text: str) -> tuple[str, tuple[str, ...]]:
    """The text before the end tokens at its end, and these tokens."""
    ends: list[str] = []
    place = _behind_words(text, len(text))
    while end := next((t for t in END_TOKENS if text.endswith(t, 0, place)), ""):
        ends.append(end)
        place = _behind_words(text, place - len(end))
    if not ends or (ends == ["</s>"] and _is_markup(text[:place])):
        return text, ()
    return text[:place], tuple(reversed(ends))


def _behind_words(text: str, place: int) -> int:
    """The place behind the last character before `place` that is not white space."""
    while place and text[place - 1].isspace():
        place -= 1
    return place


def _is_markup(before: str) -> bool:
    """Whether a <s> of HTML stands open, so that </s> closes it; a <s> that begins the text is a token."""
    before = before.removeprefix("<s>")
    return before.count("<s>") > before.count("</s>")


def _without_trace(text: str, tags: Tags) -> Parts:
    """The text without what was thought aloud, and that."""
    if channels := _without_channels(text):
        return channels
    if not has_tags(text, tags):
        return Parts(_unframed(text), "", False)
    parts = without_thoughts(text, tags)
    return parts if parts.is_open else parts._replace(text=_unframed(parts.text))


def _without_channels(text: str) -> Parts | None:
    """The channel "final" of a reply in channels; None for other replies."""
    if final := _final(text):
        return Parts(text[final.end() :], _thoughts(text[: final.start()]), False)
    if _CHANNELS_BEGIN.match(text) or _RUN_TOGETHER_OPEN.match(text):
        return Parts("", _thoughts(text), True)
    return None


def _final(text: str) -> re.Match[str] | None:
    """The last mark behind which the channel "final" begins; a mark of which a reply speaks is none."""
    if CHANNEL in text:
        begins = _CHANNELS_BEGIN.match(text)
        marks = _FINAL.finditer(text)
        final = [m for m in marks if begins or text.endswith(_AROUND_MESSAGES, 0, m.start())]
    else:
        begins = _RUN_TOGETHER.match(text)
        final = list(_RUN_TOGETHER_FINAL.finditer(text)) if begins else []
    return final[-1] if final else None


def _thoughts(text: str) -> str:
    """What stands in messages before the final one, without the marks around and between them."""
    if CHANNEL not in text and (begins := _RUN_TOGETHER.match(text)):
        return joined([p.strip() for p in _RUN_TOGETHER_CHANNEL.split(text[begins.end() :])])
    return joined([_bare(part) for part in _CHANNEL.split(text)])


def _bare(message: str) -> str:
    """A message without the marks of its end, and of the next one's beginning."""
    for mark in _AROUND_MESSAGES:
        message = message.strip().removesuffix(mark)
    return message.strip()


def _unframed(text: str) -> str:
    """The text inside the marks of a reply."""
    for opening, closing in _AROUND:
        if text.lstrip().startswith(opening):
            return text.lstrip().removeprefix(opening).rstrip().removesuffix(closing).strip()
    return text
