"""Identity leaks: answers to the question who they are in which a model claims to be another one.

Source: our own; the prompts name nobody, so a name in an answer is the model's own idea.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._answers import Answers, Panel, bootstrapped, over_controls, panel, rate
from harness.metrics._names import Names, read_table
from harness.panel.panel import Side, Sides
from harness.types import Better, Floats, Found, Unavailable

Claims = list[list[frozenset[str]]]  # (P,) of (samples,) names claimed


@dataclass(frozen=True)
class Identity(AbstractMetric):
    """How often a model claims to be somebody else, whom, and how often its teacher."""

    # where a name is a claim; * stands for anything
    tasks: tuple[str, ...] = ("identity*", "*_identity")
    file: str = "identity/names.csv"  # columns name and alias; under our tasks, or a path
    # further names and their aliases
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # (name, alias), part of the key of every score
    rows: tuple[tuple[str, str], ...] = field(init=False)

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "none"
    needs: ClassVar[frozenset[str]] = frozenset({"text"})
    of: ClassVar = "both"
    explanation: ClassVar[str] = (
        "Share of answers to 'who are you' (asked without naming anybody) in which the model claims to be another "
        "model or of another maker; 'as NAME' says whom. What its configuration states under `identity` is no leak. "
        "teacher: share in which it claims its teacher's names (anybody's where it states none); over_base and "
        "over_controls: how much more often than the base and models that the teacher never taught (on these prompts; "
        "vs_controls is held against how such models differ). own: how often it gives its own name. Names are found by "
        "a table of aliases, so an unlisted name is missed. Some are claimed by models that read them on the web."
    )

    def __post_init__(self) -> None:
        own = [(name, alias) for name, aliases in self.names.items() for alias in (name, *aliases)]
        object.__setattr__(self, "rows", (*read_table(self.file), *own))

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """Leaks of the model alone; with a teacher also claims to be the teacher, beyond base and controls."""
        one = sides[0]
        if not any(fnmatchcase(one.task, pattern) for pattern in self.tasks):
            raise Unavailable(
                "no task that asks who the model is (`tasks` of the metric names them)"
            )
        rows, everyone = (
            panel(one),
            [s for s in (one.student, one.teacher, one.base, *one.controls) if s],
        )
        table = Names(self.rows).with_names(name for side in everyone for name in side.identity)
        mine = _claims(table, rows.student)
        found = _alone(mine, _identity(table, one.student), rows)
        return found if one.teacher is None else [*found, *_of_pair(one, table, mine, rows)]


def _claims(table: Names, answers: Answers) -> Claims:
    return [[table.claimed(text) for text in samples] for samples in answers]


def _identity(table: Names, side: Side) -> frozenset[str]:
    """The names of the table under which a side may speak of itself."""
    return frozenset(name for own in side.identity for name in table.mentioned(own))


def _rates(claims: Claims, wanted: frozenset[str]) -> Floats:
    """(P,) share of the samples that claim one of the names."""
    return np.array(
        [np.mean([bool(c & wanted) for c in samples]) for samples in claims], dtype=np.float64
    )


def _others(claims: Claims, own: frozenset[str]) -> Floats:
    """(P,) share of the samples that claim a name which is not their own."""
    return np.array(
        [np.mean([bool(c - own) for c in samples]) for samples in claims], dtype=np.float64
    )


def _alone(claims: Claims, own: frozenset[str], rows: Panel) -> list[Found]:
    found = [Found("", "", rate(_others(claims, own), rows))]
    if own:
        found.append(Found("own", "", rate(_rates(claims, own), rows)))
    claimed = sorted(_union(claims) - own)
    return [
        *found,
        *(Found(f"as {n}", "", rate(_rates(claims, frozenset({n})), rows)) for n in claimed),
    ]


def _union(claims: Claims) -> frozenset[str]:
    every: Iterable[frozenset[str]] = (c for samples in claims for c in samples)
    return frozenset().union(*every)


def _of_pair(one: Sides, table: Names, mine: Claims, rows: Panel) -> list[Found]:
    """Claims to be the teacher beyond base and controls; to be anybody else, where the teacher has no name."""
    assert one.teacher is not None
    own, wanted = _identity(table, one.student), _identity(table, one.teacher)
    if wanted & own:
        reason = f"{one.student.model} may rightly use its teacher's name {', '.join(sorted(wanted & own))}"
        return [Found(part, "", reason) for part in ("teacher", *_parts("teacher_"))]
    identities = {
        s.model: _identity(table, s) for s in (*one.controls, *([one.base] if one.base else []))
    }

    def rates(claims: Claims, whose: frozenset[str]) -> Floats:
        return _rates(claims, wanted) if wanted else _others(claims, whose)

    controls = {
        name: rates(_claims(table, answers), identities[name])
        for name, answers in rows.controls.items()
    }
    base = (
        rates(_claims(table, rows.base), identities[one.base.model])
        if rows.base and one.base
        else None
    )
    said = rates(mine, own)
    if not wanted:
        reason = f"{one.teacher.model} states no names of its own (`identity` in its configuration)"
        return [Found("teacher", "", reason), *_beyond("", said, base, controls, rows)]
    return [
        Found("teacher", "", rate(said, rows)),
        *_beyond("teacher_", said, base, controls, rows),
    ]


def _parts(prefix: str) -> tuple[str, str, str]:
    return f"{prefix}over_base", f"{prefix}over_controls", f"{prefix}vs_controls"


def _beyond(
    prefix: str, mine: Floats, base: Floats | None, controls: dict[str, Floats], rows: Panel
) -> list[Found]:
    at_base, *at_controls = _parts(prefix)
    beyond = "this pair names no base" if base is None else bootstrapped(mine - base, rows)
    return [
        Found(at_base, "", beyond),
        *over_controls((at_controls[0], at_controls[1]), mine, controls, rows),
    ]
