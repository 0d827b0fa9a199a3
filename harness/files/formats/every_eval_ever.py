"""Instances of Every Eval Ever, of one turn or several.

Source: evaleval/every_eval_ever `every_eval_ever/schemas/instance_level_eval.schema.json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import NULL, failed_call, name_of, required_text
from harness.files.conversations import content_text, flattened, messages_of
from harness.files.formats import Format, Reading
from harness.files.formats._stops import calls_tool, stated_stop, text_or_none, thoughts
from harness.files.rows import Row
from harness.types import DistillbenchError


def _recognises(row: Row) -> bool:
    asked = row.get("input")
    return {"evaluation_id", "sample_id"} <= row.keys() and isinstance(asked, Mapping)


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    blank = Answer("generate", None, place, None, name_of(row["sample_id"]) or "")
    if row.get("messages"):
        yield _of_conversation(row, row["messages"], blank)
        return
    context = required_text(row["input"].get("raw"), place, "input.raw") or ""
    stop = stated_stop(row.get("output"), row)
    for draw, text in enumerate(_texts(row.get("output"))):
        own = replace(blank, context=context, draw=draw, stop=stop, trace=_trace(row, draw))
        yield _filled(own, text, row.get("error"))


def _of_conversation(row: Row, messages: Sequence[Row], blank: Answer) -> Answer:
    """The last turn of a conversation; where that is not a reply, the one beside it, or none."""
    place = blank.place
    messages = [m for m in messages if m.get("content") is not None or m.get("role") == "assistant"]
    turns = messages_of([{**m, "content": m.get("content")} for m in messages], place)
    is_chat = all(t.role in ("system", "user", "assistant") for t in turns)
    if not turns or not is_chat or any(map(calls_tool, messages)):
        raise DistillbenchError(
            f"{place}: expected a conversation between user and assistant, got an agent's with tools; such a row "
            "is not a reply"
        )
    is_said = turns[-1].role == "assistant"
    context, system = flattened(turns[:-1] if is_said else turns)
    said = messages[-1] if is_said else None
    text = _texts(row.get("output"))[0] if said is None else said.get("content")
    stop, trace = stated_stop(said, row.get("output"), row), thoughts(said) or _trace(row, 0)
    text = None if text is None else content_text(text, place)
    own = replace(blank, context=context, system=system, stop=stop, trace=trace)
    return _filled(own, text, row.get("error"))


def _texts(output: Any) -> list[Any]:
    """The replies of a row: a list, in older files one text; one missing reply where there is none."""
    raw = output.get("raw") if isinstance(output, Mapping) else None
    return (raw or [None]) if isinstance(raw, list) or raw is None else [raw]


def _trace(row: Row, draw: int) -> str:
    """The reasoning beside a reply: a list like the replies, in older files one text."""
    output = row.get("output")
    traces = output.get("reasoning_trace") if isinstance(output, Mapping) else None
    if isinstance(traces, list):
        traces = traces[draw] if draw < len(traces) else None
    return traces if isinstance(traces, str) else ""


def _filled(blank: Answer, text: Any, error: Any) -> Answer:
    """The answer with its text, or with the reason why it has none."""
    text = text_or_none(text, blank.stop, blank.trace)
    failure = failed_call(text, error)
    value = None if failure else required_text(text, blank.place, "output.raw")
    return replace(blank, value=value, missing=failure or (NULL if value is None else ""))


FORMAT = Format("instances of Every Eval Ever", _recognises, _answers)
