"""Rows of lm-eval's `--log_samples` files as Answers (the format of lm-eval 0.4.13).

A row holds `arguments`, {gen_args_0: {arg_0: context, arg_1: continuation or generation settings}, ...}, one per
request, and `resps`, one list of repeats per request with every number and truth value spelt as text. A task with
several filters has each row once per filter, with the same arguments and resps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from harness.models._recorded_answers import Answer, beginning, flattened
from harness.types import DistillbenchError, Message


def sample_answers(arguments: Any, resps: Any, place: str) -> Iterator[Answer]:
    """The answers of one row: a text per repeat, or a log-probability per slot."""
    asked = [_listed(a, "arg_") for a in _listed(arguments, "gen_args_")]
    if not asked or not isinstance(resps, list) or len(resps) != len(asked):
        raise DistillbenchError(
            f"{place}: expected as many `resps` as `arguments`; record with --log_samples"
        )
    for request, repeats in zip(asked, resps, strict=True):
        for draw, value in enumerate(repeats):
            yield _answer(request, value, draw, place)


def messages_of(cells: Sequence[Any], place: str) -> list[Message]:
    """Messages of a conversation in OpenAI's form; parts of a message that are not text are refused."""
    messages = []
    for cell in cells:
        content = cell.get("content") if isinstance(cell, dict) else None
        if isinstance(content, list) and all(
            isinstance(c, dict) and isinstance(c.get("text"), str) for c in content
        ):
            content = "".join(c["text"] for c in content)
        if not isinstance(content, str) or not isinstance(cell.get("role"), str):
            raise DistillbenchError(
                f"{place}: expected messages with a role and a text, got {beginning(json.dumps(cell, default=str))}"
            )
        messages.append(Message(cell["role"], content))
    return messages


def _answer(request: Sequence[Any], value: Any, draw: int, place: str) -> Answer:
    context, system = _context(request[0], place) if request else ("", None)
    if len(request) == 1:  # rolling: the whole text is scored, and there is no context
        nats = value[0] if isinstance(value, list) and value else value
        return Answer("read", "", (_nats(nats, place), None), place, context, system, draw)
    if isinstance(request[1], str):
        if not isinstance(value, list) or len(value) != 2:
            raise DistillbenchError(
                f"{place}: expected [log-probability, greedy] in `resps`, got {beginning(str(value))}"
            )
        scored = (_nats(value[0], place), str(value[1]) == "True")
        return Answer("score", context, scored, place, request[1], system, draw)
    if not isinstance(value, str):
        raise DistillbenchError(f"{place}: expected a text in `resps`, got {beginning(str(value))}")
    return Answer("generate", context, value, place, system=system, draw=draw)


def _context(cell: Any, place: str) -> tuple[str, str | None]:
    """(context, system message); chat models log their messages as JSON, in a list of one text."""
    if isinstance(cell, list) and len(cell) == 1 and isinstance(cell[0], str):
        cell = cell[0]
    if isinstance(cell, str) and cell.startswith(("[{", '{"messages"')):
        try:
            found = json.loads(cell)
        except json.JSONDecodeError:
            return cell, None  # a context may well begin like JSON
        turns = found["messages"] if isinstance(found, dict) else found
        return (
            flattened(messages_of(turns, place))
            if all("role" in t for t in turns)
            else (cell, None)
        )
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


def _nats(value: Any, place: str) -> float:
    try:
        nats = float(value)
    except (TypeError, ValueError):
        nats = math.nan
    if not math.isfinite(nats):
        raise DistillbenchError(
            f"{place}: expected a finite log-probability in nats, got {beginning(str(value))}"
        )
    return nats
