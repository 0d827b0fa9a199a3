"""Means over prompts that may come in clusters: clusters and cluster-robust errors are defined here only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from harness.types import Floats, Ints, Unavailable

# (P,) names or codes of the unit of resampling; None = every prompt its own
Clusters = Sequence[str] | Ints | None

LEVEL = 0.95  # of every interval that the page shows


class Interval(NamedTuple):
    """An estimate with its 95 % interval, over prompts."""

    value: float
    low: float  # -inf where not bounded
    high: float  # inf where not bounded
    n: int  # prompts
    bounded: bool = True


class MeanError(NamedTuple):
    """Means with their covariance, robust to clusters."""

    means: Annotated[Floats, "K"]
    covariance: Annotated[Floats, "K K"]  # of the means
    df: int  # clusters - 1
    n: int  # prompts

    @property
    def standard_error(self) -> float:
        """Of the first mean."""
        return float(np.sqrt(self.covariance[0, 0]))


def cluster_codes(clusters: Clusters, n: int) -> Annotated[Ints, "n"]:
    """Codes (P,) 0..G-1 in the order of first appearance."""
    if clusters is None:
        return np.arange(n, dtype=np.int64)
    if len(clusters) != n:
        raise ValueError(f"clusters: expected {n}, one for each prompt, got {len(clusters)}")
    if isinstance(clusters, np.ndarray) and np.array_equal(clusters, np.arange(n)):
        return clusters
    names = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    code = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return (
        np.arange(n) if len(code) == n else np.array([code[name] for name in names], dtype=np.int64)
    )


def cluster_sums(
    values: Annotated[Floats, "P K"], codes: Annotated[Ints, "P"]
) -> Annotated[Floats, "G K"]:
    """Sums (G, K) of values (P, K) over the prompts of each cluster, added in the order of the prompts."""
    groups = int(codes.max()) + 1
    if groups == len(codes):
        sums = np.empty_like(values)
        sums[codes] = values
        return sums
    columns = [
        np.bincount(codes, weights=values[:, k], minlength=groups) for k in range(values.shape[1])
    ]
    return np.stack(columns, axis=1)


def mean_error(values: Annotated[Floats, "P K"], clusters: Clusters = None) -> MeanError:
    """Means of values (P, K) with their covariance: (G - 1) / G sum_g u_g u_g' / (P - P_g)^2, df = G - 1.

    u_g = residuals of the P_g prompts of a cluster, summed: the jackknife that leaves out one cluster at a time. For
    clusters of one size it is Liang and Zeger's G / (G - 1) sum_g u_g u_g' / P^2, without clusters the usual one; for
    unequal sizes it is larger, where Liang and Zeger's is too small. Raises Unavailable below two clusters.
    Source: Liang and Zeger 1986; MacKinnon, Nielsen and Webb 2023 (CV3).
    """
    n = len(values)
    codes = cluster_codes(clusters, n)
    groups = int(codes.max()) + 1 if n else 0
    require_spread(n, groups)
    means = values.mean(axis=0)
    # of the means without a cluster
    if groups == n and bool((codes[:-1] < codes[1:]).all()):  # each prompt its own, in their order
        shifts = (values - means) / (n - 1)
    else:
        shifts = cluster_sums(values - means, codes) / (n - np.bincount(codes))[:, None]
    return MeanError(means, shifts.T @ shifts * ((groups - 1) / groups), groups - 1, n)


def require_spread(n: int, groups: int) -> None:
    """Raises Unavailable where no error can be estimated."""
    if n == 0:
        raise Unavailable("no prompts")
    if n == 1:
        raise Unavailable("one prompt only: no spread to make an interval from")
    if groups < 2:
        raise Unavailable(
            f"all {n} prompts belong to one cluster: no independent units to make an interval from"
        )


def t_quantile(probability: float, df: float) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def t_two_sided_p(t: float, df: float) -> float:
    """Two-sided p-value of Student's t."""
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(t)))


def t_interval(
    values: Annotated[Floats, "P"], clusters: Clusters = None, level: float = LEVEL
) -> Interval:
    """Student's t interval of the mean of values (P,), with cluster-robust error and df = clusters - 1."""
    error = mean_error(values[:, None], clusters)
    mean = float(error.means[0])
    half = t_quantile(0.5 + level / 2, error.df) * error.standard_error
    return Interval(mean, mean - half, mean + half, error.n)


def share_interval(
    values: Annotated[Floats, "P"], clusters: Clusters = None, level: float = LEVEL
) -> Interval:
    """Interval of a share, values (P,) all 0 or 1: Clopper and Pearson's at the effective number of prompts.

    Student's t covers only .88 for a share of .05 at 100 prompts, and has no width where all answers are alike.
    With clusters the number of prompts is divided by the design effect (never multiplied), and by the ratio of
    the squared t quantiles; where all answers are alike it is the number of clusters.
    Source: Clopper and Pearson 1934; Korn and Graubard 1998 for clusters.
    """
    n = len(values)
    error = mean_error(values[:, None], clusters)
    share, groups = float(error.means[0]), error.df + 1
    if share in (0.0, 1.0):
        size = float(groups)
    else:
        design = float(error.covariance[0, 0]) / (share * (1 - share) / (n - 1))
        tail = 0.5 + level / 2
        size = n / max(design, 1.0) * (t_quantile(tail, n - 1) / t_quantile(tail, error.df)) ** 2
    low, high = clopper_pearson(share * size, size, level)
    return Interval(share, low, high, n)


def clopper_pearson(k: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Bounds (low, high) of a share with k of n; both may be fractional (effective numbers)."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def is_share(values: Annotated[Floats, "*shape"]) -> bool:
    """Whether all values are 0 or 1."""
    return bool(np.all((values == 0) | (values == 1)))
