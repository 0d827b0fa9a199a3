"""Populations with known truth, for the simulation: every draw is n prompts of models that answer them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.types import Floats, Mean, Ratio, RatioStratum, Smooth, Statistic

Rng = np.random.Generator
CLUSTER = 5  # mean prompts per cluster where there are clusters


def names(n: int) -> tuple[str, ...]:
    """Prompt ids (n,)."""
    return tuple(f"p{i:05d}" for i in range(n))


def cluster_names(rng: Rng, n: int, clustered: bool) -> tuple[str, ...]:
    """Clusters (n,) of unequal sizes around CLUSTER; the prompts' own ids where not clustered."""
    if not clustered:
        return names(n)
    return tuple(f"c{c:04d}" for c in np.sort(rng.integers(max(n // CLUSTER, 2), size=n)))


def latent(rng: Rng, clusters: tuple[str, ...], models: int) -> Floats:
    """Standard normals (n, models): 40 % prompt; where clusters are shared 15 % cluster, 15 % cluster by model."""
    _, codes = np.unique(clusters, return_inverse=True)
    groups, n = int(codes.max()) + 1, len(codes)
    prompt, own = rng.normal(size=(n, 1)), rng.normal(size=(n, models))
    if groups == n:
        return np.asarray(0.4**0.5 * prompt + 0.6**0.5 * own)
    shared, by_model = rng.normal(size=(groups, 1))[codes], rng.normal(size=(groups, models))[codes]
    return np.asarray(0.15**0.5 * (shared + by_model) + 0.4**0.5 * prompt + 0.3**0.5 * own)


def right(rng: Rng, clusters: tuple[str, ...], accuracies: tuple[float, ...]) -> Floats:
    """0/1 (n, models): who answers what right, at exactly these accuracies in the population."""
    from scipy.special import ndtr

    below = ndtr(latent(rng, clusters, len(accuracies))) < np.array(accuracies)
    return np.asarray(below, dtype=np.float64)


def share(accuracy: float, clustered: bool = False) -> Callable[[Rng, int], Statistic]:
    """Accuracy of one model."""

    def draw(rng: Rng, n: int) -> Statistic:
        clusters = cluster_names(rng, n, clustered)
        return Mean(right(rng, clusters, (accuracy,))[:, 0], names(n), clusters)

    return draw


def mean_of(
    values: Callable[[Floats], Floats], clustered: bool = False
) -> Callable[[Rng, int], Statistic]:
    """Mean of a function of a standard normal."""

    def draw(rng: Rng, n: int) -> Statistic:
        clusters = cluster_names(rng, n, clustered)
        return Mean(values(latent(rng, clusters, 1)[:, 0]), names(n), clusters)

    return draw


RECOVERED = 0.6  # true share of every gap below


def gap(
    size: float, clustered: bool = False, binary: bool = True
) -> Callable[[Rng, int], Statistic]:
    """Gap recovered of 0/1 scores, or of continuous ones with standard deviation .25."""

    def draw(rng: Rng, n: int) -> Statistic:
        clusters = cluster_names(rng, n, clustered)
        levels = (0.4, 0.4 + size, 0.4 + RECOVERED * size)
        x = (
            right(rng, clusters, levels)
            if binary
            else np.array(levels) + 0.25 * latent(rng, clusters, 3)
        )
        return Ratio((RatioStratum(x[:, 2] - x[:, 0], x[:, 1] - x[:, 0], names(n), clusters),))

    return draw


def headline(sizes: tuple[float, ...], clustered: bool = False) -> Callable[[Rng, int], Statistic]:
    """Combined gap recovered over tasks with gaps of these sizes; task j has n / (j + 1) prompts, at least 30."""

    def draw(rng: Rng, n: int) -> Statistic:
        strata = []
        for j, size in enumerate(sizes):
            part = gap(size, clustered)(rng, max(n // (j + 1), 30))
            assert isinstance(part, Ratio)
            s = part.strata[0]
            renamed = (tuple(f"t{j}{i}" for i in s.prompts), tuple(f"t{j}{c}" for c in s.clusters))
            strata.append(RatioStratum(s.numerator, s.denominator, *renamed))
        return Ratio(tuple(strata))

    return draw


def kappa(means: Floats) -> Floats:
    """Chance-corrected agreement (...) from means (..., 4): agreement, right of either, 1 / (options - 1)."""
    observed, first, second, other = (means[..., k] for k in range(4))
    chance = first * second + other * (1 - first) * (1 - second)
    return np.asarray((observed - chance) / (1 - chance))


def agreement(clustered: bool = False) -> Callable[[Rng, int], Smooth]:
    """Agreement of two models that give probabilities to 4 options."""

    def draw(rng: Rng, n: int) -> Smooth:
        clusters = cluster_names(rng, n, clustered)
        # (n, model, option)
        options = np.stack([latent(rng, clusters, 2) for _ in range(4)], axis=2)
        options[:, :, 0] += 0.8
        p = np.exp(2 * options)
        p /= p.sum(axis=2, keepdims=True)
        parts = np.stack(
            [(p[:, 0] * p[:, 1]).sum(axis=1), p[:, 0, 0], p[:, 1, 0], np.full(n, 1 / 3)], axis=1
        )
        return Smooth(parts, kappa, names(n), clusters)

    return draw


# agreement, right of either, 1 / (options - 1): both right, both wrong, only the first right, only
# the second
CONSISTENCY_KINDS = np.array([[1.0, 1, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])


def error_consistency(
    first: float, second: float, clustered: bool = False
) -> Callable[[Rng, int], Smooth]:
    """Agreement in right and wrong of two models with these accuracies."""

    def draw(rng: Rng, n: int) -> Smooth:
        clusters = cluster_names(rng, n, clustered)
        x = right(rng, clusters, (first, second))
        parts = np.column_stack([x[:, 0] == x[:, 1], x, np.ones(n)]).astype(np.float64)
        return Smooth(parts, kappa, names(n), clusters, CONSISTENCY_KINDS)

    return draw


def inheritance(clustered: bool = False) -> Callable[[Rng, int], Smooth]:
    """Mean excess of shared wrong options over the items that both models get wrong; truth 0."""

    def draw(rng: Rng, n: int) -> Smooth:
        clusters = cluster_names(rng, n, clustered)
        wrong = (right(rng, clusters, (0.6, 0.55)) == 0).all(axis=1)
        popular = rng.beta(2, 3, size=n)
        parts = np.column_stack([wrong * ((rng.random(n) < popular) - popular), wrong]).astype(
            np.float64
        )
        return Smooth(parts, lambda m: np.asarray(m[..., 0] / m[..., 1]), names(n), clusters)

    return draw


def perplexity(clustered: bool = False) -> Callable[[Rng, int], Smooth]:
    """exp of a mean of exponential losses."""

    def draw(rng: Rng, n: int) -> Smooth:
        from scipy.special import ndtr

        clusters = cluster_names(rng, n, clustered)
        loss = -np.log(ndtr(latent(rng, clusters, 1)))
        return Smooth(loss, lambda m: np.exp(m[..., 0]), names(n), clusters)

    return draw


def population_value(draw: Callable[[Rng, int], Smooth]) -> float:
    """combine at the means of a million independent prompts."""
    rng = np.random.default_rng(20)
    pieces = [draw(rng, 100_000) for _ in range(10)]
    return float(pieces[0].combine(np.mean([s.parts.mean(axis=0) for s in pieces], axis=0)))
