"""Claims about a student: above its base, above the controls, better than another, rank; decided here only.

Sentences, marks, tables, gates and figures quote a Claim; none of them compares numbers itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from harness.board.record import Change, Comparison
from harness.board.subjects import Group, ScoreIndex, Subject, overall
from harness.panel.topics import Column, Topic
from harness.stats.controls import evidence, one_per_lineage
from harness.stats.means import cluster_codes, mean_error, t_two_sided_p
from harness.stats.multiple import benjamini_hochberg, holm
from harness.types import Better, Score

_TOLD_APART = 0.05  # adjusted two-sided p below which two students count as different


@dataclass(frozen=True)
class MeasureColumn:
    """A measure that the leaderboard shows."""

    metric: str  # measure, or measure/part
    title: str
    note: str
    from_base: bool  # 0 is the base's level, so an interval above 0 is "above the base"
    alone: bool = False  # a number of the model itself, whoever its teacher is: it is not ranked


class Highest(NamedTuple):
    """The control with the highest value."""

    value: float
    model: str


@dataclass(frozen=True)
class Claim:
    """One subject's number in one measure, and what it supports."""

    score: Score | None  # None = the run does not measure it
    above_zero: bool = False  # the whole interval lies above 0
    # the whole interval lies above the base's level, after correction for the teacher's other students
    above_base: bool = False
    beyond_teacher: bool = False  # 1 is the teacher's level, and the whole interval lies above it
    highest: Highest | None = (
        None  # of the controls of the same teacher and base that have a number
    )
    lineages: int = 0  # of these controls; relatives of student and teacher do not count
    # whether a student's number is above what unrelated models reach; None = too few lineages to tell
    above_controls: bool | None = None
    limit: float | None = (
        None  # which a further unrelated model stays below with 95 %; from 4 lineages on
    )
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

    @property
    def merit(self) -> float | None:
        """The number, the larger the better: negated where lower is better."""
        if self.score is None or self.score.value is None:
            return None
        return -self.score.value if self.score.better == "lower" else self.score.value


Family = tuple[
    str, Group
]  # measure, and teacher, base and setting: what students are ranked within
Claims = Mapping[tuple[Subject, str], Claim]  # (subject, measure or measure/part)


def columns_of(index: ScoreIndex, subjects: Sequence[Subject]) -> tuple[MeasureColumn, ...]:
    """The leaderboard's columns that have a row in this run, in their order."""
    declared: list[tuple[int, str, Column]] = [
        (column.order, note.name, column)
        for note in index.notes.values()
        for column in note.leaderboard
    ]
    columns = [
        MeasureColumn(f"{name}/{c.part}" if c.part else name, c.title, c.note, c.from_base, c.alone)
        for _, name, c in sorted(declared, key=lambda entry: entry[:2])
    ]
    return tuple(c for c in columns if any(_score_of(c, index, s) is not None for s in subjects))


def _score_of(column: MeasureColumn, index: ScoreIndex, subject: Subject) -> Score | None:
    if column.alone:
        return overall(index.own(column.metric, subject.student, subject.variant))
    return index.overall(column.metric, subject)


def make_claims(
    index: ScoreIndex,
    subjects: Sequence[Subject],
    columns: Sequence[MeasureColumn],
    comparisons: Sequence[Comparison],
    lineages: Mapping[str, str],
) -> Claims:
    """Claims about every subject for every column of the leaderboard and every topic of the page.

    `lineages`: model -> its lineage; a model that is not in it is one of its own.
    """
    topics = [m for topic in get_args(Topic) for m in index.metrics(topic)]
    from_base = dict.fromkeys(topics, False)
    from_base |= {c.metric: c.from_base for c in columns if not c.alone}
    shown = {c.metric for c in columns}
    claims: dict[tuple[Subject, str], Claim] = {}
    for metric, is_from_base in from_base.items():
        scores = {s: index.overall(metric, s) for s in subjects}
        above = _above_base(scores) if is_from_base else frozenset()
        for subject, score in scores.items():
            beside = _beside_controls(subject, score, scores, lineages)
            if metric in shown and score is not None and score.level == "models":
                beside = _over_models(subject, beside, score)
            claims[subject, metric] = replace(
                beside,
                above_base=subject in above,
                beyond_teacher=score is not None and index.is_gap(score) and _all_above(score, 1.0),
            )
    for column in columns:
        if column.alone:
            for subject in subjects:
                claims[subject, column.metric] = Claim(_score_of(column, index, subject))
    return _compared(claims, shown, comparisons)


