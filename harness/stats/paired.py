"""Comparison of two models on the same prompts. All inference is over prompts, not over models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np

from harness.stats.means import (
    LEVEL,
    MeanError,
    cluster_codes,
    cluster_sums,
    is_share,
    mean_error,
    t_quantile,
    t_two_sided_p,
)
from harness.stats.permutation import sign_flip_mid_p
from harness.types import Floats, Ints, Unavailable


class Spread(NamedTuple):
    """What decides which differences a comparison finds."""

    se: float  # of the mean difference
    df: float
    n: float  # prompts; of clusters, as many independent prompts as they are worth
    discordant: float | None  # of 0/1 values: share of prompts on which the two differ

    def detectable(self, level: float = 1 - LEVEL, power: float = 0.8) -> float | None:
        """Least true difference that a two-sided test at this level finds with this power; None if no share is.

        For shares see `_detectable_share`; else (t(1 - level / 2) + t(power)) se. Source: Bloom 1995.
        """
        if self.discordant is not None:
            return _detectable_share(self.discordant, self.n, level, power)
        return (t_quantile(1 - level / 2, self.df) + t_quantile(power, self.df)) * self.se


class PairedDifference(NamedTuple):
    """Value of the first minus value of the second on the prompts that both have."""

    difference: float
    low: float
    high: float
    p: float  # two-sided
    n: int  # shared prompts
    spread: Spread


def mcnemar_mid_p(b: int, c: int) -> float:
    """Two-sided mid-p of b against c discordant pairs, halves being expected; 1 where there is none.

    2 P(X < min) + P(X = min), X ~ Binomial(b + c, 1/2). Source: Lancaster 1961; Fagerland, Lydersen and Laake 2013,
    who find the exact p-value far below its level and the mid-p near it.
    """
    from scipy.special import bdtr

    n, k = b + c, min(b, c)
    if b == c:  # both tails and the whole centre: 1, whatever rounding says
        return 1.0
    at_most, below = float(bdtr(k, n, 0.5)), float(bdtr(k - 1, n, 0.5)) if k else 0.0
    return min(1.0, at_most + below)


def compare(
    first: Mapping[str, float], second: Mapping[str, float], clusters: Mapping[str, str]
) -> PairedDifference:
    """The paired difference of two scores from their pseudo-values (Prompt.id -> value), joined by prompt.

    `clusters` names those of the prompts that share one. 0/1 values: McNemar's mid-p (with clusters its sign-flip
    form) and Bonett and Price's interval; else the paired t test, cluster-robust with df = clusters - 1.
    Raises Unavailable below two shared prompts or clusters, and where the difference is the same on every prompt.
    """
    shared = sorted(first if first.keys() == second.keys() else first.keys() & second.keys())
    if len(shared) < 2:
        raise Unavailable(f"{len(shared)} prompts in common: too few to compare")
    x, y = (np.array([side[i] for i in shared], dtype=np.float64) for side in (first, second))
    return compare_values(
        x, y, cluster_codes([clusters.get(i, i) for i in shared] if clusters else None, len(shared))
    )


def compare_values(
    first: Annotated[Floats, "P"], second: Annotated[Floats, "P"], codes: Annotated[Ints, "P"]
) -> PairedDifference:
    """The same from aligned pseudo-values (P,), sorted by prompt, with the codes of their clusters."""
    if is_share(first) and is_share(second):
        return _compare_shares(first - second, codes)
    return _compare_means(first - second, codes)


def _compare_means(
    differences: Annotated[Floats, "P"], codes: Annotated[Ints, "P"]
) -> PairedDifference:
    error = mean_error(differences[:, None], codes)
    mean, se = float(error.means[0]), error.standard_error
    if se <= 1e-14 * max(abs(mean), float(np.abs(differences).max())):
        raise Unavailable(
            f"the difference is {mean:.3g} on each of {error.n} prompts: no spread to judge it by"
        )
    half = t_quantile(0.5 + LEVEL / 2, error.df) * se
    p = t_two_sided_p(mean / se, error.df)
    spread = Spread(se, error.df, error.n, None)
    return PairedDifference(mean, mean - half, mean + half, p, error.n, spread)


def _compare_shares(
    differences: Annotated[Floats, "P"], codes: Annotated[Ints, "P"]
) -> PairedDifference:
    """Of values -1, 0, 1. The interval is that of the differences with one +1 and one -1 added (Bonett and Price 2012).

    Without the two a few discordant pairs give far too short an interval, and none at all gives one of no width.
    """
    error = mean_error(differences[:, None], codes)
    if error.df + 1 == error.n:
        p = mcnemar_mid_p(
            int(np.count_nonzero(differences > 0)), int(np.count_nonzero(differences < 0))
        )
    else:
        p = sign_flip_mid_p(
            np.rint(cluster_sums(differences[:, None], codes)[:, 0]).astype(np.int64)
        )
    two_more = np.array([codes.max() + 1, codes.max() + 2])
    shrunk = mean_error(np.append(differences, [1.0, -1.0])[:, None], np.append(codes, two_more))
    centre, half = (
        float(shrunk.means[0]),
        t_quantile(0.5 + LEVEL / 2, error.df) * shrunk.standard_error,
    )
    low, high = max(centre - half, -1.0), min(centre + half, 1.0)
    return PairedDifference(
        float(error.means[0]), low, high, p, error.n, _spread_of_shares(differences, error)
    )


def _spread_of_shares(differences: Annotated[Floats, "P"], error: MeanError) -> Spread:
    """Of differences (P,) of -1, 0, 1; clusters count by their design effect."""
    naive = float(np.var(differences, ddof=1)) / error.n
    n = error.n * min(1.0, naive / error.standard_error**2) if naive > 0 else float(error.n)
    return Spread(error.standard_error, error.df, n, float(np.mean(differences != 0)))


def _detectable_share(discordant: float, n: float, level: float, power: float) -> float | None:
    """Least share of prompts whose loss McNemar's test finds with a power as near as can be to the one asked for.

    None where even the loss of every prompt would not be found with this power.

    The discordant prompts there are fall to either side by chance; those that are lost all fall to one. Exact, by the
    binomial distribution. Source of the idea: Connor 1987.
    """
    n_noise, most = max(round(discordant * n), 2), max(round(n), 1)

    def least(wanted: float) -> int:
        """The smallest number of lost prompts with at least this power, by bisection."""
        low, high = 0, most
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (low, middle) if _power(n_noise, middle, level) >= wanted else (middle, high)
            )
        return high

    if _power(n_noise, most, level) < power:
        return None
    enough = least(power)
    below = _power(n_noise, enough - 1, level)
    if power - below < _power(n_noise, enough, level) - power:
        enough = least(below)
    return min(1.0, enough / n)


def _power(n_noise: int, n_lost: int, level: float) -> float:
    """Chance that so many lost prompts are found among so many that differ for no reason."""
    from scipy.special import bdtr

    least, none = -1, (n_noise + n_lost + 1) // 2  # most prompts won with which it is found
    while none - least > 1:
        middle = (least + none) // 2
        if mcnemar_mid_p(n_noise + n_lost - middle, middle) < level:
            least = middle
        else:
            none = middle
    return 0.0 if least < 0 else float(bdtr(min(least, n_noise), n_noise, 0.5))
