"""Why a reply ended, and what was thought aloud before it, as the programs and servers of others spell it.

Sources: references of the OpenAI, Anthropic, Gemini, Cohere, Mistral and Bedrock APIs; vLLM, SGLang, Text Generation
Inference, llama.cpp's server and Ollama.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from harness.keys import parse_json

STOPS = (
    "finish_reason", "stop_reason", "finishReason", "stopReason", "finish_reasons", "stop_reasons", "done_reason",
    "stop_type",
)  # fmt: skip
TRACES = ("reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_trace")
FLAGS = ("truncated", "is_truncated", "stopped_limit")
_LIMIT = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_completion_tokens", "max_length",
        "model_length", "model_context_window_exceeded", "context_length", "context_window_exceeded", "limit",
        "token_limit", "error_limit",
    }
)  # fmt: skip
_END = frozenset(
    {
        "stop",
        "eos",
        "eos_token",
        "end_turn",
        "end_of_turn",
        "complete",
        "completed",
        "finish",
        "finished",
    }
)
_STRING = frozenset({"stop_sequence", "stop_word", "word"})


def stop_of(cell: Any) -> str:
    """ "eos", "length" or "stop" of a stated reason; "unknown" where it says nothing of the end."""
    if isinstance(cell, Mapping):
        return stop_of(cell.get("type") or cell.get("reason"))
    if isinstance(cell, str) and cell.lstrip().startswith(
        ("[", "{")
    ):  # as a CSV has lists and objects
        try:
            return stop_of(parse_json(cell))
        except json.JSONDecodeError:
            return "unknown"
    if isinstance(cell, (list, tuple)):
        return stop_of(cell[0]) if cell else "unknown"
    word = str(cell).rpartition(".")[2].strip().lower()
    kinds = {"length": _LIMIT, "eos": _END, "stop": _STRING}
    return next((stop for stop, words in kinds.items() if word in words), "unknown")


def stated_stop(*places: Any) -> str:
    """The stop that the first of these objects states under a usual name; "unknown" where none does."""
    for place in places:
        if isinstance(place, Mapping):
            stops = [stop_of(place[name]) for name in STOPS if name in place]
            stops += ["length" for name in FLAGS if str(place.get(name)).strip().lower() == "true"]
            if known := [s for s in stops if s != "unknown"]:
                return "length" if "length" in known else known[0]
    return "unknown"


def thoughts(message: Any) -> str:
    """What a message holds of thoughts beside its text: in a field of its own, or in parts; "" where it has none."""
    if not isinstance(message, Mapping):
        return ""
    own = next((v for n in TRACES if isinstance(v := message.get(n), str) and v.strip()), "")
    return own or thoughts_in(message.get("content"))


def thoughts_in(content: Any) -> str:
    """The same of the parts of a message's content."""
    parts = content if isinstance(content, (list, tuple)) else ()
    return joined_thoughts(
        _thought(part)
        for part in parts
        if isinstance(part, Mapping) and part.get("type") in ("thinking", "reasoning")
    )


def _thought(part: Mapping[str, Any]) -> str:
    """The text of a part: itself, or parts of it (Mistral), or a summary where the text is a cipher (Inspect)."""
    names = ("summary",) if part.get("redacted") else ("thinking", "reasoning", "text", "summary")
    return next((text for name in names if (text := _text_in(part.get(name))).strip()), "")


def _text_in(cell: Any) -> str:
    """A text, or the texts of a list of texts and of parts that have one; "" for anything else."""
    if isinstance(cell, (list, tuple)):
        texts = (p.get("text") if isinstance(p, Mapping) else p for p in cell)
        return "".join(text for text in texts if isinstance(text, str))
    return cell if isinstance(cell, str) else ""


def text_or_none(text: str | None, stop: str, trace: str, message: Any = None) -> str | None:
    """A reply; "" where only a thought came, or the limit did before the text; None where there is none.

    message: where it stands; a call of a tool in the place of a text is not a reply.
    """
    if text is not None or (isinstance(message, Mapping) and calls_tool(message)):
        return text
    return "" if trace.strip() or stop == "length" else None


def calls_tool(message: Mapping[str, Any]) -> bool:
    """Whether a message calls a tool."""
    return bool(message.get("tool_calls") or message.get("function_call"))


def joined_thoughts(parts: Iterable[str]) -> str:
    """Thoughts as one text."""
    return "\n\n".join(p.strip() for p in parts if p.strip())
