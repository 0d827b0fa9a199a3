"""What was asked under which id, from a file of requests (the input of a batch, or a table of questions)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.files.cells import beginning, is_missing, name_of, text_of
from harness.files.conversations import content_text, conversation, flattened, joined
from harness.files.formats import Asked
from harness.files.rows import Row, read_rows
from harness.types import DistillbenchError

IDS = ("custom_id", "question_id", "uid", "doc_id", "prompt_id", "sample_id", "id")
_PROMPTS = ("messages", "conversations", "prompt", "instruction", "question", "text", "turns")


def read_asked(path: Path) -> dict[str, Asked]:
    """Id -> what was asked; raises DistillbenchError for a row without an id or a prompt, and for ids that repeat."""
    table = read_rows(path, {}, ())
    known: dict[str, Asked] = {}
    for number, row in zip(table.numbers, table.rows, strict=True):
        place = f"{path}, row {number}"
        name = next((n for i in IDS if i in row and (n := name_of(row[i]))), None)
        if name is None:
            raise DistillbenchError(
                f"{place}: expected an id in one of the columns {', '.join(IDS)}, got none of them"
            )
        asked = _asked(row, place)
        if known.setdefault(name, asked) != asked:
            raise DistillbenchError(
                f"{place}: id {name!r} stands twice with different prompts; ids must differ"
            )
    return known


def _asked(row: Row, place: str) -> Asked:
    """OpenAI's and Anthropic's requests hold what was asked inside; other rows are questions."""
    body = next((row[n] for n in ("body", "params") if isinstance(row.get(n), Mapping)), row)
    cell = next((body[n] for n in (*_PROMPTS, "input") if not is_missing(body.get(n))), None)
    if cell is None:
        raise DistillbenchError(
            f"{place}: expected body.messages, body.prompt or body.input, or a column of prompts, got none of them"
        )
    turns = conversation(cell, place)
    context, system = flattened(turns) if turns is not None else (text_of(cell) or "", None)
    more = row.get("input") if "instruction" in row else None
    if isinstance(more, str) and more.strip():
        context = joined(context, more)
    return Asked(context, _system(body, place) or system)


def _system(body: Mapping[str, Any], place: str) -> str | None:
    """The system message beside a conversation: Anthropic's `system`, OpenAI's `instructions`."""
    cell = next((body[n] for n in ("system", "instructions") if body.get(n)), None)
    return None if cell is None else content_text(cell, place)


def asked_under(
    name: str, asked: Mapping[str, Asked] | None, place: str, path: Path | None
) -> Asked | None:
    """What was asked under an id; None where no file of requests is named.

    Raises DistillbenchError where that file lacks the id.
    """
    if asked is None:
        return None
    if name not in asked:
        raise DistillbenchError(
            f"{place}: id {beginning(name)} is not in {path}; give the file that the answers were made from"
        )
    return asked[name]
