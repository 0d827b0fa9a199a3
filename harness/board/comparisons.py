"""Students of one teacher compared with one another, paired by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, groupby
from typing import NamedTuple

import numpy as np

from harness.board.record import Comparison
from harness.stats.means import cluster_codes
from harness.stats.multiple import holm
from harness.stats.paired import PairedDifference, compare, compare_values
from harness.types import Floats, Ints, Score, Unavailable


def compared(scores: Sequence[Score], roles: Mapping[str, str]) -> tuple[Comparison, ...]:
    """Every two students on every whole metric (no parts), Holm-adjusted within one metric, task and teacher."""
    usable = [
        s
        for s in scores
        if s.influence and s.teacher and "/" not in s.metric and roles.get(s.student) == "student"
    ]
    usable.sort(key=_family)
    families = [_family_of(list(group)) for _, group in groupby(usable, key=_family)]
    return tuple(c for family in families for c in family)


def _family(score: Score) -> tuple[str, str, str]:
    return score.metric, score.task, score.teacher


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


def _difference(first: _Sorted, second: _Sorted) -> PairedDifference:
    if first.prompts == second.prompts:
        return compare_values(first.values, second.values, first.codes)
    clusters = {**first.score.clusters, **second.score.clusters}
    return compare(first.score.influence, second.score.influence, clusters)


def _family_of(scores: Sequence[Score]) -> list[Comparison]:
    pairs = []
    for first, second in combinations([_sorted(s) for s in scores], 2):
        one, two = first.score, second.score
        if one.student == two.student:
            continue
        try:
            paired = _difference(first, second)
        except Unavailable:
            continue  # too few prompts in common: the page shows both values without a verdict
        pairs.append(
            Comparison(
                one.metric, one.task, one.teacher, one.student, two.student, paired.difference, paired.low,
                paired.high, paired.p, paired.p, paired.n, paired.detectable,
            )
        )  # fmt: skip
    return [
        replace(c, p_adjusted=float(p))
        for c, p in zip(pairs, holm([c.p for c in pairs]), strict=True)
    ]
