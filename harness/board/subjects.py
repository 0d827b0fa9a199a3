"""Which model is compared with which teacher, and which scores belong to whom; decided here only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from harness.board.record import MetricNote, RunRecord, Variant, named
from harness.panel.topics import Topic
from harness.types import Level, Pair, Score

Group = tuple[str, str, Variant]


@dataclass(frozen=True)
class Subject:
    """A model compared with a teacher, under one setting of the swept keys."""

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
        return named(self.student, self.variant)

    @property
    def group(self) -> Group:
        """Teacher, base and setting: subjects are compared only within such a group."""
        return self.teacher, self.base, self.variant


def subjects_of(record: RunRecord, variant: Variant = ()) -> tuple[Subject, ...]:
    """Students in the order of the matrix, then controls and ceilings in the order of the teachers.

    `record` = that of one setting, whose scores bear `variant`.
    """
    pairs = {(p.student, p.teacher, p.base or ""): p for p in record.pairs}
    students = [of_pair(pair, variant) for pair in pairs.values()]
    others = [
        Subject(*key[:2], role, key[2], variant=variant)
        for key in _compared(record)
        if key not in pairs and key[2] != key[0] and (role := _role(record, *key[:2])) != "base"
    ]
    order = {t: i for i, t in enumerate(dict.fromkeys(p.teacher for p in record.pairs))}
    others.sort(key=lambda s: (order.get(s.teacher, len(order)), s.student, s.teacher, s.base))
    return (*students, *others)


def role_of(record: RunRecord, score: Score) -> str:
    """The role in which a score shows its model: towards its teacher; in the run where it has none."""
    if not score.teacher:
        return record.role(score.student, score.variant)
    pairs = {(p.student, p.teacher) for p in record.pairs}
    if (score.student, score.teacher) in pairs:
        return "student"
    return _role(record, score.student, score.teacher, score.variant)


@dataclass(frozen=True)
class Role:
    """A role of a model, and the teachers towards which it has it."""

    name: str
    teachers: tuple[str, ...]  # () = towards all of the run, or towards none


def roles_in(record: RunRecord, model: str) -> tuple[Role, ...]:
    """Every role of a model in a run, in the order student, teacher, base, control, ceiling; else `other`."""
    teachers = tuple(dict.fromkeys(p.teacher for p in record.pairs))
    towards = {
        "student": {p.teacher for p in record.pairs if p.student == model},
        "teacher": {t for t in teachers if t == model},
        "base": {p.teacher for p in record.pairs if p.base == model},
        "control": {t for c in record.controls if c.model == model for t in c.teachers or teachers},
        "ceiling": {p.teacher for p in record.pairs if p.ceiling == model},
    }
    return tuple(
        Role(name, () if name == "teacher" or own == set(teachers) else _among(teachers, own))
        for name, own in towards.items()
        if own
    ) or (Role("other", ()),)


def _among(teachers: Sequence[str], own: Set[str]) -> tuple[str, ...]:
    return tuple(t for t in teachers if t in own)


def _compared(record: RunRecord) -> list[tuple[str, str, str]]:
    """Every (model, teacher, base) that was scored, with each base that students of the teacher have."""
    return sorted(
        {
            (s.student, s.teacher, s.base)
            for s in record.scores
            if s.teacher and s.student != s.teacher
        }
    )


def _role(record: RunRecord, model: str, teacher: str, variant: Variant = ()) -> str:
    """The role of a model with respect to a teacher of which it is not a student."""
    if any(c.model == model and (not c.teachers or teacher in c.teachers) for c in record.controls):
        return "control"
    role = record.role(model, variant)
    return "other" if role == "student" else role


def of_pair(pair: Pair, variant: Variant) -> Subject:
    """The student of a pair under a setting."""
    return Subject(pair.student, pair.teacher, "student", pair.base or "", pair.base_kind, variant)


@dataclass(frozen=True)
class ScoreIndex:
    """Scores by (metric, student, teacher, variant), each list sorted by task, and the notes of their measures."""

    table: Mapping[tuple[str, str, str, Variant], Sequence[Score]]
    notes: Mapping[str, MetricNote]  # by name

    @classmethod
    def of(cls, record: RunRecord) -> ScoreIndex:
        """The index of a record's scores."""
        table: dict[tuple[str, str, str, Variant], list[Score]] = {}
        for score in sorted(record.scores, key=lambda s: (s.task, s.metric)):
            key = (score.metric, score.student, score.teacher, score.variant)
            table.setdefault(key, []).append(score)
        return cls(table, {note.name: note for note in record.metrics})

    def all(self, metric: str, subject: Subject) -> Sequence[Score]:
        """Every score of the metric for the subject, one per task."""
        key = (metric, subject.student, subject.teacher, subject.variant)
        return [s for s in self.table.get(key, ()) if s.base == subject.base]

    def own(self, metric: str, model: str, variant: Variant = ()) -> Sequence[Score]:
        """Scores of one model alone (no teacher), under the variant or under none."""
        alone = self.table.get((metric, model, "", variant))
        return alone or self.table.get((metric, model, "", ()), ())

    def overall(self, metric: str, subject: Subject) -> Score | None:
        """One score for all tasks: the measure's own, or the mean of its tasks; None where there is no row."""
        return overall(self.all(metric, subject))

    def metrics(self, topic: Topic) -> list[str]:
        """Full names of the run's measures (or parts) about a topic, in the order in which they are tried."""
        parts = [(n.name, part) for n in self.notes.values() for part in n.topics.get(topic, ())]
        return [f"{name}/{part}" if part else name for name, part in parts]

    def about(self, topic: Topic, subject: Subject) -> Score | None:
        """The subject's score about a topic: the first with a value, else the first with a reason."""
        scores = [self.overall(metric, subject) for metric in self.metrics(topic)]
        rows = [s for s in scores if s is not None]
        return next((s for s in rows if s.value is not None), rows[0] if rows else None)

    def is_gap(self, score: Score) -> bool:
        """Whether 0 stands for the base and 1 for the teacher."""
        note = self.notes.get(score.metric.split("/")[0])
        return note is not None and score.unit in note.gap_units


def overall(scores: Sequence[Score]) -> Score | None:
    """The score over most tasks, else the mean of the tasks' values, else the first reason.

    The interval of the mean treats tasks as independent (they share no prompts): half-widths add in squares.
    Source: Zou and Donner 2008, variance recovered from the limits of each part. Over models tasks are not independent,
    as the same lineages stand behind each: half-widths are averaged, and lineages are not added up.
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
        low=_limit(mean, values, lows, -1, valued[0].level),
        high=_limit(mean, values, highs, 1, valued[0].level),
        n=(min if valued[0].level == "models" else sum)(s.n for s in valued),
        inputs=tuple(dict.fromkeys(k for s in valued for k in s.inputs)),
        influence={},
        clusters={},
    )


def _limit(
    mean: float, values: Sequence[float], limits: Sequence[float | None], sign: int, level: Level
) -> float | None:
    known = [x for x in limits if x is not None]
    if len(known) < len(values):
        return None
    if level == "models":
        return sum(known) / len(known)
    squares = sum((v - x) ** 2 for v, x in zip(values, known, strict=True))
    return mean + sign * math.sqrt(squares) / len(values)


def whole_tasks(scores: Sequence[Score]) -> list[Score]:
    """The scores of whole tasks; the leaves of a group where the group itself has none."""
    roots = {s.task for s in scores if "/" not in s.task}
    return [s for s in scores if "/" not in s.task or s.task.split("/", 1)[0] not in roots]
