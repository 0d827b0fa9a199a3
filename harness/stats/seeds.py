"""Means over training seeds that answered the same prompts: seeds are clusters, prompts a second source of chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from harness.stats.means import LEVEL, mean_error, t_quantile, t_two_sided_p
from harness.types import Floats, Ints, Unavailable

LEAST_SEEDS = 3  # with two, the interval of a mean is thirteen standard errors wide to each side


class Variance(NamedTuple):
    """One source's part in the variance of a mean."""

    value: float
    df: float  # degrees of freedom with which it is known


class SeedsMean(NamedTuple):
    """A mean over seeds, or the difference of two, with its 95 % interval."""

    value: float
    low: float
    high: float
    p: float  # two-sided, against 0


def over_seeds(means: Annotated[Floats, "K"]) -> Variance:
    """The part of the seeds in the variance of their mean; raises Unavailable below three seeds."""
    require_seeds(len(means))
    return Variance(float(np.var(means, ddof=1)) / len(means), len(means) - 1)


def require_seeds(n: int) -> None:
    """Raises Unavailable below three seeds, and says so."""
    if n < LEAST_SEEDS:
        have = f"{n} seed{'s' * (n != 1)}"
        raise Unavailable(f"{have}: a claim about a recipe needs at least three seeds")


def over_prompts(
    sides: Sequence[Annotated[Floats, "P K"]], codes: Annotated[Ints, "P"]
) -> Variance:
    """The part of the prompts in the variance of a mean over seeds, or of the difference of two, beyond the seeds' own.

    sides: values of P prompts by each of K seeds; of a difference, one array for each of the two recipes.
    Prompts that are harder for every seed alike are no part of the spread between seeds; what seeds and prompts make
    together is in it already, and is taken off here. 0 where nothing is left. Source: the variance components of
    Dorfman, Berbaum and Metz 1992 (readers and cases), with clusters as in `mean_error`.
    """
    signs = (1.0, -1.0)[: len(sides)]
    means = sum(sign * side.mean(axis=1) for sign, side in zip(signs, sides, strict=True))
    whole = mean_error(np.asarray(means)[:, None], codes)
    together = sum(_together(side, codes) for side in sides)
    return Variance(max(float(whole.covariance[0, 0]) - together, 0.0), whole.df)


def _together(side: Annotated[Floats, "P K"], codes: Annotated[Ints, "P"]) -> float:
    """The variance that seeds and prompts together give the mean over both."""
    k = int(side.shape[1])
    rest = side - side.mean(axis=1, keepdims=True) - side.mean(axis=0, keepdims=True) + side.mean()
    total = float(np.trace(mean_error(rest, codes).covariance))
    return total / (k * (k - 1))


def from_intervals(lows: Sequence[float], highs: Sequence[float], ns: Sequence[int]) -> Variance:
    """The part of the prompts where only each seed's own interval is known: at most this much."""
    errors = [
        (high - low) / 2 / t_quantile(0.5 + LEVEL / 2, max(n - 1, 1))
        for low, high, n in zip(lows, highs, ns, strict=True)
    ]
    return Variance(float(np.mean(np.square(errors))), max(min(ns) - 1, 1))


def seeds_mean(
    value: float, seeds: Sequence[Variance], prompts: Variance | None = None
) -> SeedsMean:
    """The interval of a mean over seeds, or of a difference of two; raises Unavailable where nothing varies.

    Student's t with the degrees of freedom of Satterthwaite 1946, which a second source can raise: the interval is
    never narrower than that of the seeds alone.
    """
    every = [*seeds, *([] if prompts is None else [prompts])]
    told = [_error(own) for own in (seeds, every)]
    if not max(error for error, _ in told) > 1e-14 * max(abs(value), 1e-6):
        raise Unavailable("the same number for every seed: no spread to make an interval from")
    half, error, df = max(
        (t_quantile(0.5 + LEVEL / 2, df) * error, error, df) for error, df in told
    )
    return SeedsMean(value, value - half, value + half, t_two_sided_p(value / error, df))


def _error(sources: Sequence[Variance]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of variances."""
    total = sum(s.value for s in sources)
    if total == 0:
        return 0.0, 1.0
    return math.sqrt(total), total**2 / sum(s.value**2 / s.df for s in sources)
