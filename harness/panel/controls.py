"""Which models are controls, and their weights: the null of every measure that uses them.

A control is listed for the teacher, is not part of the pair, is of another lineage than student and teacher, and
answered at least nine in ten of the prompts that the pair's sides share. Models of one lineage are not
independent: together they weigh as much as a lineage with one model. The mark "above the controls" of the page
compares with one value per lineage (`board/claims`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Annotated, Any, Protocol, TypeVar

import numpy as np

from harness.panel.side import Side
from harness.types import Floats

# of the prompts that the pair's sides share: a control with fewer would cut the prompts of all
COVERAGE = 0.9


class Named(Protocol):
    """Anything with a model's name and lineage."""

    @property
    def model(self) -> str:
        """Its name."""

    @property
    def lineage(self) -> str:
        """Its lineage; its name where none is known."""


N = TypeVar("N", bound=Named)


def unrelated(candidates: Sequence[N], student: Named, teacher: Named, base: str | None) -> list[N]:
    """Candidates that are not part of the pair, and of another lineage than student and teacher."""
    pair = (student.model, teacher.model, base)
    family = (student.lineage, teacher.lineage)
    return [c for c in candidates if c.model not in pair and c.lineage not in family]


def population(
    candidates: Sequence[N], teacher: Named, base: Named, students: Sequence[Named]
) -> list[N]:
    """Candidates unrelated to teacher, base and all their students: the same for every one of these students.

    A control in a student's place is in it; who measures it leaves its lineage out.
    """
    family = (teacher, base, *students)
    models, lineages = {f.model for f in family}, {f.lineage for f in family}
    return [c for c in candidates if c.model not in models and c.lineage not in lineages]


def covering(
    candidates: Sequence[Side],
    shared: Set[str],
    answers: Callable[[Side], Mapping[str, Any]],
) -> tuple[Side, ...]:
    """Candidates that answered nine in ten of the shared prompts, sorted by name."""
    enough = [c for c in candidates if len(shared & answers(c).keys()) >= COVERAGE * len(shared)]
    return tuple(sorted(enough, key=lambda c: c.model))


def lineage_weights(lineages: Sequence[str]) -> Annotated[Floats, "m"]:
    """(m,) 1 / number of models of the same lineage: every lineage weighs 1."""
    return np.array([1 / lineages.count(x) for x in lineages], dtype=np.float64)


def lineage_means(values: Sequence[Floats] | Floats, lineages: Sequence[str]) -> Floats:
    """(lineages, ...) means over the models of each lineage, sorted by its name; values (m, ...)."""
    table = np.asarray(values, dtype=np.float64)
    return np.array(
        [
            table[[k for k, x in enumerate(lineages) if x == name]].mean(axis=0)
            for name in sorted(set(lineages))
        ]
    )
