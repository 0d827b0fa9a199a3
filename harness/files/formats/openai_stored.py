"""Stored completions of OpenAI's API (`store=True`), as the list endpoint gives them: its pages, or their objects.

A completion does not hold what was asked. It is joined by an id: the one that its metadata names, else its own, which
`prompts_file` has beside the messages; or it bears `messages` itself, where whoever saved it added them.
Source: platform.openai.com/docs/api-reference/chat/list and /chat/getMessages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.files.answers import Answer
from harness.files.cells import name_of
from harness.files.conversations import conversation, flattened
from harness.files.formats import Format, Reading
from harness.files.formats._asked import IDS, asked_under
from harness.files.formats._choices import choice_answer
from harness.files.rows import Row


def _recognises(row: Row) -> bool:
    return row.get("object") == "chat.completion" and isinstance(row.get("choices"), list)


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    metadata = row.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    own = next((n for i in IDS if i in told and (n := name_of(told[i]))), name_of(row.get("id")))
    name = own or ""
    asked = asked_under(name, reading.asked, place, reading.prompts_file)
    context, system = (asked.context, asked.system) if asked else (None, None)
    if context is None and (turns := conversation(row.get("messages"), place)):
        context, system = flattened(turns)
    blank = Answer("generate", None, place, context, name, system=system)
    choices = sorted(row["choices"], key=lambda c: int(c.get("index") or 0))
    if not choices:
        yield replace(blank, missing="a completion without a choice")
    yield from (choice_answer(choice, blank) for choice in choices)


FORMAT = Format("stored completions of OpenAI's API", _recognises, _answers)
