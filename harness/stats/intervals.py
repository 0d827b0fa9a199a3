"""Evaluation of statistics: a value with its interval. Every score is made from a Statistic here."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

import numpy as np

from harness.stats.means import Interval, is_share, share_interval, t_interval
from harness.stats.ratios import PairError, Stratum, fieller_set, pair_error, ratio_pseudo_values
from harness.stats.smooth import smooth_interval, smooth_pseudo_values
from harness.types import Floats, Given, Level, Mean, Ratio, Smooth, Statistic, Unavailable


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and what a paired comparison needs."""

    value: float
    low: float | None  # None: no interval, note says why
    high: float | None
    n: int  # distinct prompts; control lineages where level is "models"
    # Prompt.id -> pseudo-value; their mean is the value
    influence: dict[str, float] = field(default_factory=dict)
    # Prompt.id -> cluster, where they differ
    clusters: dict[str, str] = field(default_factory=dict)
    level: Level = "prompts"
    note: str = ""  # what a reader must know about the interval


ALIKE = "the same on every prompt: no spread to make an interval from"
SELDOM = "no interval: not defined in many resamples of the prompts"
EXACT = "all prompts alike: exact binomial bounds"


def evaluate(statistic: Statistic, rng: np.random.Generator) -> Estimate:
    """The statistic's value, 95 % interval and pseudo-values; the same bytes for prompts in any order.

    Mean: Student's t, or Clopper and Pearson's for a share. Ratio: Fieller's set. Smooth: BCa
    bootstrap. All are robust to clusters with df = clusters - 1. Given: itself.
    Raises Unavailable with the reason where there is no value or the gap is within noise.
    """
    if isinstance(statistic, Given):
        return Estimate(
            statistic.value,
            statistic.low,
            statistic.high,
            statistic.n,
            level=statistic.level,
            note=statistic.note,
        )
    if isinstance(statistic, Ratio):
        return _evaluate_ratio(statistic)
    return (
        _evaluate_mean(statistic)
        if isinstance(statistic, Mean)
        else _evaluate_smooth(statistic, rng)
    )


def beside(statistic: Mean | Ratio) -> Given | str:
    """The statistic evaluated, or the reason why it has no value: for numbers that accompany a finding.

    It has no pseudo-values, which a measure with many parts would otherwise carry for each of them.
    """
    try:
        made = evaluate(statistic, np.random.default_rng(0))  # neither kind draws from it
    except Unavailable as error:
        return str(error)
    return Given(made.value, made.low, made.high, made.n, note=made.note)


def _evaluate_mean(statistic: Mean) -> Estimate:
    rows = _sorted_rows(statistic.prompts, statistic.values)
    values, clusters = rows.values, rows.named(statistic.clusters)
    share = is_share(values)
    interval = share_interval(values, clusters) if share else t_interval(values, clusters)
    alike = bool(np.all(values == values[0]))
    return _estimate(
        interval,
        rows.prompts,
        values,
        clusters,
        EXACT if alike and share else ALIKE if alike else "",
    )


def _evaluate_smooth(statistic: Smooth, rng: np.random.Generator) -> Estimate:
    rows = _sorted_rows(statistic.prompts, statistic.parts)
    clusters = rows.named(statistic.clusters)
    interval = smooth_interval(rows.values, statistic.combine, clusters, rng, statistic.kinds)
    pseudo = smooth_pseudo_values(rows.values, statistic.combine)
    note = ALIKE if interval.low == interval.high else "" if interval.bounded else SELDOM
    return _estimate(interval, rows.prompts, pseudo, clusters, note)


