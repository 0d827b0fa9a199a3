"""How a reply ended, in the words of servers and libraries.

Source: the references of OpenAI (finish_reason, incomplete_details), Anthropic (stop_reason), Inspect (stop_reason),
Gemini (finishReason), Cohere (finish_reason), Hugging Face TGI (finish_reason) and Ollama (done_reason).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

Stop = Literal["eos", "length", "stop", "unknown"]

# names under which tables hold it
COLUMNS = ("finish_reason", "stop_reason", "finishReason", "done_reason")
_WORDS: Mapping[Stop, str] = MappingProxyType(
    {
        "eos": "stop eos eos_token end_turn complete completed finished",
        "stop": "stop_sequence stop_str",
        "length": "length max_length max_tokens max_new_tokens max_output_tokens model_length "
        "model_context_window_exceeded",
        # it ended for a reason of another kind
        "unknown": "unknown content_filter tool_calls tool_use function_call pause_turn refusal safety recitation "
        "error error_toxic load other none abort",
    }
)
_STOPS: Mapping[str, Stop] = MappingProxyType(
    {word: stop for stop, words in _WORDS.items() for word in words.split()}
)
EXPECTED = "stop, eos, end_turn, length, max_tokens ..."


def stop_of(said: Any) -> Stop | None:
    """What a word of a server says of a reply's end; "unknown" for no word, None for one that nobody uses."""
    return _STOPS.get("unknown" if said is None else str(said).strip().lower() or "unknown")