def _above_base(scores: Mapping[Subject, Score | None]) -> frozenset[Subject]:
    """Subjects whose whole interval lies above 0, students after Holm's correction within their group."""
    above = {s for s, x in scores.items() if x is not None and x.low is not None and x.low > 0}
    groups: dict[Group, dict[Subject, float]] = {}
    for subject, score in scores.items():
        if subject.role == "student" and score is not None and score.influence:
            groups.setdefault(subject.group, {})[subject] = _p_of_zero(score)
    for of in groups.values():
        adjusted = holm(list(of.values()))
        above -= {s for s, p in zip(of, adjusted, strict=True) if p >= _TOLD_APART}
    return frozenset(above)


def _all_above(score: Score, level: float) -> bool:
    """Whether the whole interval lies above a level."""
    return score.low is not None and score.low > level


def _p_of_zero(score: Score) -> float:
    """Two-sided p-value of the mean of a score's pseudo-values against 0."""
    prompts = sorted(score.influence)
    values = np.array([score.influence[i] for i in prompts])
    error = mean_error(
        values[:, None],
        cluster_codes([score.clusters.get(i, i) for i in prompts], len(prompts)),
    )
    mean, se = float(error.means[0]), error.standard_error
    return t_two_sided_p(mean / se, error.df) if se > 0 else float(mean == 0)


def _beside_controls(
    subject: Subject,
    score: Score | None,
    scores: Mapping[Subject, Score | None],
    lineages: Mapping[str, str],
) -> Claim:
    """The subject's claim before ranks and leaders; one value per lineage, its largest."""

    def lineage(model: str) -> str:
        """The lineage of a model; its own name where none is known."""
        return lineages.get(model, model)

    own = {lineage(subject.student), lineage(subject.teacher)}
    reached = {
        other.student: x.value
        for other, x in scores.items()
        if other.role == "control" and other.group == subject.group
        if x is not None and x.value is not None and lineage(other.student) not in own
    }
    above_zero = score is not None and _all_above(score, 0.0)
    highest = max((Highest(v, m) for m, v in reached.items()), default=None)
    claim = Claim(score, above_zero, highest=highest)
    if subject.role != "student" or score is None or score.value is None or not reached:
        return claim
    controls = one_per_lineage(reached, lineages)
    said = evidence(score.value, controls)
    tell = None if said.says == "cannot tell" else said.says == "above"
    return replace(claim, lineages=len(controls), above_controls=tell, limit=said.limit)


def _over_models(subject: Subject, claim: Claim, score: Score) -> Claim:
    """A number over models says itself whether it lies above what unrelated models show: where its interval does."""
    above = None if score.low is None or subject.role != "student" else score.low > 0
    return replace(claim, above_controls=above, lineages=score.n, limit=None)


