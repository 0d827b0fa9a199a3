"""What a model costs: facts of it, and what its answers took in a run. Pure."""

from __future__ import annotations

from collections.abc import Callable

from harness.board import numerals
from harness.board.board import speed
from harness.board.record import RunRecord
from harness.board.tables import DASH, Cell


def _parameters(run: RunRecord, model: str) -> Cell:
    n = run.models.get(model, {}).get("parameters")
    if not isinstance(n, (int, float)):
        return Cell(None, DASH, "the size of recorded models is not known")
    return Cell(int(n), numerals.scaled(n), f"{numerals.count(n)} parameters")


def _disk(run: RunRecord, model: str) -> Cell:
    n = run.models.get(model, {}).get("size_bytes")
    if not isinstance(n, (int, float)):
        return Cell(None, DASH, "the size of recorded models is not known")
    return Cell(int(n), numerals.size(n))


def _speed(run: RunRecord, model: str) -> Cell:
    per_s = speed(run, model)
    if per_s is None:
        return Cell(None, DASH, "no seconds were measured: the answers were recorded elsewhere")
    return Cell(per_s, numerals.scaled(per_s))


def _memory(run: RunRecord, model: str) -> Cell:
    timed = [c for c in run.collections if c.model == model and c.wall_s > 0]
    peak = max((c.peak_memory_bytes for c in timed), default=0)
    if not peak:
        return Cell(None, DASH, "no memory was measured: the answers were made elsewhere")
    return Cell(peak, numerals.size(peak))


def _price(run: RunRecord, model: str) -> Cell:
    paid = [c for c in run.collections if c.model == model and c.usd is not None and c.n_answered]
    if not paid:
        return Cell(None, DASH, "no price is known")
    n = sum(c.n_answered for c in paid)
    usd = 1000 * sum(c.usd or 0.0 for c in paid) / n
    return Cell(usd, f"${numerals.number(usd)}", f"over {numerals.count(n)} answers")


FACTS: tuple[tuple[str, str, str, Callable[[RunRecord, str], Cell]], ...] = (
    ("parameters", "Size", "parameters", _parameters),
    ("size_bytes", "Disk", "of the weights", _disk),
    ("tokens_per_s", "Speed", "tokens per second", _speed),
    ("memory_bytes", "Memory", "at its peak", _memory),
    ("usd", "Price", "of 1,000 answers", _price),
)


# what a model costs: name of its column, words with the direction that is better, value in a run
COSTS: tuple[tuple[str, str, Callable[[RunRecord, str], Cell]], ...] = (
    ("usd", "Price of 1,000 answers, $ (less is better)", _price),
    ("tokens_per_s", "Tokens per second (more is better)", _speed),
    ("parameters", "Parameters (fewer are better)", _parameters),
    ("memory_bytes", "Peak memory, bytes (less is better)", _memory),
)
