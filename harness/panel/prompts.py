"""Alignment: the prompts that the sides of a panel share, and the controls that cover them; defined here only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from harness.panel import reasons
from harness.panel.controls import covering
from harness.panel.panel import Panel, Role
from harness.panel.side import Side, once
from harness.types import Prompt

T = TypeVar("T")
# parts of measures that are about one kind of prompt are named category/NAME
CATEGORY = "category/"
_NO_CATEGORY = "other"


@dataclass(frozen=True)
class Prompts:
    """Prompts that several sides share."""

    prompts: tuple[Prompt, ...]  # (P,) sorted by id

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Prompt ids (P,)."""
        return tuple(p.id for p in self.prompts)

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        """Resampling units (P,)."""
        return tuple(p.cluster for p in self.prompts)

    def some(self, rows: Iterable[int]) -> Prompts:
        """The prompts of these rows alone, in the order of the rows."""
        return Prompts(tuple(self.prompts[i] for i in rows))


@dataclass(frozen=True)
class Aligned(Prompts, Generic[T]):
    """What the sides of a panel gave for the same prompts."""

    core: Mapping[Role, T]
    controls: Mapping[str, T]  # by model, sorted by name
    lineages: Mapping[str, str]  # of the controls
    # models of controls that answered too few of the core's prompts
    left_out: tuple[str, ...] = ()

    def __getitem__(self, role: Role) -> T:
        """What a role gave that the measure needs."""
        return self.core[role]

    def get(self, role: Role) -> T | None:
        """What a role gave, or None."""
        return self.core.get(role)


class Shared(NamedTuple):
    """Who is compared, and on what."""

    prompts: tuple[Prompt, ...]  # (P,) sorted by id
    ids: tuple[str, ...]  # (P,)
    core: Mapping[Role, tuple[Side, ...]]
    controls: tuple[Side, ...]  # sorted by name; each answered nine in ten of the core's prompts
    left_out: tuple[str, ...]  # controls that answered fewer

    @property
    def sides(self) -> list[Side]:
        """The core in the order of its roles, then controls."""
        return [*(s for sides in self.core.values() for s in sides), *self.controls]

    def each(self, give: Callable[[Side], T]) -> tuple[Mapping[Role, T], Mapping[str, T]]:
        """What is given of every role of the core, and of every control."""
        core = {role: give(sides[0]) for role, sides in self.core.items()}
        return core, {side.model: give(side) for side in self.controls}

    @property
    def lineages(self) -> dict[str, str]:
        """Lineages of the controls."""
        return {side.model: side.lineage for side in self.controls}


def by_category(prompts: Sequence[Prompt], minimum: int) -> dict[str, list[int]]:
    """Category, spelled so that it can be part of a score's name -> places of its prompts; sorted by category.

    Small categories are among them; empty where fewer than two have `minimum` prompts.
    """
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(prompts):
        name = " ".join(prompt.category.replace("/", " ").replace("+", " ").split())
        places.setdefault(name or _NO_CATEGORY, []).append(place)
    if sum(len(at) >= max(minimum, 1) for at in places.values()) < 2:
        return {}
    return dict(sorted(places.items()))


def is_category(metric: str) -> bool:
    """Whether a score's name says that it is about one category of prompts."""
    return f"/{CATEGORY}" in metric


def share(
    panel: Panel, answers: Callable[[Side], Mapping[str, Any]], what: str = "prompts"
) -> Shared:
    """The prompts that everyone answered: the core of the panel, and the controls that cover the core's.

    `answers` gives what a side has by prompt id. Raises Unavailable where fewer than the task's minimum are shared,
    naming the side that has fewest; `what` names the prompts in the reason.
    """
    core = [s for sides in panel.core.values() for s in sides]
    known = _by_id(core[0])
    common = _common(core, answers)
    sizes = [len(answers(s)) for s in core]
    reasons.require_shared(len(common), panel.minimum, core, sizes, what)
    controls = covering(panel.of("controls"), common, answers)
    everyone = [*core, *controls]
    ids = tuple(sorted(common & _common(everyone, answers)))
    sizes = [len(answers(s)) for s in everyone]
    reasons.require_shared(len(ids), panel.minimum, everyone, sizes, what)
    left_out = {s.model for s in panel.of("controls")} - {s.model for s in controls}
    prompts = tuple(known[i] for i in ids)
    return Shared(prompts, ids, panel.core, controls, tuple(sorted(left_out)))


@once
def _by_id(side: Side) -> dict[str, Prompt]:
    return {p.id: p for p in side.requests.prompts}


def _common(sides: list[Side], answers: Callable[[Side], Mapping[str, Any]]) -> set[str]:
    first, *rest = (answers(s) for s in sides)
    return set(first).intersection(*rest)
