"""Recipes over their training seeds: what may be said of a recipe, and of two. Pure.

Models of one `recipe` are its seeds. Three at least stand for the recipe: then the mean over seeds has an interval in
which seeds are clusters, and prompts a second source of chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from harness.board.claims import Verdict, decide
from harness.board.record import RunRecord, Variant
from harness.board.subjects import whole_tasks
from harness.stats.means import cluster_codes
from harness.stats.multiple import holm
from harness.stats.seeds import (
    LEAST_SEEDS,
    Variance,
    from_intervals,
    over_prompts,
    over_seeds,
    require_seeds,
    seeds_mean,
)
from harness.types import Better, Floats, Ints, Score, Unavailable

T = TypeVar("T")


@dataclass(frozen=True)
class RecipeScore:
    """A number of a recipe: the mean over its seeds, or the reason why there is none."""

    metric: str
    task: str
    recipe: str
    teacher: str  # "" for measures of one model alone
    base: str
    seeds: tuple[str, ...]  # models that have a number, in the order of the matrix
    without: tuple[str, ...]  # seeds that have none
    value: float | None
    low: float | None  # None beside a value: no interval can be made, and `reason` says why
    high: float | None
    n: int  # prompts; of seeds with different ones, the fewest
    unit: str
    better: Better
    reason: str
    variant: Variant = ()


@dataclass(frozen=True)
class RecipeComparison:
    """Two recipes of one teacher, on one base, on the same prompts; seeds are the clusters."""

    metric: str
    task: str
    teacher: str
    base: str
    first: str  # recipe
    second: str
    difference: float  # mean of the first minus mean of the second
    low: float
    high: float
    p: float  # two-sided
    p_adjusted: float  # Holm within one metric, teacher and base
    n_first: int  # seeds
    n_second: int
    n: int  # prompts that all of them have
    better: Better
    variant: Variant = ()

    @property
    def outcome(self) -> Verdict:
        """What may be said of the first beside the second."""
        return decide(self.difference, self.p_adjusted, self.better)


def recipe_scores(record: RunRecord) -> list[RecipeScore]:
    """Every score of every recipe, by setting, in the order of the scores."""
    made = (_scores(run, variant) for variant, run in record.runs().items() if run.recipes)
    return [score for own in made for score in own]


def _scores(run: RunRecord, variant: Variant) -> list[RecipeScore]:
    groups = _grouped(run, run.scores, lambda s: (s.metric, s.task, s.teacher, s.base))
    return [
        replace(over_recipe(run.recipes[own[0].student], own), variant=variant)
        for own in groups.values()
    ]


def _grouped(
    run: RunRecord, scores: Iterable[Score], key: Callable[[Score], tuple[str, ...]]
) -> dict[tuple[str, ...], list[Score]]:
    """Scores of seeds by recipe and key, each group in the order of the matrix."""
    order = {model: i for i, model in enumerate(run.models)}
    groups: dict[tuple[str, ...], list[Score]] = {}
    for score in scores:
        if score.student in run.recipes:
            groups.setdefault((run.recipes[score.student], *key(score)), []).append(score)
    return {
        k: sorted(own, key=lambda s: order.get(s.student, len(order)))
        for k, own in sorted(groups.items())
    }


def over_recipe(recipe: str, scores: Sequence[Score]) -> RecipeScore:
    """The number of a recipe from one score of each of its seeds, of one measure."""
    valued = [s for s in scores if s.value is not None]
    first = (valued or scores)[0]
    n = min((s.n for s in valued), default=0)
    blank = RecipeScore(
        first.metric, first.task, recipe, first.teacher, first.base,
        tuple(s.student for s in valued), tuple(s.student for s in scores if s.value is None),
        None, None, None, n, first.unit, first.better, "", first.variant,
    )  # fmt: skip
    values = np.array([s.value for s in valued], dtype=np.float64)
    try:
        require_seeds(len(valued))
    except Unavailable as why:
        return replace(blank, n=0, reason=_few(str(why), scores, valued))
    try:
        told = seeds_mean(float(values.mean()), [over_seeds(values)], _of_prompts(valued))
    except Unavailable as why:
        return replace(blank, value=float(values.mean()), reason=f"no interval: {why}")
    return replace(blank, value=told.value, low=told.low, high=told.high)


def _few(why: str, scores: Sequence[Score], valued: Sequence[Score]) -> str:
    """Why a recipe has no number: too few seeds, or too few with a number of their own."""
    missing = next((s for s in scores if s.value is None), None)
    if len(scores) < LEAST_SEEDS or missing is None:
        return why
    n, k = len(valued), len(scores)
    return f"{n} of {k} seeds have a number, expected at least three; {missing.student}: {missing.reason}"


def _of_prompts(scores: Sequence[Score]) -> Variance:
    """The part of the prompts: from pseudo-values where all seeds have them, else at most that of their intervals."""
    if any(s.level == "models" for s in scores):
        raise Unavailable("each seed's own interval is over control models, not prompts")
    shared = _shared(scores)
    if shared:
        return over_prompts([_values(scores, shared)], _codes(scores, shared))
    ends = [(s.low, s.high, s.n) for s in scores if s.low is not None and s.high is not None]
    if len(ends) < len(scores):
        raise Unavailable("a seed has none of its own")
    lows, highs, ns = zip(*ends, strict=True)
    return from_intervals(lows, highs, ns)


def _shared(scores: Sequence[Score]) -> list[str]:
    """Prompts of which all scores have a pseudo-value, sorted; none where these are not two at least."""
    prompts = set.intersection(*(set(s.influence) for s in scores))
    return sorted(prompts) if len(prompts) > 1 else []


def _values(scores: Sequence[Score], prompts: Sequence[str]) -> Floats:
    """(P, K) pseudo-values."""
    return np.array([[s.influence[p] for s in scores] for p in prompts], dtype=np.float64)


def _codes(scores: Sequence[Score], prompts: Sequence[str]) -> Ints:
    clusters = {k: v for s in scores for k, v in s.clusters.items()}
    return cluster_codes([clusters.get(p, p) for p in prompts], len(prompts))


def recipe_comparisons(record: RunRecord) -> list[RecipeComparison]:
    """Every two recipes of a teacher on a base that have three seeds, by every whole measure of every whole task."""
    made: list[RecipeComparison] = []
    for variant, run in record.runs().items():
        made += [replace(c, variant=variant) for c in _comparisons(run)] if run.recipes else []
    return made


def _comparisons(run: RunRecord) -> list[RecipeComparison]:
    students = {(p.student, p.teacher, p.base or "") for p in run.pairs}
    own = [
        s
        for s in run.scores
        if s.influence and "/" not in s.metric and (s.student, s.teacher, s.base) in students
    ]
    whole = [
        s
        for of in _by(own, lambda s: (s.metric, s.student, s.teacher, s.base))
        for s in whole_tasks(of)
    ]
    groups = _grouped(run, whole, lambda s: (s.metric, s.task, s.teacher, s.base))
    sides: dict[tuple[str, ...], list[tuple[str, list[Score]]]] = {}
    for (recipe, *rest), scores in groups.items():
        if len(scores) >= LEAST_SEEDS:
            sides.setdefault(tuple(rest), []).append((recipe, scores))
    made = [
        c
        for of in sides.values()
        for one, two in combinations(of, 2)
        if (c := _comparison(one, two)) is not None
    ]
    families = [_corrected(of) for of in _by(made, lambda c: (c.metric, c.teacher, c.base))]
    return [c for of in families for c in of]


def _by(values: Iterable[T], key: Callable[[T], tuple[str, ...]]) -> list[list[T]]:
    groups: dict[tuple[str, ...], list[T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return list(groups.values())


def _corrected(family: Sequence[RecipeComparison]) -> list[RecipeComparison]:
    adjusted = holm([c.p for c in family]).tolist()
    return [replace(c, p_adjusted=p) for c, p in zip(family, adjusted, strict=True)]


def _comparison(
    one: tuple[str, Sequence[Score]], two: tuple[str, Sequence[Score]]
) -> RecipeComparison | None:
    """None where the seeds of both share no two prompts, or nothing differs."""
    (first, ours), (second, theirs) = one, two
    every = [*ours, *theirs]
    prompts = _shared(every)
    if not prompts:
        return None
    sides = [_values(ours, prompts), _values(theirs, prompts)]
    means = [side.mean(axis=0) for side in sides]
    try:
        of_prompts = over_prompts(sides, _codes(every, prompts))
        difference = float(means[0].mean() - means[1].mean())
        told = seeds_mean(difference, list(map(over_seeds, means)), of_prompts)
    except Unavailable:
        return None
    s = ours[0]
    return RecipeComparison(
        s.metric, s.task, s.teacher, s.base, first, second, told.value, told.low, told.high,
        told.p, told.p, len(ours), len(theirs), len(prompts), s.better,
    )  # fmt: skip
