"""Results of Anthropic's message batches; a model's thinking is not part of its reply.

Source: docs.anthropic.com, Message Batches API, retrieve results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.files.answers import Answer
from harness.files.cells import beginning, name_of
from harness.files.conversations import content_text
from harness.files.formats import Format, Reading
from harness.files.formats._asked import asked_under
from harness.files.formats._stops import stop_of, thoughts
from harness.files.rows import Row


def _recognises(row: Row) -> bool:
    result = row.get("result")
    return "custom_id" in row and isinstance(result, Mapping) and "type" in result


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    name, result = name_of(row["custom_id"]) or "", row["result"]
    asked = asked_under(name, reading.asked, place, reading.prompts_file)
    message = result.get("message") if result["type"] == "succeeded" else None
    value, missing, stop = None, "", "unknown"
    if isinstance(message, Mapping):
        value = content_text(message.get("content") or "", place)
        stop = stop_of(message.get("stop_reason"))
    else:
        missing = f"an error: {beginning(result.get('error') or result['type'])}"
    yield Answer(
        "generate",
        value,
        place,
        asked.context if asked else None,
        name,
        system=asked.system if asked else None,
        stop=stop,
        trace=thoughts(message),
        missing=missing,
    )


FORMAT = Format("an Anthropic message batch", _recognises, _answers)
