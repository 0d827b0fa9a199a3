"""The rows of the page: who is measured against whom, and which scores are theirs. The one owner of that question."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.board.record import RunRecord
from harness.types import Pair, Score

CAPABILITY = "capability_transfer"
STYLE = "style_transfer"
Variant = tuple[tuple[str, str], ...]  # swept keys and their values


@dataclass(frozen=True)
class Subject:
    """A model held against a teacher, under one setting of the swept keys."""

    # the model that is measured: a student, a control, or another version of the teacher
    student: str
    teacher: str
    role: str  # RunRecord.roles, "student" for the student of a pair
    base: str = ""
    base_kind: Literal["before", "sibling"] = "before"
    variant: Variant = ()

    @property
    def label(self) -> str:
        """The model's name, with the swept values where there are any."""
        return " ".join([self.student, *(f"{key}={value}" for key, value in self.variant)])


def subjects(record: RunRecord) -> list[Subject]:
    """Students in the order of the matrix, then controls and ceilings in the order of the teachers.

    A pair stands under every variant under which it has scores, or under all where it has none at all.
    """
    variants = sorted({s.variant for s in record.scores}) or [()]
    pairs = {(p.student, p.teacher): p for p in record.pairs}
    held = {(s.student, s.teacher, s.variant) for s in record.scores}
    found = [
        _of_pair(pair, variant)
        for key, pair in pairs.items()
        for variant in [v for v in variants if (*key, v) in held] or variants
    ]
    teachers = list(dict.fromkeys(p.teacher for p in record.pairs))
    seen = {
        (s.student, s.teacher, s.variant): s
        for s in record.scores
        if s.teacher and s.student != s.teacher
    }
    extra = [
        key
        for key, s in seen.items()
        if key[:2] not in pairs and s.base != key[0] and _role(record, key) != "base"
    ]
    order = {t: i for i, t in enumerate(teachers)}
    for student, teacher, variant in sorted(extra, key=lambda k: (order.get(k[1], len(order)), k)):
        base = seen[student, teacher, variant].base
        role = _role(record, (student, teacher, variant))
        found.append(Subject(student, teacher, role, base, variant=variant))
    return found


def _role(record: RunRecord, key: tuple[str, str, Variant]) -> str:
    """The role of a model beside a teacher that it is no student of."""
    model, teacher, _ = key
    if any(c.model == model and (not c.teachers or teacher in c.teachers) for c in record.controls):
        return "control"
    role = record.roles.get(model, "other")
    return "other" if role == "student" else role


def _of_pair(pair: Pair, variant: Variant) -> Subject:
    return Subject(pair.student, pair.teacher, "student", pair.base or "", pair.base_kind, variant)


def narrowed(record: RunRecord, subject: Subject) -> RunRecord:
    """The record as one student sees it: its pair, its variant, all scores of the models beside it."""
    pairs = tuple(
        p for p in record.pairs if (p.student, p.teacher) == (subject.student, subject.teacher)
    )
    scores = tuple(s for s in record.scores if s.variant in (subject.variant, ()))
    return replace(record, pairs=pairs, scores=scores)


@dataclass(frozen=True)
class ScoreIndex:
    """Scores by (metric, student, teacher, variant), each list sorted by task."""

    table: Mapping[tuple[str, str, str, Variant], Sequence[Score]]

    @classmethod
    def of(cls, scores: Iterable[Score]) -> ScoreIndex:
        """The index of some scores."""
        table: dict[tuple[str, str, str, Variant], list[Score]] = {}
        for score in sorted(scores, key=lambda s: (s.task, s.metric)):
            table.setdefault(
                (score.metric, score.student, score.teacher, score.variant), []
            ).append(score)
        return cls(table)

    def all(self, metric: str, subject: Subject) -> Sequence[Score]:
        """Every score of the metric for the subject, one per task; a control may be held against several bases."""
        found = self.table.get((metric, subject.student, subject.teacher, subject.variant), ())
        return (
            found
            if len({s.base for s in found}) < 2
            else [s for s in found if s.base == subject.base]
        )

    def own(self, metric: str, model: str, variant: Variant = ()) -> Sequence[Score]:
        """Scores of one model alone (no teacher), under the variant or under none."""
        return self.table.get((metric, model, "", variant)) or self.table.get(
            (metric, model, "", ()), ()
        )

    def overall(self, metric: str, subject: Subject) -> Score | None:
        """One score for all tasks: the measure's own, or the mean of its tasks; None where there is no row."""
        return overall(self.all(metric, subject))


def overall(scores: Sequence[Score]) -> Score | None:
    """The score over most tasks, else the mean of the tasks' values, else the first reason.

    The interval of the mean treats tasks as independent (they share no prompts): half-widths add in squares.
    Source: Zou and Donner 2008, variance recovered from the limits of each part.
    """
    top = whole_tasks(scores)
    joint = [s for s in top if "+" in s.task]
    if joint:
        return max(joint, key=lambda s: (s.task.count("+"), s.value is not None))
    valued = [s for s in top if s.value is not None]
    if len(top) <= 1 or not valued:
        return top[0] if top else None
    if len(valued) == 1:
        return valued[0]
    values = [s.value for s in valued if s.value is not None]
    mean = sum(values) / len(values)
    lows, highs = [s.low for s in valued], [s.high for s in valued]
    return replace(
        valued[0],
        task=f"mean of {len(valued)} tasks"
        + ("" if len(valued) == len(top) else f" (of {len(top)})"),
        value=mean,
        low=_limit(mean, values, lows, -1),
        high=_limit(mean, values, highs, 1),
        n=sum(s.n for s in valued),
        inputs=tuple(dict.fromkeys(k for s in valued for k in s.inputs)),
        influence={},
        clusters={},
    )


def _limit(
    mean: float, values: Sequence[float], limits: Sequence[float | None], sign: int
) -> float | None:
    known = [x for x in limits if x is not None]
    if len(known) < len(values):
        return None
    return mean + sign * math.sqrt(
        sum((v - x) ** 2 for v, x in zip(values, known, strict=True))
    ) / len(values)


def whole_tasks(scores: Sequence[Score]) -> list[Score]:
    """The scores of whole tasks; the leaves of a group where the group itself has none."""
    roots = {s.task for s in scores if "/" not in s.task}
    return [s for s in scores if "/" not in s.task or s.task.split("/", 1)[0] not in roots]


def is_gap(score: Score) -> bool:
    """Whether 0 stands for the base and 1 for the teacher."""
    return score.unit.split()[0] in ("gap", "transfer", "style") if score.unit else False


def at_least_above(score: Score | None, bound: float) -> bool:
    """Whether the whole interval lies above the bound."""
    return score is not None and score.low is not None and score.low > bound
