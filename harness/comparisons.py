"""Students of one teacher compared with one another, paired by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, groupby

from harness.records import Comparison
from harness.stats.multiple import holm
from harness.stats.paired import compare
from harness.types import Score, Unavailable


def compared(scores: Sequence[Score], roles: Mapping[str, str]) -> tuple[Comparison, ...]:
    """Every two students on every whole metric (no parts), Holm-adjusted within one metric, task and teacher."""
    usable = [
        s for s in scores if s.influence and s.teacher and "/" not in s.metric and roles.get(s.student) == "student"
    ]
    usable.sort(key=_family)
    families = [_family_of(list(group)) for _, group in groupby(usable, key=_family)]
    return tuple(c for family in families for c in family)


def _family(score: Score) -> tuple[str, str, str]:
    return score.metric, score.task, score.teacher


def _family_of(scores: Sequence[Score]) -> list[Comparison]:
    found = []
    for first, second in combinations(scores, 2):
        if first.student == second.student:
            continue
        try:
            paired = compare(first.influence, second.influence, {**first.clusters, **second.clusters})
        except Unavailable:
            continue  # too few prompts in common: the page shows both values without a verdict
        found.append(
            Comparison(
                first.metric, first.task, first.teacher, first.student, second.student, paired.difference, paired.low,
                paired.high, paired.p, paired.p, paired.n, paired.detectable,
            )
        )  # fmt: skip
    if not found:
        return []
    return [replace(c, p_adjusted=float(p)) for c, p in zip(found, holm([c.p for c in found]), strict=True)]
