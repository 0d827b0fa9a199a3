"""What a model costs: facts of it, and what its answers took in a run. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from harness.board import numerals
from harness.board.board import speed
from harness.board.record import CollectionRecord, RunRecord
from harness.board.tables import DASH, Cell, Head, Table

_SIZES = (1e7, 1e8, 1e9, 3e9, 1e10, 3e10, 1e11)  # ends of classes of parameters


_ENDS = [numerals.scaled(end) for end in _SIZES]
SIZE_CLASSES = (
    f"below {_ENDS[0]}",
    *(f"{low} to {high}" for low, high in pairwise(_ENDS)),
    f"from {_ENDS[-1]}",
)


def size_class(parameters: str | int | float | None) -> str:
    """A class of sizes in words; "" where the number of parameters is not known."""
    if not isinstance(parameters, (int, float)):
        return ""
    return SIZE_CLASSES[sum(parameters >= end for end in _SIZES)]


def costs_table(record: RunRecord) -> Table:
    """What each model's answers took, summed over tasks and samples: tokens, seconds, memory, dollars.

    A sweep's collections count once each. Columns that hold nothing are left out; Model and Answers always stand there.
    """
    models: dict[str, list[CollectionRecord]] = {}
    for c in record.collections:
        if not c.missing:
            models.setdefault(c.model, []).append(c)
    rows = [
        [Cell(m, m), *(make(models[m]) for _, _, make in _SUMS)]
        for m in record.models
        if m in models
    ]
    holds = [i for i in range(len(_SUMS) + 1) if i < 2 or any(row[i].text != DASH for row in rows)]
    heads = (Head("Model"), *(Head(name, note, numeric=True) for name, note, _ in _SUMS))
    return Table(
        tuple(heads[i] for i in holds), tuple(tuple(row[i] for i in holds) for row in rows)
    )


def _answers(of: Sequence[CollectionRecord]) -> Cell:
    n, asked = sum(c.n_answered for c in of), sum(c.n_requests for c in of)
    return Cell(n, numerals.count(n), "" if n == asked else f"of {numerals.count(asked)} requests")


def _sum_of(values: Sequence[float | None], words: Callable[[float], str], why: str) -> Cell:
    """A sum of what is known; a dash where nothing is."""
    known = [v for v in values if v]
    return Cell(sum(known), words(sum(known))) if known else Cell(None, DASH, why)


def _read(of: Sequence[CollectionRecord]) -> Cell:
    why = "tokens of prompts are counted by servers only"
    return _sum_of([c.n_prompt_tokens for c in of], numerals.count, why)


def _written(of: Sequence[CollectionRecord]) -> Cell:
    return _sum_of([c.n_tokens for c in of], numerals.count, "recorded answers, without tokens")


def _seconds(of: Sequence[CollectionRecord]) -> Cell:
    return _sum_of([c.wall_s for c in of], numerals.number, _ELSEWHERE)


def _per_second(of: Sequence[CollectionRecord]) -> Cell:
    timed = [c for c in of if c.wall_s > 0 and c.n_tokens > 0]
    wall_s = sum(c.wall_s for c in timed)
    if not wall_s:
        return Cell(None, DASH, _ELSEWHERE)
    per_s = sum(c.n_tokens for c in timed) / wall_s
    return Cell(per_s, numerals.scaled(per_s))


def _peak(of: Sequence[CollectionRecord]) -> Cell:
    peak = max(c.peak_memory_bytes for c in of)
    return Cell(peak, numerals.size(peak)) if peak else Cell(None, DASH, _ELSEWHERE)


def _dollars(of: Sequence[CollectionRecord]) -> Cell:
    known = [c.usd for c in of if c.usd is not None]
    if not known:
        return Cell(None, DASH, "no price is known")
    note = "" if len(known) == len(of) else f"of {len(known)} of {len(of)} collections"
    return Cell(sum(known), f"${numerals.number(sum(known))}", note)


_ELSEWHERE = "not measured: the answers were made elsewhere"
_SUMS: tuple[tuple[str, str, Callable[[Sequence[CollectionRecord]], Cell]], ...] = (
    ("Answers", "", _answers),
    ("Tokens read", "of prompts", _read),
    ("Tokens", "written or scored", _written),
    ("Seconds", "of answering", _seconds),
    ("Speed", "tokens per second", _per_second),
    ("Memory", "at its peak", _peak),
    ("Cost", "of all answers", _dollars),
)


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
