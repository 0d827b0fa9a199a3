"""Models that student and teacher are held against, with their choices: the reference of the model level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.metrics._primary import required
from harness.panel.choices import AlignedChoices, align_tables, choice_table
from harness.panel.panel import Side, Sides
from harness.types import Unavailable

# of the prompts of student and teacher: a model with fewer would cut the prompts of all
_COVERAGE = 0.9


@dataclass(frozen=True)
class Population:
    """Student, teacher and reference models on the same prompts, all of which state a right option."""

    choices: AlignedChoices  # rows: student, teacher, then the models, sorted by name
    models: tuple[str, ...]  # (m,) names of the reference models
    lineages: tuple[str, ...]  # (m,)


def unrelated(one: Sides, candidates: Sequence[Side]) -> list[Side]:
    """Candidates of another lineage than student's and teacher's."""
    family = {side.lineage for side in (one.student, required(one.teacher, "teacher"))}
    return [s for s in candidates if s.lineage not in family]


def with_known_lineage(sides: Sequence[Side]) -> list[Side]:
    """Sides whose lineage is stated: one that is just the model's name says nothing about who it is related to."""
    return [s for s in sides if s.lineage != s.model]


def population(one: Sides, candidates: Sequence[Side]) -> Population:
    """Student, teacher and the candidates that answered nine in ten of their prompts, on shared prompts.

    Student and teacher themselves are no candidates. Raises Unavailable where the two share fewer prompts than the
    task's minimum.
    """
    teacher = required(one.teacher, "teacher")
    pair = [choice_table(one.student), choice_table(teacher)]
    shared = {p.id for p in align_tables(pair, one.minimum).prompts}
    sides = {s.model: s for s in candidates if s.model not in (one.student.model, teacher.model)}
    tables = {name: choice_table(sides[name]) for name in sorted(sides)}
    kept = [
        n
        for n, t in tables.items()
        if len(shared & {p.id for p in t.prompts}) >= _COVERAGE * len(shared)
    ]
    aligned = align_tables([*pair, *(tables[n] for n in kept)], one.minimum)
    aligned = aligned.where(aligned.gold >= 0)
    if len(aligned.prompts) < one.minimum:
        raise Unavailable(
            f"{len(aligned.prompts)} shared prompts with a right option; at least {one.minimum} are needed"
        )
    return Population(aligned, tuple(kept), tuple(sides[n].lineage for n in kept))
