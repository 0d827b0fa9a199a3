"""Ratios of means: gaps recovered and their Fieller sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from harness.stats.means import LEVEL, Clusters, Interval, cluster_codes, mean_error, t_quantile
from harness.types import Floats, Ints, Unavailable


class Stratum(NamedTuple):
    """Numerator and denominator of a ratio, paired by prompt."""

    numerator: Annotated[Floats, "P"]
    denominator: Annotated[Floats, "P"]
    # (P,) a cluster that lies in two strata makes them dependent, which is then allowed for
    clusters: Clusters = None
    surplus: Annotated[Floats, "2 2"] | None = (
        None  # (2, 2) covariance that the spread of the values counts too much
    )


def quotient(above: Floats, below: Floats) -> Floats:
    """above / below, element by element; NaN where `below` is not above 0. The shapes are equal, or broadcast."""
    blank = np.full(np.shape(above), np.nan)
    return np.asarray(np.divide(above, below, out=blank, where=below > 0))


class PairError(NamedTuple):
    """Sums over strata of mean numerator and mean denominator, with their covariance."""

    numerator: float
    denominator: float
    covariances: tuple[Floats, ...]  # (2, 2) of each independent part
    dfs: tuple[int, ...]  # clusters - 1 of each independent part
    n: int  # prompts of all strata

    def variance(self, ratio: float) -> tuple[float, float]:
        """Variance of numerator - ratio * denominator, and Satterthwaite's degrees of freedom (inf where it is 0)."""
        direction = np.array([1.0, -ratio])
        return _satterthwaite(
            [float(direction @ c @ direction) for c in self.covariances], self.dfs
        )

    def side(self, index: int) -> Interval:
        """The numerator (0) or the denominator (1) alone, with its t interval."""
        value = (self.numerator, self.denominator)[index]
        variance, df = _satterthwaite([float(c[index, index]) for c in self.covariances], self.dfs)
        half = t_quantile(0.5 + LEVEL / 2, df) * variance**0.5
        return Interval(value, value - half, value + half, self.n)


def gap_recovered(student: Floats | float, teacher: Floats | float, base: Floats | float) -> Floats:
    """(student - base) / (teacher - base), elementwise: 0 = base, 1 = teacher; below 0 and above 1 are possible.

    Raises Unavailable where teacher and base are equal. Source: by analogy with Burns et al. 2023.
    """
    gap = np.asarray(teacher, np.float64) - base
    if np.any(gap == 0):
        raise Unavailable("teacher and base are equal: there is no gap to recover")
    return np.asarray((np.asarray(student, np.float64) - base) / gap)


def fieller(
    numerator: Annotated[Floats, "P"],
    denominator: Annotated[Floats, "P"],
    clusters: Clusters = None,
) -> Interval:
    """mean(numerator) / mean(denominator) with Fieller's set; numerator, denominator (P,), paired by prompt.

    The set is {r : |mean e| <= t(df) se(e)}, e = numerator - r denominator: the inverted paired t test, cluster-robust
    with df = clusters - 1. `bounded` is False where it is not an interval. Source: Fieller 1954.
    """
    return fieller_strata([Stratum(numerator, denominator, clusters)])


def fieller_strata(strata: Sequence[Stratum]) -> Interval:
    """sum_j mean(numerator_j) / sum_j mean(denominator_j) with Fieller's set.

    Strata are independent and t has Satterthwaite's degrees of freedom at the estimate; where strata share clusters,
    the error is taken over the clusters of all strata together.
    """
    return fieller_set(pair_error(strata))


