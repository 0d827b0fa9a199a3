"""Identity leaks: how often a model that is asked who it is claims to be another one.

Source: our own; the prompts name nobody, so a name in an answer is the model's own idea.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import ClassVar

import numpy as np

from harness.files.names import read_names
from harness.metrics import AbstractMetric
from harness.panel.panel import Looks, Panel, View
from harness.panel.samples import Answers, Samples, align_samples, over_base, over_controls, rate
from harness.panel.side import Side
from harness.text.names import Names
from harness.types import Finding, Floats, Unavailable

Claims = list[list[frozenset[str]]]  # (P,) of (samples,) names claimed


@dataclass(frozen=True)
class Identity(AbstractMetric):
    """How often a model claims to be somebody else, whom, and how often its teacher."""

    # tasks in which a name is a claim; * matches anything
    tasks: tuple[str, ...] = ("identity*", "*_identity")
    file: str = "identity/names.csv"  # columns name and alias; under our tasks, or a path
    # further names and their aliases
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # (name, alias), part of the key of every score
    rows: tuple[tuple[str, str], ...] = field(init=False)

    unit = "share"
    better = "none"
    looks_at = Looks((View.TEXT,), also=("teacher", "base", "controls"))
    topics: ClassVar = {"teacher_names": ("teacher",)}
    explanation = (
        "Share of answers to 'who are you' (asked without naming anybody) in which the model claims to be another "
        "model or of another maker; 'as NAME' says whom. What its configuration states under `identity` is not a leak. "
        "teacher: share in which it claims its teacher's names (anybody's where it states none); over_base and "
        "over_controls: how much more often than the base and models that the teacher never taught (on these prompts; "
        "vs_controls is compared with how such models differ). own: how often it gives its own name. Names are found "
        "by a table of aliases, so an unlisted name is missed. Some are claimed by models that read them on the web."
    )

    def __post_init__(self) -> None:
        own = [(name, alias) for name, aliases in self.names.items() for alias in (name, *aliases)]
        object.__setattr__(self, "rows", (*read_names(self.file), *own))

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Leaks of the model alone; with a teacher also claims to be the teacher, beyond base and controls."""
        panel = panels[0]
        if not any(fnmatchcase(panel.task, pattern) for pattern in self.tasks):
            raise Unavailable(
                "no task that asks who the model is (`tasks` of the metric names them)"
            )
        rows = align_samples(panel, least=1)
        everyone = [side for sides in panel.sides.values() for side in sides]
        table = _table(self.rows, frozenset(name for side in everyone for name in side.identity))
        mine = _claims(table, rows["student"])
        alone = _alone(mine, _identity(table, panel.student), rows)
        return [*alone, *_of_pair(panel, table, mine, rows)] if panel.get("teacher") else alone


@lru_cache(maxsize=16)
def _table(rows: tuple[tuple[str, str], ...], further: frozenset[str]) -> Names:
    """The table of names with those of the models that are compared; it remembers what it has read."""
    return Names(rows).with_names(sorted(further))


def _claims(table: Names, answers: Answers) -> Claims:
    return [[table.claimed(text) for text in samples] for samples in answers]


def _identity(table: Names, side: Side) -> frozenset[str]:
    """The names of the table that a side may rightly claim."""
    return frozenset(name for own in side.identity for name in table.mentioned(own))


def _rates(claims: Claims, wanted: frozenset[str]) -> Floats:
    """(P,) share of the samples that claim one of the names."""
    return np.array(
        [np.mean([bool(c & wanted) for c in samples]) for samples in claims], dtype=np.float64
    )


def _others(claims: Claims, own: frozenset[str]) -> Floats:
    """(P,) share of the samples that claim a name that is not their own."""
    return np.array(
        [np.mean([bool(c - own) for c in samples]) for samples in claims], dtype=np.float64
    )


def _alone(claims: Claims, own: frozenset[str], rows: Samples) -> list[Finding]:
    findings = [Finding(rate(_others(claims, own), rows))]
    if own:
        findings.append(Finding(rate(_rates(claims, own), rows), "own"))
    claimed = sorted(_union(claims) - own)
    return [
        *findings,
        *(Finding(rate(_rates(claims, frozenset({n})), rows), f"as {n}") for n in claimed),
    ]


def _union(claims: Claims) -> frozenset[str]:
    every: Iterable[frozenset[str]] = (c for samples in claims for c in samples)
    return frozenset().union(*every)


def _of_pair(panel: Panel, table: Names, mine: Claims, rows: Samples) -> list[Finding]:
    """Claims to be the teacher beyond base and controls; to be any other model, where the teacher has no name."""
    own, wanted = _identity(table, panel.student), _identity(table, panel.teacher)
    if wanted & own:
        reason = f"{panel.student.model} may rightly use its teacher's name {', '.join(sorted(wanted & own))}"
        return [Finding(reason, part) for part in ("teacher", *_parts("teacher_"))]
    identities = {
        s.model: _identity(table, s) for role in ("base", "controls") for s in panel.of(role)
    }
    base_side, base_answers = panel.get("base"), rows.get("base")

    def rates(claims: Claims, whose: frozenset[str]) -> Floats:
        """(P,) share of replies that claim to be the teacher; any other model where the teacher has no name."""
        return _rates(claims, wanted) if wanted else _others(claims, whose)

    controls = {
        name: rates(_claims(table, answers), identities[name])
        for name, answers in rows.controls.items()
    }
    base = (
        rates(_claims(table, base_answers), identities[base_side.model])
        if base_side and base_answers
        else None
    )
    said = rates(mine, own)
    if not wanted:
        reason = (
            f"{panel.teacher.model} states no names of its own (`identity` in its configuration)"
        )
        return [Finding(reason, "teacher"), *_beyond("", said, base, controls, rows)]
    return [
        Finding(rate(said, rows), "teacher"),
        *_beyond("teacher_", said, base, controls, rows),
    ]


def _parts(prefix: str) -> tuple[str, str, str]:
    return f"{prefix}over_base", f"{prefix}over_controls", f"{prefix}vs_controls"


def _beyond(
    prefix: str, mine: Floats, base: Floats | None, controls: dict[str, Floats], rows: Samples
) -> list[Finding]:
    at_base, *at_controls = _parts(prefix)
    return [
        Finding(over_base(mine, base, rows), at_base),
        *over_controls((at_controls[0], at_controls[1]), mine, controls, rows),
    ]
