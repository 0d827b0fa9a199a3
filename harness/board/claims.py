"""Claims about a student: above its base, above the controls, better than another, rank; decided here only.

Sentences, marks, tables, gates and figures quote a Claim; none of them compares numbers itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

from harness.board.record import Comparison, Variant
from harness.board.subjects import ScoreIndex, Subject
from harness.panel.topics import Column, Topic
from harness.stats.multiple import benjamini_hochberg
from harness.types import Score

_TOLD_APART = 0.05  # adjusted two-sided p below which two students count as different


@dataclass(frozen=True)
class MeasureColumn:
    """A measure that the leaderboard shows."""

    metric: str  # measure, or measure/part
    title: str
    note: str
    from_base: bool  # 0 is the base's level, so an interval above 0 is "above the base"


class Highest(NamedTuple):
    """The control with the highest value."""

    value: float
    model: str


@dataclass(frozen=True)
class Claim:
    """One subject's number in one measure, and what it supports."""

    score: Score | None  # None = the run does not measure it
    above_zero: bool = False  # the whole interval lies above 0
    above_base: bool = False  # the whole interval lies above the base's level
    beyond_teacher: bool = False  # 1 is the teacher's level, and the whole interval lies above it
    highest: Highest | None = None  # of the controls of the same teacher that have a number
    above_controls: bool = False  # a student whose number is above that of every control
    rank: int | None = (
        None  # 1 + number of the same teacher's students that are significantly better
    )
    leads: bool = (
        False  # best of its teacher's students, and different from the next after correction
    )

    @property
    def value(self) -> float | None:
        """The number; None where there is none."""
        return self.score.value if self.score is not None else None


Family = tuple[str, str, Variant]  # measure, teacher, setting: what students are ranked within
Claims = Mapping[tuple[Subject, str], Claim]  # (subject, measure or measure/part)


def columns_of(index: ScoreIndex, subjects: Sequence[Subject]) -> tuple[MeasureColumn, ...]:
    """The leaderboard's columns that have a row in this run, in their order."""
    declared: list[tuple[int, str, Column]] = [
        (column.order, note.name, column)
        for note in index.notes.values()
        for column in note.leaderboard
    ]
    columns = [
        MeasureColumn(f"{name}/{c.part}" if c.part else name, c.title, c.note, c.from_base)
        for _, name, c in sorted(declared, key=lambda entry: entry[:2])
    ]
    return tuple(
        c for c in columns if any(index.overall(c.metric, s) is not None for s in subjects)
    )


def make_claims(
    index: ScoreIndex,
    subjects: Sequence[Subject],
    columns: Sequence[MeasureColumn],
    comparisons: Sequence[Comparison],
) -> Claims:
    """Claims about every subject for every column of the leaderboard and every topic of the page."""
    topics = [m for topic in get_args(Topic) for m in index.metrics(topic)]
    from_base = dict.fromkeys(topics, False) | {c.metric: c.from_base for c in columns}
    claims: dict[tuple[Subject, str], Claim] = {}
    for metric, is_from_base in from_base.items():
        scores = {s: index.overall(metric, s) for s in subjects}
        for subject, score in scores.items():
            claims[subject, metric] = _beside_controls(
                subject,
                score,
                scores,
                from_base=is_from_base,
                to_teacher=score is not None and index.is_gap(score),
            )
    shown = {c.metric for c in columns}
    return _compared(claims, shown, comparisons)


def _beside_controls(
    subject: Subject,
    score: Score | None,
    scores: Mapping[Subject, Score | None],
    *,
    from_base: bool,
    to_teacher: bool,
) -> Claim:
    """The subject's claim before ranks and leaders; controls as the leaderboard has them."""
    rivals = [
        Highest(x.value, other.student)
        for other, x in scores.items()
        if other.role == "control" and other.group == subject.group and other != subject
        if x is not None and x.value is not None
    ]
    highest = max(rivals, default=None)
    low = score.low if score is not None and score.low is not None else -math.inf
    above_zero, beyond = low > 0.0, to_teacher and low > 1.0
    above_all = (
        subject.role == "student"
        and score is not None
        and score.value is not None
        and highest is not None
        and score.value > highest.value
    )
    return Claim(score, above_zero, from_base and above_zero, beyond, highest, above_all)


def _compared(
    claims: Claims, shown: set[str], comparisons: Sequence[Comparison]
) -> dict[tuple[Subject, str], Claim]:
    """The claims with ranks and leaders: Holm within a family, Benjamini-Hochberg across the leaderboard."""
    groups: dict[Family, list[Subject]] = {}
    for subject, metric in claims:
        if metric in shown and subject.role == "student":
            groups.setdefault((metric, *subject.group), []).append(subject)
    families: dict[Family, list[Comparison]] = {}
    for c in comparisons:
        families.setdefault((c.metric, c.teacher, c.variant), []).append(c)
    ranks: dict[tuple[Subject, str], int] = {}
    ahead: dict[tuple[Subject, str], float] = {}  # the best -> p of its difference from the next
    for family, group in groups.items():
        metric = family[0]
        valued = [(v, s) for s in group if (v := claims[s, metric].value) is not None]
        valued.sort(key=lambda entry: (-entry[0], entry[1].label))
        students = [s for _, s in valued]
        for subject in students if len(students) > 1 else ():
            against = _widest(families.get(family, ()), subject)
            ranks[subject, metric] = 1 + sum(
                c.p_adjusted < _TOLD_APART and c.difference < 0 for c in against
            )
            if subject == students[0]:
                runner_up = students[1].student
                p = [c.p_adjusted for c in against if c.second == runner_up]
                ahead |= {(subject, metric): p[0]} if p else {}
    adjusted = benjamini_hochberg(list(ahead.values())).tolist() if ahead else []
    leading = {key for key, p in zip(ahead, adjusted, strict=True) if p < _TOLD_APART}
    return {
        key: replace(claim, rank=ranks.get(key), leads=key in leading)
        for key, claim in claims.items()
    }


def _widest(family: Sequence[Comparison], subject: Subject) -> list[Comparison]:
    """The subject's comparisons with other students, as `first`, on the task that combines most tasks."""
    own = [
        c if c.first == subject.student else _turned(c)
        for c in family
        if subject.student in (c.first, c.second)
    ]
    tasks = {c.task for c in own}
    widest = max(tasks, key=lambda t: (t.count("+"), t), default="")
    return [c for c in own if c.task == widest] if len(tasks) == 1 or "+" in widest else []


def _turned(c: Comparison) -> Comparison:
    """The same comparison from the other side."""
    ends = (-c.difference, -c.high, -c.low)
    return replace(c, first=c.second, second=c.first, difference=ends[0], low=ends[1], high=ends[2])


def corner(style: Score | None, capability: Score | None) -> str:
    """The corner of the map that both intervals lie in; "" where an interval crosses the middle."""
    sides = (_side(style), _side(capability))
    names = {
        (True, True): "clone",
        (True, False): "imitator",
        (False, True): "learner",
        (False, False): "neither",
    }
    return "" if None in sides else names[bool(sides[0]), bool(sides[1])]


def _side(score: Score | None) -> bool | None:
    """Whether the whole interval lies above one half; None where it cannot be said."""
    if score is None or score.value is None:
        return None
    low = score.low if score.low is not None else score.value
    high = score.high if score.high is not None else score.value
    return True if low > 0.5 else False if high < 0.5 else None