def _compared(
    claims: Claims, shown: set[str], comparisons: Sequence[Comparison]
) -> dict[tuple[Subject, str], Claim]:
    """The claims with ranks and leaders: Holm within a family, Benjamini-Hochberg across the leaderboard."""
    groups: dict[Family, list[Subject]] = {}
    for subject, metric in claims:
        if metric in shown and subject.role == "student":
            groups.setdefault((metric, subject.group), []).append(subject)
    families: dict[Family, list[Comparison]] = {}
    for c in comparisons:
        families.setdefault((c.metric, (c.teacher, c.base, c.variant)), []).append(c)
    ranks: dict[tuple[Subject, str], int] = {}
    ahead: dict[tuple[Subject, str], float] = {}  # the best -> p of its difference from the next
    for family, group in groups.items():
        metric = family[0]
        valued = [(v, s) for s in group if (v := claims[s, metric].merit) is not None]
        valued.sort(key=lambda entry: (-entry[0], entry[1].label))
        students = [s for _, s in valued]
        scores = [claims[s, metric].score for s in students]
        lower = any(s is not None and s.better == "lower" for s in scores)
        for subject in students if len(students) > 1 else ():
            against = _widest(families.get(family, ()), subject)
            if families.get(family):  # without a test nobody knows who shares a rank
                ranks[subject, metric] = 1 + sum(
                    c.p_adjusted < _TOLD_APART and (c.difference < 0) != lower for c in against
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
    return _on_widest(own)


def _on_widest(own: Sequence[Comparison]) -> list[Comparison]:
    tasks = {c.task for c in own}
    widest = max(tasks, key=lambda t: (t.count("+"), t), default="")
    return [c for c in own if c.task == widest] if len(tasks) == 1 or "+" in widest else []


def headline_comparisons(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Of each measure and group the comparisons on the task that combines most tasks: those that ranks are made of."""
    families: dict[Family, list[Comparison]] = {}
    for c in comparisons:
        families.setdefault((c.metric, (c.teacher, c.base, c.variant)), []).append(c)
    return [c for own in families.values() for c in _on_widest(own)]


def _turned(c: Comparison) -> Comparison:
    """The same comparison from the other side."""
    ends = (-c.difference, -c.high, -c.low)
    return replace(c, first=c.second, second=c.first, difference=ends[0], low=ends[1], high=ends[2])


def told_apart(change: Change) -> bool:
    """Whether two models differ significantly, whichever end of a measure is better, if any is."""
    return change.p_adjusted < _TOLD_APART


Verdict = Literal["better", "worse", "different", "not told apart"]


def outcome(change: Change) -> Verdict:
    """Whether a student is significantly better or worse than the model that it is compared with."""
    said = decide(change.difference, change.p_adjusted, change.better)
    return "not told apart" if said == "different" else said


def decide(difference: float, p_adjusted: float, better: Better) -> Verdict:
    """What a paired difference says, corrected for its family; "different" where neither end is better."""
    if not p_adjusted < _TOLD_APART:
        return "not told apart"
    if better == "none":
        return "different"
    return "better" if (difference > 0) == (better == "higher") else "worse"


@dataclass(frozen=True)
class Choice:
    """Which students of a teacher, on one base, are the ones to take."""

    group: Group
    # the highest capability, and whoever is not told apart from it; the smallest first where sizes are known
    chosen: tuple[Subject, ...]
    lossy: tuple[Subject, ...]  # left out: they lost significantly outside of what was distilled
    why: str  # why nobody is chosen; "" where somebody is


def choose(
    students: Sequence[Subject],
    capability: Mapping[Subject, Claim],
    comparisons: Sequence[Comparison],
    lossy: Set[Subject],
    sizes: Mapping[str, float],
) -> Choice:
    """The choice among the students of one group: by capability alone, style never decides.

    `lossy`: students with a significant loss outside of the domain; `sizes`: model -> parameters, where known.
    """
    group = students[0].group
    left_out = tuple(s for s in students if s in lossy)
    bounded = {
        s: v for s in students if s not in lossy and (v := _bounded(capability[s])) is not None
    }
    if not bounded:
        return Choice(group, (), left_out, _why_nobody(students, capability, left_out))
    best = max(bounded, key=lambda s: (bounded[s], s.label))
    score = capability[best].score
    family = [
        c
        for c in comparisons
        if score is not None and c.metric == score.metric
        if (c.teacher, c.base, c.variant) == group
    ]
    apart = {c.second for c in _widest(family, best) if c.p_adjusted < _TOLD_APART}
    chosen = [s for s in bounded if s == best or s.student not in apart]
    chosen.sort(key=lambda s: (sizes.get(s.student, 0.0), -bounded[s], s.label))
    return Choice(group, tuple(chosen), left_out, "")


def _bounded(claim: Claim) -> float | None:
    """The value where it has an interval."""
    score = claim.score
    return score.value if score is not None and score.low is not None else None


def _why_nobody(
    students: Sequence[Subject], capability: Mapping[Subject, Claim], lossy: Sequence[Subject]
) -> str:
    if students[0].base == "":
        return "no base is named, so nothing shows what the teacher added"
    if len(lossy) == len(students):
        return "every student lost something outside of what was distilled"
    reasons = [c.score.reason for s in students if (c := capability[s]).score and c.score.reason]
    if reasons:
        return reasons[0]
    if all(capability[s].score is None for s in students):
        return "the run does not measure the transfer of capability"
    return "no student's transfer of capability has an interval"


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
