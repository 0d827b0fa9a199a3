"""Any table: columns that the user names, or that have their usual names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import (
    NULL,
    beginning,
    failed_call,
    is_missing,
    name_of,
    required_text,
)
from harness.files.conversations import (
    conversation,
    flattened,
    joined,
    said_text,
    without_answer,
)
from harness.files.formats import Format, Reading
from harness.files.formats._asked import IDS, asked_under
from harness.files.formats._stops import FLAGS, STOPS, TRACES, stated_stop, text_or_none, thoughts
from harness.files.rows import Row
from harness.text.labels import label_text
from harness.types import DistillbenchError

# Names that a table without `columns` is searched for; "answer" is not among them: often it is the
# right one.
_USUAL = {
    "prompt": ("prompt", "instruction", "question", "messages", "conversations"),
    "answer": ("response", "output", "completion"),
}


def settled(given: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    """Role -> column: what the user names, the usual names for the rest, and Alpaca's `input` where it stands."""
    columns = dict(given)
    if not {"answer", "choice"} & columns.keys():
        columns["answer"] = _usual("answer", names)
    if "prompt" not in columns and "id" not in columns:
        prompt, name = _usual("prompt", names), next((i for i in IDS if i in names), None)
        if prompt in names or name is None:
            columns["prompt"] = prompt
        else:
            columns["id"] = name
    if columns.get("prompt") == "instruction" and {"input", "output"} <= set(names):
        columns.setdefault("input", "input")
    if "error" in names:
        columns["error"] = "error"
    if "trace" not in columns and TRACES[0] in names:
        columns["trace"] = TRACES[0]
    # whatever may say how a reply ended; a column that the user names comes first
    return columns | {f"stop {name}": name for name in (*STOPS, *FLAGS) if name in names}


def answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    """The text of a row, or its option, or both."""
    columns = reading.columns
    cells = {role: row.get(column) for role, column in columns.items()}
    name = _name(cells.get("id"), place, columns)
    stop = stated_stop({STOPS[0]: cells.get("stop")}, row)
    text, missing = _text(cells, place, columns, stop)
    context, system = _context(cells, place, columns, text)
    asked = asked_under(name, reading.asked, place, reading.prompts_file) if name else None
    if context is None and asked is not None:
        context, system = asked.context, asked.system
    if "system" in columns:
        system = required_text(cells["system"], place, columns["system"]) or None
    draw = _label(cells.get("sample"))
    blank = Answer("generate", None, place, context, name, system=system, draw=draw)
    if "answer" in columns:
        yield replace(blank, value=text, missing=missing, stop=stop, trace=_trace(cells))
    if "choice" in columns:
        failure = failed_call(cells["choice"])
        option = None if failure else _option(cells["choice"], place, columns["choice"])
        yield replace(blank, kind="choose", value=option, missing=failure)


def _trace(cells: Mapping[str, Any]) -> str:
    """What was thought aloud, in a column of its own or beside the text of a message."""
    cell = cells.get("trace")
    return cell if isinstance(cell, str) else thoughts(cells.get("answer"))


def _usual(role: str, names: Sequence[str]) -> str:
    return next((n for n in _USUAL[role] if n in names), _USUAL[role][0])


def _name(cell: Any, place: str, columns: Mapping[str, str]) -> str:
    try:
        return name_of(cell) or ""
    except TypeError as error:
        raise DistillbenchError(
            f"{place}: column {columns['id']!r}: {error}; an id is a text or a number"
        ) from None


def _text(
    cells: Mapping[str, Any], place: str, columns: Mapping[str, str], stop: str
) -> tuple[str | None, str]:
    """(the answer, "") or (None, why there is none)."""
    cell = cells.get("answer")
    is_message = isinstance(cell, Mapping) and "content" in cell
    said = said_text(cell, place) if is_message else None if is_missing(cell) else cell
    said = text_or_none(said, stop, _trace(cells), cell)
    failure = failed_call(said if is_message else cell, cells.get("error"))
    if failure or said is None:
        return None, failure or NULL
    return required_text(said, place, columns["answer"]), ""


def _context(
    cells: Mapping[str, Any], place: str, columns: Mapping[str, str], answer: str | None
) -> tuple[str | None, str | None]:
    """(prompt, system message) of a cell that holds text, a number, or a conversation; None where there is no column.

    A last assistant's turn that is the answer is not part of the prompt.
    """
    if "prompt" not in columns:
        return None, None
    cell, column = cells["prompt"], columns["prompt"]
    turns = conversation(cell, f"{place}: column {column!r}")
    if turns is not None:
        before = without_answer(turns, answer)
        if before is None:
            raise DistillbenchError(
                f"{place}: column {column!r}: expected a conversation that ends in the question or in the answer, got "
                f"another reply at its end: {beginning(turns[-1].text)}"
            )
        return flattened(before)
    if is_missing(cell) and not cells.get("id"):
        raise DistillbenchError(f"{place}: column {column!r} is empty; expected a prompt")
    more = required_text(cells.get("input"), place, columns.get("input", ""))
    text = name_of(cell) if isinstance(cell, float) else required_text(cell, place, column)
    return (None if text is None else joined(text, more)), None


def _label(cell: Any) -> int | str:
    """The label of a sample; rows without one are of the first."""
    return cell if isinstance(cell, (int, str)) else 0 if is_missing(cell) else str(cell)


def _option(cell: Any, place: str, column: str) -> str | None:
    """The label of the option that a cell names, or None; which option that is depends on the question."""
    try:
        return None if is_missing(cell) else label_text(cell)
    except ValueError as error:
        raise DistillbenchError(f"{place}: column {column!r}: {error}, or nothing") from None


FORMAT = Format("a table", lambda row: True, answers, settled)
