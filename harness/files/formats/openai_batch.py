"""Output of OpenAI's batch API, of its endpoints chat/completions, completions and responses.

Source: platform.openai.com/docs/api-reference/batch (request-output object) and /responses/object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import beginning, name_of
from harness.files.formats import Format, Reading
from harness.files.formats._asked import asked_under
from harness.files.formats._choices import choice_answer
from harness.files.formats._stops import joined_thoughts, stop_of
from harness.files.rows import Row


def _recognises(row: Row) -> bool:
    return {"custom_id", "response"} <= row.keys()


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    name = name_of(row["custom_id"]) or ""
    asked = asked_under(name, reading.asked, place, reading.prompts_file)
    context, system = (asked.context, asked.system) if asked else (None, None)
    blank = Answer("generate", None, place, context, name, system=system)
    body, failure = _body(row)
    if failure:
        yield replace(blank, missing=failure)
    elif "output" in body:
        yield _response(body, blank)
    else:
        choices = sorted(body.get("choices") or [], key=lambda c: int(c.get("index") or 0))
        yield from (choice_answer(choice, blank) for choice in choices)


def _body(row: Row) -> tuple[Mapping[str, Any], str]:
    """(the response's body, "") or ({}, why the request failed)."""
    response = row["response"]
    if not isinstance(response, Mapping):
        return {}, f"an error: {beginning(row.get('error') or 'no response')}"
    body, status = response.get("body"), response.get("status_code", 200)
    if status != 200 or not isinstance(body, Mapping):
        return {}, f"an error: status {status}"
    if body.get("error"):
        return {}, f"an error: {beginning(body['error'])}"
    if not body.get("choices") and not body.get("output"):
        return {}, "a response without a text"
    return body, ""


def _response(body: Mapping[str, Any], blank: Answer) -> Answer:
    """The answer of the endpoint responses: the texts of its messages, and of its reasoning."""
    parts = [
        part
        for item in body["output"]
        if item.get("type") == "message"
        for part in item.get("content") or []
    ]
    texts = [part.get("text") or part.get("refusal") or "" for part in parts]
    why = (body.get("incomplete_details") or {}).get("reason")
    stop = "stop" if body.get("status") == "completed" else str(why)
    thought = [
        str(part.get("text") or "")
        for item in body["output"]
        if item.get("type") == "reasoning"
        for part in item.get("content") or item.get("summary") or []
    ]
    empty = "" if stop == "max_output_tokens" else None
    text = "".join(texts) if parts else empty
    return replace(
        blank,
        value=text,
        stop=stop_of(stop),
        trace=joined_thoughts(thought),
        missing="a response without a text" if text is None else "",
    )


FORMAT = Format("output of OpenAI's batch API", _recognises, _answers)
