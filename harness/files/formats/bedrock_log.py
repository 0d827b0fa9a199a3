"""Logs of model invocations that Amazon Bedrock writes to S3 or CloudWatch: one JSON object a call.

Read are the bodies of Converse and ConverseStream, and of InvokeModel for models that answer as Anthropic's, Amazon's,
Meta's, Mistral's, Cohere's and OpenAI's do, streamed or not. `where: {modelId: ...}` chooses one model of a log.
Source: docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html and model-parameters.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.files.answers import Answer
from harness.files.cells import beginning, name_of
from harness.files.conversations import content_text, conversation, flattened
from harness.files.formats import Format, Reading
from harness.files.formats._asked import IDS, asked_under
from harness.files.formats._stops import joined_thoughts, stated_stop, stop_of, thoughts_in
from harness.files.rows import Row
from harness.keys import parse_json
from harness.types import DistillbenchError, Message

_TEXTS = ("generation", "outputText", "completion", "text", "generated_text")
_LISTS = ("results", "outputs", "choices", "generations")
_PROMPTS = ("prompt", "inputText", "message")


class _Asked(NamedTuple):
    """What a body asks; None = it does not hold it."""

    context: str | None = None
    system: str | None = None
    rendered: bool = False  # whether a template made the context


class _Said(NamedTuple):
    """What a body says; `text` None = none of the known shapes."""

    text: str | None
    stop: str = "unknown"
    trace: str = ""


def _recognises(row: Row) -> bool:
    return row.get("schemaType") == "ModelInvocationLog" and isinstance(row.get("input"), Mapping)


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    metadata = row.get("requestMetadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    own = next((n for i in IDS if i in told and (n := name_of(told[i]))), None)
    name = own or name_of(row.get("requestId")) or ""
    asked = asked_under(name, reading.asked, place, reading.prompts_file)
    wanted = _Asked(asked.context, asked.system) if asked else None
    try:
        wanted = wanted or _asked(_body(row["input"], "input"), place)
        output = row.get("output")
        said = _said(_body(output, "output") if isinstance(output, Mapping) else None)
        missing = _missing(row, said)
    except DistillbenchError as error:  # images, calls of tools: other calls of the log can be read
        wanted, said, missing = (
            wanted or _Asked(),
            _Said(None),
            str(error).removeprefix(f"{place}: "),
        )
    yield Answer(
        "generate", None if missing else said.text, place, wanted.context, name, system=wanted.system,
        stop=said.stop, trace=said.trace, rendered=wanted.rendered, missing=missing,
    )  # fmt: skip


def _missing(row: Row, said: _Said) -> str:
    if row.get("errorCode"):
        return f"an error: {beginning(row['errorCode'])}"
    if said.text is not None:
        return ""
    output = row.get("output")
    elsewhere = output.get("outputBodyS3Path") if isinstance(output, Mapping) else None
    if elsewhere:
        return f"its body lies in S3 and not in the log: {beginning(elsewhere)}"
    return "a call without a text that is known how to read"


def _body(part: Mapping[str, Any], which: str) -> Any:
    """The body of a request or response, which some exports spell as a text."""
    body = part.get(f"{which}BodyJson")
    return parse_json(body) if isinstance(body, str) else body


def _asked(body: Any, place: str) -> _Asked:
    """What the body of a request asks."""
    if not isinstance(body, Mapping):
        return _Asked()
    if isinstance(body.get("messages"), (list, tuple)):
        turns = [Message("system", t) for t in _texts(body.get("system"), place)]
        turns += conversation(list(body["messages"]), place) or []
        return _Asked(*flattened(turns))
    prompt = next((body[n] for n in _PROMPTS if isinstance(body.get(n), str)), None)
    return _Asked(prompt, None, prompt is not None)


def _texts(cell: Any, place: str) -> list[str]:
    """The system messages of a request."""
    return [content_text(cell, place)] if cell else []


def _said(body: Any) -> _Said:
    """The reply of a response's body."""
    if isinstance(body, Sequence) and not isinstance(body, str):
        return _streamed(body)
    if not isinstance(body, Mapping):
        return _Said(None)
    stop = stop_of(body.get("completionReason")) if "completionReason" in body else "unknown"
    stop = stop if stop != "unknown" else stated_stop(body)
    output = body.get("output")
    message = output.get("message") if isinstance(output, Mapping) else body.get("message")
    if isinstance(message, Mapping):
        return _of_parts(message.get("content"), stop)
    if isinstance(body.get("content"), (list, tuple)):
        return _of_parts(body["content"], stop)
    text = next((body[n] for n in _TEXTS if isinstance(body.get(n), str)), None)
    if text is not None:
        return _Said(text, stop)
    listed = next((body[n] for n in _LISTS if body.get(n)), None)
    inner = _said(listed[0]) if isinstance(listed, (list, tuple)) else _Said(None)
    return inner if inner.stop != "unknown" else inner._replace(stop=stop)


def _of_parts(content: Any, stop: str) -> _Said:
    """The reply of a message: its texts, its thoughts beside them; one that only calls a tool has none."""
    if isinstance(content, str):
        return _Said(content, stop)
    parts = [p for p in content or () if isinstance(p, Mapping)]
    texts = [p for p in parts if "text" in p and p.get("type") in (None, "text")]
    reasons = [
        p["reasoningContent"] for p in parts if isinstance(p.get("reasoningContent"), Mapping)
    ]
    trace = joined_thoughts(
        [*(str((r.get("reasoningText") or {}).get("text") or "") for r in reasons), thoughts_in(content)]
    )  # fmt: skip
    text = "".join(p["text"] for p in texts) if texts else None
    if text is None and (trace.strip() or stop == "length"):
        text = ""
    return _Said(text, stop, trace)


def _streamed(chunks: Sequence[Any]) -> _Said:
    """The reply of a stream that was logged piece by piece."""
    deltas = [
        c["delta"] for c in chunks if isinstance(c, Mapping) and isinstance(c.get("delta"), Mapping)
    ]
    if deltas:
        text = "".join(str(d.get("text") or "") for d in deltas)
        trace = "".join(str(d.get("thinking") or "") for d in deltas)
        return _Said(text, stated_stop(*deltas), trace)
    pieces = [_said(c) for c in chunks if isinstance(c, Mapping)]
    known = [p for p in pieces if p.text is not None]
    stop = next((p.stop for p in reversed(pieces) if p.stop != "unknown"), "unknown")
    return _Said("".join(str(p.text) for p in known) if known else None, stop)


FORMAT = Format("a log of model invocations of Amazon Bedrock", _recognises, _answers)
