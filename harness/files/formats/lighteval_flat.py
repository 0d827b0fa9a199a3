"""Details of lighteval before 0.11: one flat row per question, lists often written as Python's text of them.

Source: huggingface/lighteval 0.4 to 0.10, `logging/info_loggers.py` (Detail) and `logging/evaluation_tracker.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import beginning, failed_call, required_text
from harness.files.formats import Format, Reading
from harness.files.formats._numbers import nats_of
from harness.files.rows import Row
from harness.types import DistillbenchError

_COLUMNS = ("example", "predictions", "choices", "specifics")


def _recognises(row: Row) -> bool:
    return {"example", "full_prompt", "predictions", "cont_tokens"} <= row.keys()


def _columns(given: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    return {name: name for name in _COLUMNS if name in names}


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    said, choices = (_listed(row.get(c), f"{place}: {c}") for c in ("predictions", "choices"))
    asked = required_text(row.get("example"), place, "example") or ""
    if "multi_turn_queries" in str(row.get("specifics")):
        raise DistillbenchError(
            f"{place}: expected one question a row, got a conversation of several turns, whose replies these details "
            "do not tell apart from samples; run lighteval 0.11 or later"
        )
    if all(isinstance(prediction, str) for prediction in said):
        for draw, text in enumerate(said):
            missing = failed_call(text)
            value = None if missing else text
            yield Answer("generate", value, place, asked, draw=draw, missing=missing)
        return
    if len(said) != len(choices):
        raise DistillbenchError(
            f"{place}: expected a log-probability per choice, got {len(said)} of {len(choices)} choices"
        )
    for slot, (prediction, choice) in enumerate(zip(said, choices, strict=True)):
        nats, greedy = prediction if isinstance(prediction, (list, tuple)) else (prediction, None)
        scored = (nats_of(nats, place), None if greedy is None else bool(greedy))
        yield Answer("score", scored, place, asked, continuation=str(choice), slot=slot)


def _listed(cell: Any, place: str) -> list[Any]:
    """A list, also where it was written as Python's text of one; raises DistillbenchError for other texts."""
    if not isinstance(cell, str):
        return list(cell or ())
    values = _literal(cell)
    if values is None:  # minus infinity has no spelling of its own in Python
        values = _literal(cell.replace("-inf", "-1e999"))
    if not isinstance(values, list):
        raise DistillbenchError(
            f"{place}: expected a list, got {beginning(cell)}; run lighteval 0.11 or later, whose details are tables"
        )
    return values


def _literal(text: str) -> Any:
    """The value of a Python literal; None where it is none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


FORMAT = Format(
    "details of lighteval before 0.11",
    _recognises,
    _answers,
    _columns,
    files=("details_*.parquet",),
)