def fieller_set(error: PairError) -> Interval:
    """Fieller's set of a ratio from its means and their covariance."""
    top, bottom = error.numerator, error.denominator
    if bottom == 0:
        return Interval(np.nan, -np.inf, np.inf, error.n, bounded=False)
    ratio = top / bottom
    spread, df = error.variance(ratio)
    # the ratio is the same on every prompt: any df will do
    if spread <= _ROUNDING * (top * top + bottom * bottom):
        _, df = _satterthwaite([float(c[1, 1]) for c in error.covariances], error.dfs)
    t2 = t_quantile(0.5 + LEVEL / 2, df) ** 2
    v = t2 * np.sum(error.covariances, axis=0)
    a, b, c = bottom**2 - v[1, 1], top * bottom - v[0, 1], top**2 - v[0, 0]
    if a <= 0:
        return Interval(ratio, -np.inf, np.inf, error.n, bounded=False)
    root = max(float(b * b - a * c), 0.0) ** 0.5
    return Interval(
        ratio, min(float((b - root) / a), ratio), max(float((b + root) / a), ratio), error.n
    )


_ROUNDING = 1e-28  # squared relative error below which a spread is rounding


def pair_error(strata: Sequence[Stratum]) -> PairError:
    """The sums of means of the strata with covariance; one part per stratum, or one in all if they share clusters.

    Raises Unavailable where a stratum has fewer than two clusters.
    """
    columns = [np.stack([s.numerator, s.denominator], axis=1) for s in strata]
    single = [mean_error(x, s.clusters) for x, s in zip(columns, strata, strict=True)]
    top, bottom = np.sum([e.means for e in single], axis=0)
    n = sum(e.n for e in single)
    if not _clusters_shared(strata):
        parts = tuple(_less(e.covariance, s) for e, s in zip(single, strata, strict=True))
        return PairError(float(top), float(bottom), parts, tuple(e.df for e in single), n)
    codes = _joint_codes(strata)
    scaled = [(x - e.means) * (n / e.n) for x, e in zip(columns, single, strict=True)]
    joint = mean_error(np.concatenate(scaled), codes)
    return PairError(float(top), float(bottom), (_less(joint.covariance, *strata),), (joint.df,), n)


def _less(covariance: Annotated[Floats, "2 2"], *strata: Stratum) -> Annotated[Floats, "2 2"]:
    """The covariance without what is counted too much, where the rest is one; else as it is."""
    rest = covariance - np.sum([s.surplus for s in strata if s.surplus is not None], axis=0)
    proper = rest[0, 0] > 0 and rest[1, 1] > 0 and np.linalg.det(rest) > 0
    return rest if proper else covariance


def ratio_pseudo_values(strata: Sequence[Stratum]) -> list[Floats]:
    """Per stratum (P_j,): r + P/P_j ((n_i - N_j) - r (d_i - D_j)) / D, so that their mean over all prompts is r.

    Their spread is that of the ratio to first order (the infinitesimal jackknife). Source: Efron 1982, chapter 6.
    """
    error = pair_error(strata)
    ratio, n = error.numerator / error.denominator, error.n
    values = []
    for s in strata:
        residual = s.numerator - s.numerator.mean() - ratio * (s.denominator - s.denominator.mean())
        values.append(ratio + residual * (n / len(residual)) / error.denominator)
    return values


def _satterthwaite(variances: Sequence[float], dfs: Sequence[int]) -> tuple[float, float]:
    """Sum of the variances and its effective degrees of freedom. Source: Satterthwaite 1946, Welch 1947."""
    total = sum(variances)
    below = sum(v * v / df for v, df in zip(variances, dfs, strict=True))
    return total, total * total / below if below > 0 else float(sum(dfs))


def _clusters_shared(strata: Sequence[Stratum]) -> bool:
    named = [set(_names(s)) for s in strata if s.clusters is not None]
    return len(named) > 1 and len(set().union(*named)) < sum(map(len, named))


def _joint_codes(strata: Sequence[Stratum]) -> Annotated[Ints, "P"]:
    labels: list[str] = []
    for j, s in enumerate(strata):
        labels += (
            [f"{j}/{i}" for i in range(len(s.numerator))]
            if s.clusters is None
            else map(repr, _names(s))
        )
    return cluster_codes(labels, len(labels))


def _names(stratum: Stratum) -> list[str | int]:
    if stratum.clusters is None:
        return []
    return (
        stratum.clusters.tolist()
        if isinstance(stratum.clusters, np.ndarray)
        else list(stratum.clusters)
    )
