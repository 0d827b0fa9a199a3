"""Rows of lm-eval's `--log_samples` files (the format of lm-eval 0.4.13).

A row holds `arguments`, {gen_args_0: {arg_0: context, arg_1: continuation or generation settings}, ...}, one per
request, and `resps`, one list of repeats per request with every number and truth value spelled as text. A task with
several filters has each row once per filter, with the same arguments and resps. The row's `doc` is its name: with
a chat template the context is what that template made of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import beginning, failed_call
from harness.files.conversations import flattened, messages_of
from harness.files.documents import document_digest
from harness.files.formats import Format, Reading
from harness.files.formats._numbers import nats_of
from harness.files.rows import Row
from harness.files.runs import task_of
from harness.keys import parse_json
from harness.types import DistillbenchError


def _recognises(row: Row) -> bool:
    return {"arguments", "resps"} <= row.keys()


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    """A text per repeat, or a log-probability per slot."""
    asked, resps = (
        [_listed(a, "arg_") for a in _listed(row["arguments"], "gen_args_")],
        row["resps"],
    )
    if not asked or not isinstance(resps, list) or len(resps) != len(asked):
        raise DistillbenchError(
            f"{place}: expected as many `resps` as `arguments`; record with --log_samples"
        )
    name = _name(row, reading)
    for slot, (request, repeats) in enumerate(zip(asked, resps, strict=True)):
        for draw, value in enumerate(repeats):
            yield _answer(request, value, draw, slot, name, place)


def _name(row: Row, reading: Reading) -> str:
    """The digest of the row of data, as the prompts of lm-eval's tasks are named; "" where the log lacks it."""
    leaf, doc = task_of(reading.file), row.get("doc")
    return document_digest(leaf, doc) if leaf and isinstance(doc, dict) else ""


def _answer(
    request: Sequence[Any], value: Any, draw: int, slot: int, name: str, place: str
) -> Answer:
    context, system = _context(request[0], place) if request else ("", None)
    if len(request) == 1:  # rolling: the whole text is scored, and there is no context
        nats = nats_of(value[0] if isinstance(value, list) and value else value, place)
        return Answer("read", (nats, None), place, "", name, context, system, draw, slot=slot)
    if isinstance(request[1], str):
        if not isinstance(value, list) or len(value) != 2:
            raise DistillbenchError(
                f"{place}: expected [log-probability, greedy] in `resps`, got {beginning(str(value))}"
            )
        scored = (nats_of(value[0], place), str(value[1]) == "True")
        return Answer("score", scored, place, context, name, request[1], system, draw, slot=slot)
    if not isinstance(value, str):
        raise DistillbenchError(f"{place}: expected a text in `resps`, got {beginning(str(value))}")
    missing = failed_call(value)
    text = None if missing else value
    return Answer(
        "generate", text, place, context, name, "", system, draw, missing=missing, slot=slot
    )


def _context(cell: Any, place: str) -> tuple[str, str | None]:
    """(context, system message); chat models log their messages as JSON, in a list of one text."""
    if isinstance(cell, list) and len(cell) == 1 and isinstance(cell[0], str):
        cell = cell[0]
    if isinstance(cell, str) and cell.startswith(("[{", '{"messages"')):
        try:
            value = parse_json(cell)
        except json.JSONDecodeError:
            return cell, None  # a context may well begin like JSON
        turns = value["messages"] if isinstance(value, dict) else value
        is_chat = all(isinstance(t, dict) and "role" in t for t in turns)
        return flattened(messages_of(turns, place)) if is_chat else (cell, None)
    if isinstance(cell, list):
        return flattened(messages_of(cell, place))
    if not isinstance(cell, str):
        raise DistillbenchError(
            f"{place}: expected a context in `arguments`, got {beginning(str(cell))}"
        )
    return cell, None


def _listed(cells: Any, prefix: str) -> list[Any]:
    """{prefix0: a, prefix1: b} or [a, b] as [a, b]."""
    if isinstance(cells, dict):
        return [cells[key] for key in sorted(cells, key=lambda k: int(str(k).removeprefix(prefix)))]
    return list(cells) if isinstance(cells, list) else []


FORMAT = Format("samples of lm-eval", _recognises, _answers, files=("samples_*.jsonl",))
