"""The sides of a test by role, and the panel that a measure gets from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.controls import population, unrelated
from harness.panel.panel import BaseKind, Looks, Panel, Role
from harness.panel.side import Side
from harness.panel.texts import Reply, Texts
from harness.types import Finding

EVERYTHING = Looks((), ("teacher", "base"), ("second", "ceiling", "controls", "population"))


@dataclass(frozen=True)
class Sides:
    """Everyone whom a matrix might name for one student on one task."""

    task: str
    student: Side
    teacher: Side | None = None
    base: Side | None = None
    base_kind: BaseKind = "before"
    ceiling: Side | None = None
    ceiling_kind: Literal["second_sample", "other_version"] = "second_sample"
    controls: tuple[Side, ...] = ()  # as they are listed, whoever they are related to
    minimum: int = 20

    def panel(self, looks: Looks = EVERYTHING) -> Panel:
        """The sides that a measure looks at."""
        second = self.ceiling if self.ceiling_kind == "second_sample" else None
        single: dict[Role, Side | None] = {
            "student": self.student,
            "teacher": self.teacher,
            "base": self.base,
            "second": second,
            "ceiling": self.ceiling,
        }
        sides: dict[Role, tuple[Side, ...]] = {
            role: (side,) for role, side in single.items() if side and role in looks.roles
        }
        if self.teacher is not None:
            family = (self.student, self.teacher, self.base.model if self.base else None)
            further: dict[Role, list[Side]] = {
                "controls": unrelated(self.controls, *family),
            }
            if self.base is not None:
                listed = [c.model for c in self.controls]
                students = () if self.student.model in listed else (self.student,)
                further["population"] = population(self.controls, self.teacher, self.base, students)
            sides |= {r: tuple(s) for r, s in further.items() if s and r in looks.roles}
        return Panel(self.task, sides, self.base_kind, self.minimum)


def of_equals(*sides: Side, minimum: int = 1) -> Panel:
    """A panel that aligns all of these sides, none of which may be left out."""
    return Panel("task", {"student": sides[:1], "base": sides[1:]}, minimum=minimum)


def written(texts: Sequence[str]) -> Texts:
    """Answers to prompts that do not matter."""
    ids = tuple(f"{i:06d}" for i in range(len(texts)))
    return Texts(ids, tuple(Reply(text, "", text, "eos") for text in texts))


def findings(
    metric: AbstractMetric, sides: Sequence[Sides], rng: np.random.Generator | None = None
) -> list[Finding]:
    """What a measure finds."""
    rng = np.random.default_rng(0) if rng is None else rng
    return metric.measure([s.panel(metric.looks_at) for s in sides], rng)