def _evaluate_ratio(statistic: Ratio) -> Estimate:
    if not statistic.strata:
        raise Unavailable("no task with all that is needed")
    prompts, strata = _sorted_strata(statistic)
    error = pair_error(strata)
    interval = fieller_set(error)
    if not interval.bounded:
        raise Unavailable(_within_noise(error))
    pseudo = ratio_pseudo_values(strata)
    clusters = [c for s in strata for c in _as_names(s)]
    ids = [i for p in prompts for i in p]
    value, distinct = interval.value, len(set(ids))
    scale = distinct / len(ids)
    joined: dict[str, float] = {}
    for prompt, x in zip(ids, (float(x) for stratum in pseudo for x in stratum), strict=True):
        joined[prompt] = joined.get(prompt, value) + scale * (x - value)
    own = {i: c for i, c in zip(ids, clusters, strict=True) if i != c}
    variance, _ = error.variance(value)
    if variance <= 1e-28 * (error.numerator**2 + error.denominator**2):
        return Estimate(value, None, None, distinct, joined, own, note=ALIKE)
    return Estimate(value, interval.low, interval.high, distinct, joined, own)


def _within_noise(error: PairError) -> str:
    """The reason that is given where a ratio has no bounded interval."""
    gap, student = error.side(1), error.side(0)
    return f"gap within noise: teacher minus base = {_spell(gap)}, student minus base = {_spell(student)}"


def _spell(interval: Interval) -> str:
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def _estimate(
    interval: Interval,
    prompts: tuple[str, ...],
    pseudo: Annotated[Floats, "P"],
    clusters: Sequence[str],
    note: str,
) -> Estimate:
    low, high = (None, None) if note in (ALIKE, SELDOM) else (interval.low, interval.high)
    influence = dict(zip(prompts, pseudo.tolist(), strict=True))
    own = {i: c for i, c in zip(prompts, clusters, strict=True) if i != c}
    return Estimate(interval.value, low, high, interval.n, influence, own, note=note)


@dataclass(frozen=True)
class _Rows:
    """Values in the order of prompt ids."""

    prompts: tuple[str, ...]  # (P,) sorted
    values: Annotated[Floats, "P *K"]  # or (P, K)
    order: tuple[int, ...]  # (P,) where each came from

    def named(self, clusters: Sequence[str]) -> list[str]:
        """Clusters (P,) in the same order."""
        if len(clusters) != len(self.prompts):
            raise ValueError(
                f"clusters: expected {len(self.prompts)}, one for each prompt, got {len(clusters)}"
            )
        return [clusters[i] for i in self.order]


def _sorted_rows(prompts: Sequence[str], values: Annotated[Floats, "P *K"]) -> _Rows:
    if len(values) != len(prompts):
        raise ValueError(f"statistic: {len(values)} values for {len(prompts)} prompts")
    if not len(prompts):
        raise Unavailable("no prompts")
    if not np.all(np.isfinite(values)):
        raise ValueError(
            "statistic: values that are not finite; a prompt without a value has to be left out"
        )
    ids, order = _order(tuple(prompts))
    return _Rows(ids, np.ascontiguousarray(np.asarray(values, np.float64)[list(order)]), order)


@lru_cache(maxsize=64)
def _order(prompts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The prompts sorted, and where each came from; cached, because all students are asked the same."""
    order = tuple(sorted(range(len(prompts)), key=prompts.__getitem__))
    ids = tuple(prompts[i] for i in order)
    if any(a == b for a, b in itertools.pairwise(ids)):
        raise ValueError("statistic: the same prompt twice")
    return ids, order


def _sorted_strata(statistic: Ratio) -> tuple[list[tuple[str, ...]], list[Stratum]]:
    """Prompt ids and values of the strata, both in an order that does not depend on how they were given."""
    rows = []
    for s in statistic.strata:
        sorted_ = _sorted_rows(s.prompts, np.stack([s.numerator, s.denominator], axis=1))
        rows.append((sorted_, sorted_.named(s.clusters), s.surplus))
    rows.sort(key=lambda r: (r[0].prompts, r[0].values.tobytes()))
    strata = [
        Stratum(r.values[:, 0].copy(), r.values[:, 1].copy(), names, surplus)
        for r, names, surplus in rows
    ]
    return [r.prompts for r, _, _ in rows], strata


def _as_names(stratum: Stratum) -> list[str]:
    return [str(c) for c in stratum.clusters] if stratum.clusters is not None else []
