"""Students compared with one another, with their bases and with their teachers, paired by prompt.

A family of p-values that are corrected together: one measure, one teacher, one base, and one kind of question (between
students, against the base, against the teacher), over all students and tasks. Source of the correction: Holm 1979.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from harness.board.record import Change, Comparison
from harness.board.subjects import whole_tasks
from harness.panel.prompts import is_category
from harness.stats.means import cluster_codes
from harness.stats.multiple import holm, holm_levels
from harness.stats.paired import PairedDifference, Spread, compare, compare_values
from harness.types import Floats, Ints, Pair, Score, Unavailable

T = TypeVar("T", Change, Comparison)


def compared(scores: Sequence[Score], pairs: Sequence[Pair]) -> tuple[Comparison, ...]:
    """Every two students of a teacher on a base, by every whole metric (no parts) of every whole task."""
    students = {(p.student, p.teacher, p.base or "") for p in pairs}
    own: dict[tuple[str, str, str, str], list[Score]] = {}
    for s in scores:
        is_whole = bool(s.influence) and "/" not in s.metric
        if is_whole and (s.student, s.teacher, s.base) in students:
            own.setdefault((s.metric, s.student, s.teacher, s.base), []).append(s)
    groups: dict[tuple[str, str, str, str], list[_Sorted]] = {}
    for s in (s for of in own.values() for s in whole_tasks(of)):
        groups.setdefault((s.metric, s.task, s.teacher, s.base), []).append(_sorted(s))
    made: list[tuple[Comparison, Spread]] = []
    for _, group in sorted(groups.items(), key=lambda item: item[0]):
        for first, second in combinations(group, 2):
            paired = _difference(first, second)
            if paired is not None and first.score.student != second.score.student:
                made.append((_comparison(first.score, second.score, paired), paired.spread))
    return _adjusted(made, lambda c: (c.metric, c.teacher, c.base))


def changes(
    scores: Sequence[Score], pairs: Sequence[Pair], own: Collection[str]
) -> tuple[Change, ...]:
    """Every student beside its base and its teacher, on what each of them is measured by alone, task by task.

    `own`: measures whose parts are such numbers too, each a grade of its own; of others only the whole counts,
    and no category of prompts.
    """
    alone: dict[tuple[str, str], dict[str, Score]] = {}
    for s in scores:
        is_grade = "/" not in s.metric or (
            s.metric.split("/")[0] in own and not is_category(s.metric)
        )
        if s.influence and not s.teacher and is_grade:
            alone.setdefault((s.metric, s.student), {})[s.task] = s
    tables = {
        key: {s.task: _sorted(s) for s in whole_tasks(list(of.values()))}
        for key, of in sorted(alone.items())
    }
    made: list[tuple[Change, Spread]] = []
    for metric in dict.fromkeys(metric for metric, _ in tables):
        for pair in pairs:
            for against, other in (("base", pair.base), ("teacher", pair.teacher)):
                ours, theirs = (
                    tables.get((metric, str(model)), {}) for model in (pair.student, other)
                )
                for task in (t for t in ours if t in theirs):
                    change = _change(pair, against, ours[task], theirs[task])  # type: ignore[arg-type]
                    made += [] if change is None else [change]
    return _adjusted(made, lambda c: (c.metric, c.teacher, c.base, c.against))


class _Sorted(NamedTuple):
    """A score's pseudo-values, sorted by prompt so that they can be paired with another's."""

    score: Score
    prompts: tuple[str, ...]  # (P,) sorted
    values: Floats  # (P,)
    codes: Ints  # (P,) of clusters


def _sorted(score: Score) -> _Sorted:
    prompts = tuple(sorted(score.influence))
    values = np.array([score.influence[i] for i in prompts], dtype=np.float64)
    return _Sorted(
        score,
        prompts,
        values,
        cluster_codes([score.clusters.get(i, i) for i in prompts], len(prompts)),
    )


def _difference(first: _Sorted, second: _Sorted) -> PairedDifference | None:
    """None where nothing can be said: too few prompts in common, or no spread."""
    try:
        if first.prompts == second.prompts:
            return compare_values(first.values, second.values, first.codes)
        clusters = {**first.score.clusters, **second.score.clusters}
        return compare(first.score.influence, second.score.influence, clusters)
    except Unavailable:
        return None


def _comparison(one: Score, two: Score, paired: PairedDifference) -> Comparison:
    return Comparison(
        one.metric, one.task, one.teacher, one.base, one.student, two.student, paired.difference, paired.low,
        paired.high, paired.p, paired.p, paired.n, paired.spread.detectable(),
    )  # fmt: skip


def _change(
    pair: Pair, against: Literal["base", "teacher"], ours: _Sorted, theirs: _Sorted
) -> tuple[Change, Spread] | None:
    paired = _difference(ours, theirs)
    if paired is None:
        return None
    one, two = ours.score, theirs.score
    won, lost = _won_and_lost(one, two)
    change = Change(
        one.metric, one.task, pair.teacher, pair.base or "", pair.student, against, paired.difference, paired.low,
        paired.high, paired.p, paired.p, paired.n, paired.spread.detectable(), won, lost, one.unit, one.better,
    )  # fmt: skip
    return change, paired.spread


def _won_and_lost(one: Score, two: Score) -> tuple[int, int] | tuple[None, None]:
    """Prompts on which the first is better than the second, and on which it is worse."""
    if one.better == "none":
        return None, None
    shared = one.influence.keys() & two.influence.keys()
    higher = sum(one.influence[i] > two.influence[i] for i in shared)
    lower = sum(one.influence[i] < two.influence[i] for i in shared)
    return (higher, lower) if one.better == "higher" else (lower, higher)


def _adjusted(made: Sequence[tuple[T, Spread]], family: Callable[[T], Hashable]) -> tuple[T, ...]:
    """Each with Holm's p-value within its family, and with what the family lets it find."""
    families: dict[Hashable, list[int]] = {}
    for place, (one, _) in enumerate(made):
        families.setdefault(family(one), []).append(place)
    adjusted = [one for one, _ in made]
    for places in families.values():
        p = [adjusted[i].p for i in places]
        for place, own, level in zip(places, holm(p), holm_levels(p), strict=True):
            compared_pair, spread = made[place]
            least = spread.detectable(float(level))
            adjusted[place] = replace(compared_pair, p_adjusted=float(own), detectable=least)
    return tuple(adjusted)
