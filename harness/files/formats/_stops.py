"""Why a reply ended, and what was thought aloud before it, as the programs and servers of others spell it.

Sources: references of the OpenAI, Anthropic, Gemini, Cohere, Mistral and Bedrock APIs; vLLM, SGLang, Text Generation
Inference, llama.cpp's server and Ollama.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STOPS = (
    "finish_reason", "stop_reason", "finishReason", "stopReason", "finish_reasons", "stop_reasons", "done_reason",
    "stop_type",
)  # fmt: skip
TRACES = ("reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_trace")
_FLAGS = ("truncated", "is_truncated", "stopped_limit")
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
        return stop_of(cell.get("type", cell.get("reason")))
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
            stops += ["length" for name in _FLAGS if place.get(name) is True]
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
        next(
            (v for n in ("thinking", "reasoning", "text") if isinstance(v := part.get(n), str)), ""
        )
        for part in parts
        if isinstance(part, Mapping) and part.get("type") in ("thinking", "reasoning")
    )


def joined_thoughts(parts: Iterable[str]) -> str:
    """Thoughts as one text."""
    return "\n\n".join(p.strip() for p in parts if p.strip())
