"""Smooth functions of means: their influence values and intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from harness.stats.means import (
    Clusters,
    Interval,
    cluster_codes,
    cluster_sums,
    require_spread,
    t_interval,
)
from harness.stats.resample import bootstrap_means
from harness.types import Floats, Unavailable

Combine = Callable[[Floats], Floats]  # (..., K) means -> (...)

RESAMPLES = 2000
LARGE = 2000  # clusters from which the bootstrap adds nothing to the t interval
DEFINED = 0.95  # least share of resamples in which the function has to have a value


def smooth_value(parts: Annotated[Floats, "P K"], combine: Combine) -> float:
    """combine(means of parts (P, K)). Raises Unavailable where that is not a finite number."""
    with np.errstate(all="ignore"):
        value = float(combine(parts.mean(axis=0)))
    if not np.isfinite(value):
        raise Unavailable("not defined at these means (a denominator is 0)")
    return value


def smooth_pseudo_values(
    parts: Annotated[Floats, "P K"], combine: Combine
) -> Annotated[Floats, "P"]:
    """(P,) value + derivative of combine towards prompt i: the infinitesimal jackknife; their mean is the value.

    The derivative is a central difference along (part of prompt i - means); its step is at most 1 / (P - 1), so that
    both points are means of possible samples and combine is never asked outside its domain.
    Source: Efron 1982, chapter 6.
    """
    value, means = smooth_value(parts, combine), parts.mean(axis=0)
    step = min(1e-4, 1 / max(len(parts) - 1, 1))
    towards = step * (parts - means)
    with np.errstate(all="ignore"):
        slope = (combine(means + towards) - combine(means - towards)) / (2 * step)
    if not np.all(np.isfinite(slope)):
        raise Unavailable("not differentiable at these means: no interval can be given")
    # what rounding leaves of 0
    slope = np.where(np.abs(slope) <= 1e-10 * max(abs(value), 1.0), 0.0, slope)
    return np.asarray(value + (slope - slope.mean()))


def smooth_interval(
    parts: Annotated[Floats, "P K"],
    combine: Combine,
    clusters: Clusters,
    rng: np.random.Generator,
    kinds: Annotated[Floats, "M K"] | None = None,
) -> Interval:
    """combine(means of parts (P, K)) with its BCa bootstrap interval, or from LARGE clusters on a t interval.

    Where all rows that there can be are few, `kinds` (M, K) lists them and the interval is made with one more prompt
    of each, as Agresti and Caffo 2000 do for shares: two models that are right on .97 and .96 of 100 prompts often have
    no common error among them, and the interval of their error consistency covers .41 without and .99 with.

    Expanded BCa: the normal quantile is replaced by that of t(G - 1), times the robust error over the bootstrap's
    (sqrt(G / (G - 1)) for equal clusters), which mends the narrowness of the bootstrap with few clusters. Chosen by
    simulation (tests/calibration): of the percentile, BCa and t (with the error of the pseudo-values) intervals BCa
    is nearest to .95 for skewed ratios at 100 prompts, and equal elsewhere.
    Where every prompt has the same pseudo-value, low and high equal the value.
    Source: Efron 1987; Hesterberg 2015, section 5.3 (expansion).
    """
    if kinds is None:
        return _bounds(parts, combine, clusters, rng)
    codes = cluster_codes(clusters, len(parts))
    require_spread(len(parts), int(codes.max(initial=-1)) + 1)
    more = np.concatenate([codes, codes.max() + 1 + np.arange(len(kinds))])
    wider, value = (
        _bounds(np.concatenate([parts, kinds]), combine, more, rng),
        smooth_value(parts, combine),
    )
    return Interval(value, min(wider.low, value), max(wider.high, value), len(parts), wider.bounded)


def _bounds(
    parts: Annotated[Floats, "P K"], combine: Combine, clusters: Clusters, rng: np.random.Generator
) -> Interval:
    """The interval from the parts as they are."""
    value, pseudo = smooth_value(parts, combine), smooth_pseudo_values(parts, combine)
    around = t_interval(pseudo, clusters)
    codes = cluster_codes(clusters, len(parts))
    groups = int(codes.max()) + 1
    influence = cluster_sums((pseudo - value)[:, None], codes)[:, 0]
    if groups >= LARGE or not influence.any():
        return Interval(value, around.low, around.high, around.n)
    with np.errstate(all="ignore"):
        drawn = combine(bootstrap_means(parts, clusters, RESAMPLES, rng))
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < DEFINED * RESAMPLES:
        return Interval(value, -np.inf, np.inf, around.n, bounded=False)
    robust = (around.high - around.low) / 2  # t quantile times error
    low, high = _bca(
        drawn, value, influence, robust / float(np.sqrt(influence @ influence) / len(parts))
    )
    return Interval(value, min(low, value), max(high, value), around.n)


def _bca(
    drawn: Annotated[Floats, "B"], value: float, influence: Annotated[Floats, "G"], reach: float
) -> tuple[float, float]:
    """Bounds from resampled values (B,), `reach` standard errors away; influence (G,) gives the acceleration."""
    from scipy.special import ndtr, ndtri

    below = (np.count_nonzero(drawn < value) + 0.5 * np.count_nonzero(drawn == value) + 0.5) / (
        len(drawn) + 1
    )
    bias = float(ndtri(below))
    acceleration = float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))
    ends = []
    for z in (bias - reach, bias + reach):
        # the formula turns over beyond; only a handful of clusters get there
        stretch = max(1 - acceleration * z, 1e-3)
        ends.append(float(np.quantile(drawn, float(ndtr(bias + z / stretch)))))
    return ends[0], ends[1]
