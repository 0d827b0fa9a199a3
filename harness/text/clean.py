"""The reply that measures see: what a model wrote, without the marks of the programs that carried it.

Stored answers stay as they came. Three things are taken out of what measures read, each only where it is certain: line
ends of other systems, end tokens behind the reply, and what a model thought aloud before it. All else that looks like a
mark is counted (`text/marks`) and never cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

Tags = tuple[tuple[str, str], ...]  # (opening, closing) around what a model thinks aloud

# Part of the keys of grades, and of requests that are made from replies: raised when `clean` gives another text.
VERSION = 2
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
# Source: OpenAI's Harmony response format: the reply stands in the channel "final". Decoding that leaves special tokens
# out leaves the channels' names, run together with the text.
_FINAL = re.compile(r"<\|channel\|>final<\|message\|>|(?<=[^\s])assistantfinal(?=\S)")
_ANALYSIS = re.compile(
    r"\s*(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>|analysis(?=[A-Z])"
)
_LINE_END = re.compile(r"\r+\n|\r")
_ENDS = re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, END_TOKENS))}))+\s*\Z")
_END = re.compile("|".join(map(re.escape, END_TOKENS)))
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
# A closing tag without an opening one ends a trace where it stands behind a sentence or a line, or before a blank line;
# in the middle of a sentence a reply speaks of it.
_BEHIND_A_SENTENCE = re.compile(r"(?:\A|\n|[.!?…。！？:)\]}*])[ \t]*\Z")
_BEFORE_A_BLANK_LINE = re.compile(r"[ \t]*\n[ \t]*\n")


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
    text = _LINE_END.sub("\n", stored) if "\r" in stored else stored
    text, ends = _without_ends(text)
    text, trace, is_open = _without_trace(text, (*tags, *TRACES))
    return Cleaned(text, trace, ends, is_open)


def opened_trace(prompt: str) -> str:
    """The opening tag with which a rendered prompt ends, so that the reply begins inside a trace; "" = none."""
    end = prompt.rstrip()
    return next((opening for opening, _ in TRACES if end.endswith(opening)), "")


def reply_start(text: str, opened: str) -> int | None:
    """Where the reply begins in a text that begins with a trace, or inside one that `opened` opened; None = not yet."""
    begins = text.lstrip()
    opening = opened or next((o for o, _ in TRACES if begins.startswith(o)), "")
    if not opening:
        return 0
    closing = dict(TRACES)[opening]
    place = text.find(closing)
    if place < 0:
        return None
    return len(text) - len(text[place + len(closing) :].lstrip())


def _without_ends(text: str) -> tuple[str, tuple[str, ...]]:
    """The text before the end tokens at its end, and these tokens."""
    match = _ENDS.search(text) if text.rstrip()[-1:] in (">", "]") else None
    if match is None or _closes_markup(text, match):
        return text, ()
    return text[: match.start()], tuple(_END.findall(match.group()))


def _closes_markup(text: str, match: re.Match[str]) -> bool:
    """Whether the end is </s> of HTML, for which a <s> stands open; a <s> that begins the text is a token."""
    before = text[: match.start()].removeprefix("<s>")
    return match.group().strip() == "</s>" and before.count("<s>") > before.count("</s>")


class _Parts(NamedTuple):
    """A text without its traces, and they."""

    text: str
    trace: str
    is_open: bool


def _without_trace(text: str, tags: Tags) -> _Parts:
    """The text without what was thought aloud, and that; a trace without an end leaves what stands before it."""
    if channels := _without_channels(text):
        return channels
    lowered = text.lower()
    if not any(tag in lowered for tag in _lowered(tags)):  # a tenth of the time of the patterns
        return _Parts(text, "", False)
    openings, closings = _patterns(tags)
    traces: list[str] = []
    while True:
        if (end := _lone_closing(text, openings, closings)) is not None:
            traces.append(text[: end.start()].strip())
            text = text[end.end() :].lstrip()
            continue
        start = _opening(text, openings)
        if start is None:
            break
        before, after = text[: start.start()].rstrip(), text[start.end() :]
        inside, closing, rest = _cut_at(after, _closing_of(start, tags))
        traces.append(inside.strip())
        if not closing:
            return _Parts(before, _joined(traces), True)
        text = f"{before}\n\n{rest.lstrip()}" if before else rest.lstrip()
    return _Parts(_unframed(text) if traces else text, _joined(traces), False)


def _joined(traces: Sequence[str]) -> str:
    return "\n".join(filter(None, traces))


def _without_channels(text: str) -> _Parts | None:
    """The channel "final" of a reply in channels; None for other replies."""
    if "<|channel|>" not in text and not text.startswith("analysis"):
        return None
    begins = _ANALYSIS.match(text)
    final = [m for m in _FINAL.finditer(text) if begins or m.group().startswith("<")]
    if final:
        return _Parts(text[final[-1].end() :], text[: final[-1].start()], False)
    return _Parts("", text[begins.end() :].strip(), True) if begins else None


@lru_cache(maxsize=16)
def _lowered(tags: Tags) -> tuple[str, ...]:
    return tuple(tag.lower() for pair in tags for tag in pair)


@lru_cache(maxsize=16)
def _patterns(tags: Tags) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Any opening tag, and any closing one."""
    one, two = ("|".join(re.escape(pair[k]) for pair in tags) for k in (0, 1))
    return re.compile(one, re.IGNORECASE), re.compile(two, re.IGNORECASE)


def _closing_of(opening: re.Match[str], tags: Tags) -> str:
    return next(pair[1] for pair in tags if pair[0].lower() == opening.group().lower())


def _cut_at(text: str, tag: str) -> tuple[str, str, str]:
    """The text before a tag, the tag, and what follows; the tag "" where it is missing."""
    match = re.search(re.escape(tag), text, re.IGNORECASE)
    if match is None:
        return text, "", ""
    return text[: match.start()], match.group(), text[match.end() :]


def _opening(text: str, openings: re.Pattern[str]) -> re.Match[str] | None:
    """The first opening tag at the beginning of a line, outside of code."""
    return next((m for m in openings.finditer(text) if _begins_line(text, m.start())), None)


def _begins_line(text: str, place: int) -> bool:
    line = text[:place].rpartition("\n")[2]
    return not line.strip() and not _is_code(text, place)


def _is_code(text: str, place: int) -> bool:
    """Whether a block of code is open at a place."""
    return len(_FENCE.findall(text[:place])) % 2 == 1


def _lone_closing(
    text: str, openings: re.Pattern[str], closings: re.Pattern[str]
) -> re.Match[str] | None:
    """The first closing tag, where the template wrote the opening one: none stands before it."""
    match = closings.search(text)
    if match is None or openings.search(text, 0, match.start()) or _is_code(text, match.start()):
        return None
    behind = _BEHIND_A_SENTENCE.search(text[: match.start()])
    return match if behind or _BEFORE_A_BLANK_LINE.match(text, match.end()) else None


def _unframed(text: str) -> str:
    """The text inside the marks of a reply."""
    for opening, closing in _AROUND:
        if text.startswith(opening):
            return text.removeprefix(opening).rstrip().removesuffix(closing).strip()
    return text
