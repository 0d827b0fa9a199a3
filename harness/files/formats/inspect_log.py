"""Samples of a log of Inspect, `.eval` or `.json`; a model's reasoning is not part of its reply, epochs are samples.

Source: inspect.aisi.org.uk/eval-logs.html and its reference of EvalSample and ModelOutput.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import NULL, beginning, failed_call, name_of
from harness.files.conversations import content_text, conversation, flattened
from harness.files.formats import Format, Reading
from harness.files.formats._stops import stop_of, text_or_none, thoughts
from harness.files.rows import Row

_ATTACHED = "attachment://"


def _recognises(row: Row) -> bool:
    output = row.get("output")
    return (
        {"id", "epoch", "input"} <= row.keys()
        and isinstance(output, Mapping)
        and "choices" in output
    )


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    attached = row.get("attachments") or {}
    asked = _resolved(row["input"], attached)
    turns = conversation(asked, place)
    context, system = flattened(turns) if turns is not None else (str(asked), None)
    choice = next(iter(row["output"]["choices"] or ()), None)
    error = row.get("error")
    missing = f"an error: {beginning(_message(error))}" if error else ""
    value = None
    if choice is None:
        missing = missing or "a sample without a reply"
    elif not missing:
        content = text_or_none(
            _resolved(choice["message"].get("content"), attached),
            stop_of(choice.get("stop_reason")),
            _trace(choice, attached),
            choice["message"],
        )
        missing = NULL if content is None else failed_call(content)
        value = None if missing else content_text(content, place)
    yield Answer(
        "generate",
        value,
        place,
        context,
        name_of(row["id"]) or "",
        system=system,
        draw=int(row["epoch"]),
        missing=missing,
        stop=stop_of((choice or {}).get("stop_reason")),
        trace=_trace(choice, attached),
    )


def _trace(choice: Any, attached: Mapping[str, str]) -> str:
    return thoughts(_resolved((choice or {}).get("message"), attached))


def _message(error: Any) -> Any:
    return error.get("message", error) if isinstance(error, Mapping) else error


def _resolved(value: Any, attached: Mapping[str, str]) -> Any:
    """A value with the long texts that the log keeps beside the sample put back in their places."""
    if isinstance(value, str) and value.startswith(_ATTACHED):
        return attached.get(value.removeprefix(_ATTACHED), value)
    if isinstance(value, list):
        return [_resolved(v, attached) for v in value]
    if isinstance(value, Mapping):
        return {k: _resolved(v, attached) for k, v in value.items()}
    return value


FORMAT = Format("a log of Inspect", _recognises, _answers, files=("*.eval",))
