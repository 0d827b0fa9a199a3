"""The reply that measures see: what a model wrote, without the marks of the programs that carried it.

Stored answers stay as they came. Three things are taken out of what measures read, each only where it is certain: line
ends of other systems, end tokens behind the reply, and what a model thought aloud before it. All else that looks like a
mark is counted (`text/marks`) and never cut.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Part of the keys of grades, and of requests that are made from replies: raised when `clean` gives another text.
VERSION = 1
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
# Source: chat templates of DeepSeek R1, Qwen 3, Magistral and Kimi; the last two are what instructions often ask for.
TRACES = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
)
# Source: OpenAI's Harmony response format: the reply stands in the channel "final".
_FINAL = "<|channel|>final<|message|>"
_LINE_END = re.compile(r"\r+\n|\r")
_ENDS = re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, END_TOKENS))}))+\s*\Z")
_END = re.compile("|".join(map(re.escape, END_TOKENS)))


class Cleaned(NamedTuple):
    """A reply, and what was taken out of it."""

    text: str
    trace: str = ""  # what the model thought aloud before it
    ends: tuple[str, ...] = ()  # end tokens that stood behind it


def clean(stored: str) -> Cleaned:
    """The reply of a stored answer. The same again for its own text."""
    text = _LINE_END.sub("\n", stored) if "\r" in stored else stored
    text, ends = _without_ends(text)
    text, trace = _without_trace(text)
    return Cleaned(text, trace, ends)


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


def _without_trace(text: str) -> tuple[str, str]:
    """The text behind what was thought aloud, and that; a thought without an end leaves a reply of nothing."""
    if _FINAL in text:
        trace, _, text = text.rpartition(_FINAL)
        return text, trace
    traces = []
    for opening, closing in TRACES:
        if closing in text and opening not in text.partition(closing)[0]:
            text, trace = _after_closing(text, closing)
            traces += [trace] if trace else []
    while pair := next((p for p in TRACES if text.lstrip().startswith(p[0])), None):
        trace, _, text = text.lstrip().removeprefix(pair[0]).partition(pair[1])
        traces.append(trace.strip())
        text = text.lstrip()
    return text, "\n".join(traces)


def _after_closing(text: str, closing: str) -> tuple[str, str]:
    """The text behind a closing mark that stands on a line of its own: templates write the opening one themselves."""
    alone = re.search(rf"^[ \t]*{re.escape(closing)}[ \t]*$", text, re.MULTILINE)
    if alone is None:
        return text, ""
    return text[alone.end() :].lstrip(), text[: alone.start()].strip()
