"""The same multiple-choice questions with their options in other orders, each answer mapped back to its option.

The orders are rotations: no option stands twice in one place, so that a model that always picks a place never picks the
same option twice. Source: cyclic permutations, Zheng et al. 2024, Large language models are not robust multiple choice
selectors; ours: which rotations is drawn by prompt and seed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.keys import draw_seed
from harness.panel.orders import Place, slot_of
from harness.types import DistillbenchError, Message, Prompt, Request

Path = tuple[str, ...]  # names of fields, from the outside in


@dataclass(frozen=True)
class Rotating:
    """A leaf of lm-eval whose options are asked in several orders."""

    leaf: str
    task: Any
    orders: int  # the task's own included
    seed: int


def in_other_orders(
    rotating: Rotating,
    rows: Mapping[int, Any],
    prompts: Sequence[Prompt],
    asked: Sequence[Request],
    first: int,
) -> tuple[list[Request], str]:
    """Requests for every order but the task's own, and a note on questions with fewer options than orders ("" = none).

    `asked` are those in the task's own order; `first` = index of the leaf's first prompt. Raises DistillbenchError
    where the question does not show the options.
    """
    own: dict[int, dict[int, Request]] = defaultdict(dict)
    for request in asked:
        own[request.prompt - first][request.slot] = request
    made: list[Request] = []
    few = 0
    for doc, row in rows.items():
        n = prompts[doc].n_options or 0
        rng = random.Random(draw_seed("orders", rotating.seed, prompts[doc].id))
        shifts = rng.sample(range(1, n), min(rotating.orders, n) - 1) if n > 1 else []
        few += n < rotating.orders
        place = _place(rotating, row, doc, n)
        for order, shift in enumerate(shifts, 1):
            made += _turned(rotating, row, place, own[doc], order, shift)
    note = f"{few} of {len(rows)} questions have fewer options than orders: all of their rotations are asked"
    return made, note if few else ""


def _turned(
    rotating: Rotating,
    row: Any,
    place: Path,
    own: Mapping[int, Request],
    order: int,
    shift: int,
) -> list[Request]:
    """The requests of one question in one order, by option."""
    before, turned = rotating.task.doc_to_text(row), _rotated(row, place, shift)
    after, labels = rotating.task.doc_to_text(turned), rotating.task.doc_to_choice(turned)
    n = len(labels)
    by_letter = _are_letters(labels)
    made = []
    for position in range(n):
        option = (position + shift) % n
        # a letter stays where it is, an option's own words go with it
        said = own[position if by_letter else option]
        context = _replaced(rotating.leaf, said.context, before, after)
        made.append(replace(said, context=context, slot=slot_of(Place(order, option), n)))
    return made


def _place(rotating: Rotating, row: Any, doc: int, n: int) -> Path:
    """Where the row has the list of options that its question shows; they are answered by letters, or by themselves."""
    task = rotating.task
    text, labels = task.doc_to_text(row), list(task.doc_to_choice(row))
    for place in _lists(row, n) if isinstance(text, str) and isinstance(row, Mapping) else ():
        turned = _rotated(row, place, 1)
        answers = list(task.doc_to_choice(turned))
        if _are_letters(labels):
            follows = answers == labels and _bare(_at(row, place)) != _bare(labels)
        else:
            follows = answers == _at(turned, place)
        if task.doc_to_text(turned) != text and follows:
            return place
    raise DistillbenchError(
        f"{rotating.leaf}: orders: expected questions that show the options of a list in their row, unlike row {doc}; "
        "where options are scored without being shown their order changes nothing; leave `orders` out"
    )


def _are_letters(labels: Sequence[str]) -> bool:
    """Whether a question is answered by the letters or numbers of its options, not by their words."""
    return all(len(label) == 1 or label.isdecimal() for label in _bare(labels))


def _bare(values: Sequence[Any]) -> list[str]:
    return [str(value).strip(" ().") for value in values]


def _at(row: Mapping[str, Any], place: Path) -> list[Any]:
    value: Any = row
    for name in place:
        value = value[name]
    return list(value)


def _lists(row: Mapping[str, Any], n: int, above: Path = ()) -> list[Path]:
    """Fields of a row, and of mappings in it, that hold n values."""
    found: list[Path] = []
    for name, value in row.items():
        if isinstance(value, Mapping):
            found += _lists(value, n, (*above, name))
        elif isinstance(value, list) and len(value) == n:
            found.append((*above, name))
    return found


def _rotated(row: Mapping[str, Any], place: Path, shift: int) -> dict[str, Any]:
    """A copy of a row in which option `position + shift` stands at each position."""
    name, *rest = place
    value = row[name]
    turned = _rotated(value, tuple(rest), shift) if rest else [*value[shift:], *value[:shift]]
    return {**row, name: turned}


def _replaced(
    leaf: str, context: str | tuple[Message, ...], before: str, after: str
) -> str | tuple[Message, ...]:
    """The context with its last question in other words: examples before it stay."""
    if isinstance(context, str):
        start, found, end = context.rpartition(before)
        if found:
            return start + after + end
    else:
        for i, message in reversed(list(enumerate(context))):
            start, found, end = message.text.rpartition(before)
            if message.role == "user" and found:
                asked = Message(message.role, start + after + end)
                return (*context[:i], asked, *context[i + 1 :])
    raise DistillbenchError(
        f"{leaf}: orders: expected the question in what lm-eval asks as the task's doc_to_text writes it, did not find "
        "it; leave `orders` out"
    )
