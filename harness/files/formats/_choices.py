"""One choice of a response of OpenAI's endpoints chat/completions and completions, wherever it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.files.answers import Answer
from harness.files.conversations import content_text
from harness.files.formats._stops import stop_of, text_or_none, thoughts


def choice_answer(choice: Mapping[str, Any], blank: Answer) -> Answer:
    """The answer that a choice holds; `blank` = the answer without what the choice says."""
    message = choice.get("message")
    stop, trace = stop_of(str(choice.get("finish_reason"))), thoughts(message)
    text = text_or_none(_choice_text(choice, blank.place), stop, trace, message)
    return replace(
        blank,
        value=text,
        draw=int(choice.get("index") or 0),
        stop=stop,
        trace=trace,
        missing="a choice without a text" if text is None else "",
    )


def _choice_text(choice: Mapping[str, Any], place: str) -> str | None:
    message = choice.get("message") or {}
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        content = content_text(content, place)
    # an empty content beside a refusal is not an answer of its own
    text = content or message.get("refusal")
    if text is None:
        text = choice.get("text") if content is None else content
    return text
