"""The one owner of alignment: which prompts several models all answered, and in which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.panel.panel import Side
from harness.types import Floats, Prompt, Unavailable


@dataclass(frozen=True)
class AlignedTexts:
    """Answers of several sides to the same prompts."""

    prompts: tuple[Prompt, ...]  # (P,) sorted by id
    texts: tuple[tuple[str, ...], ...]  # one (P,) tuple per side

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Prompt ids (P,)."""
        return tuple(p.id for p in self.prompts)

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """Resampling units (P,)."""
        return tuple(p.cluster for p in self.prompts)


@dataclass(frozen=True)
class AlignedValues:
    """Grades of several sides on the same prompts."""

    prompts: tuple[Prompt, ...]  # (P,) sorted by id
    values: Floats  # (sides, P)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Prompt ids (P,)."""
        return tuple(p.id for p in self.prompts)

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """Resampling units (P,)."""
        return tuple(p.cluster for p in self.prompts)


def answered_texts(side: Side) -> dict[str, str]:
    """Prompt.id -> generated text, for prompts that the side answered (first request, first repeat)."""
    found: dict[str, str] = {}
    for row, index in enumerate(side.outputs.request):
        request = side.requests.requests[int(index)]
        text = side.outputs.text[row]
        if (
            request.kind == "generate"
            and request.slot == 0
            and request.repeat == 0
            and text is not None
        ):
            found[side.requests.prompts[request.prompt].id] = text
    return found


def align_texts(sides: Sequence[Side], minimum: int = 1) -> AlignedTexts:
    """Texts of all sides on the prompts that every one of them answered, sorted by prompt id.

    Raises Unavailable where fewer than `minimum` prompts are shared, naming the side that answered fewest.
    """
    answers = [answered_texts(side) for side in sides]
    shared = sorted(set.intersection(*(set(a) for a in answers)))
    _require(len(shared), minimum, sides, [len(a) for a in answers])
    by_id = {p.id: p for p in sides[0].requests.prompts}
    return AlignedTexts(
        tuple(by_id[i] for i in shared), tuple(tuple(a[i] for i in shared) for a in answers)
    )


def graded_columns(side: Side) -> list[tuple[str, str, str]]:
    """(leaf, metric, filter) of the side's grades, in lm-eval's order."""
    return [(c.leaf, c.metric, c.filter) for c in side.grades.columns] if side.grades else []


def align_grades(
    sides: Sequence[Side], column: tuple[str, str, str], minimum: int = 1
) -> AlignedValues:
    """Per-prompt values of one (leaf, metric, filter) on the prompts that all sides have, sorted by prompt id.

    Raises Unavailable where a side has no such column, no per-prompt values, or too few prompts are shared.
    """
    tables: list[dict[str, float]] = []
    for side in sides:
        match = (
            [c for c in side.grades.columns if (c.leaf, c.metric, c.filter) == column]
            if side.grades
            else []
        )
        if not match:
            raise Unavailable(f"{side.model} has no grade {'/'.join(filter(None, column))}")
        if not len(match[0].prompt):
            raise Unavailable(match[0].reason or "this aggregate is no mean over prompts")
        ids = [side.requests.prompts[int(i)].id for i in match[0].prompt]
        tables.append(dict(zip(ids, match[0].value.tolist(), strict=True)))
    shared = sorted(set.intersection(*(set(t) for t in tables)))
    _require(len(shared), minimum, sides, [len(t) for t in tables])
    by_id = {p.id: p for p in sides[0].requests.prompts}
    return AlignedValues(
        tuple(by_id[i] for i in shared),
        np.array([[t[i] for i in shared] for t in tables], dtype=np.float64),
    )


def _require(shared: int, minimum: int, sides: Sequence[Side], sizes: Sequence[int]) -> None:
    if shared >= minimum:
        return
    least = int(np.argmin(sizes))
    raise Unavailable(
        f"{shared} prompts answered by all of {', '.join(s.model for s in sides)}; at least {minimum} are needed "
        f"({sides[least].model} answered {sizes[least]})"
    )
