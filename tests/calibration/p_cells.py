"""The p-values that the simulation checks, each where nothing is to be found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.stats.controls import (
    conformal_p,
    evidence,
    max_t_p,
    poisson_binomial_p,
    prediction_limit,
)
from harness.stats.intervals import Estimate, evaluate
from harness.stats.multiple import benjamini_hochberg, holm
from harness.stats.paired import PairedDifference, compare
from harness.stats.permutation import sign_flip_permutation
from harness.stats.round_robin import pair_excess
from harness.types import Floats, Ratio, RatioStratum, Smooth, Unavailable
from tests.calibration import populations as people
from tests.calibration.interval_cells import GAPS, lengths, shares
from tests.calibration.populations import Rng

# (rng, n) -> p; instruments without a p give 0 for "found" and 1 for "not found"
P = Callable[[Rng, int], float]
PROMPTS = (100, 300, 1000)
LINEAGES = (4, 8, 18)  # controls too few for a conformal p
MANY = (19, 39)


def permuted(clustered: bool) -> P:
    """Sign-flip permutation of symmetric differences with heavy tails."""

    def p(rng: Rng, n: int) -> float:
        clusters = people.cluster_names(rng, n, clustered)
        z = people.latent(rng, clusters, 2)
        return sign_flip_permutation(np.sinh(z[:, 0]) - np.sinh(z[:, 1]), clusters, 499, rng)

    return p


def _compared(draw: Callable[[Rng, int], tuple[Estimate, Estimate]]) -> P:
    def p(rng: Rng, n: int) -> float:
        try:
            first, second = draw(rng, n)
            return compare(first.influence, second.influence, first.clusters).p
        except Unavailable:
            return 1.0

    return p


def gaps(size: float, clustered: bool) -> P:
    """Gaps recovered of two students who recover the same, with one teacher and one base."""

    def draw(rng: Rng, n: int) -> tuple[Estimate, Estimate]:
        clusters, ids = people.cluster_names(rng, n, clustered), people.names(n)
        half = 0.4 + people.RECOVERED * size
        x = people.right(rng, clusters, (0.4, 0.4 + size, half, half))
        first, second = (
            evaluate(
                Ratio((RatioStratum(x[:, k] - x[:, 0], x[:, 1] - x[:, 0], ids, clusters),)), rng
            )
            for k in (2, 3)
        )
        return first, second

    return _compared(draw)


def consistencies(clustered: bool) -> P:
    """Error consistencies of two students alike with one teacher."""

    def draw(rng: Rng, n: int) -> tuple[Estimate, Estimate]:
        clusters, ids = people.cluster_names(rng, n, clustered), people.names(n)
        x = people.right(rng, clusters, (0.8, 0.65, 0.65))
        parts = [
            np.column_stack([x[:, 0] == x[:, k], x[:, 0], x[:, k], np.ones(n)]).astype(float)
            for k in (1, 2)
        ]
        first, second = (evaluate(Smooth(each, people.kappa, ids, clusters), rng) for each in parts)
        return first, second

    return _compared(draw)


def shared_errors(rng: Rng, n: int) -> float:
    """Shared wrong options that come as often as their popularity says."""
    popularity = rng.beta(2, 3, size=n)
    return poisson_binomial_p(int((rng.random(n) < popularity).sum()), popularity)


def _skewed(rng: Rng, *shape: int) -> Floats:
    return np.exp(rng.normal(size=shape))


def conformal(rng: Rng, m: int) -> float:
    """A clean student among skewed controls."""
    return conformal_p(float(_skewed(rng, 1)[0]), _skewed(rng, m)).p


def any_candidate(rng: Rng, m: int) -> float:
    """The least of 12 candidates' p-values for a clean student; the candidates' scores depend on one another."""
    z = _skewed(rng, m + 1, 12) + 2 * _skewed(rng, m + 1, 1)
    return min(each.p for each in max_t_p(z[0], z[1:]))


def limit(rng: Rng, m: int) -> float:
    """A clean student above the prediction limit of normal controls."""
    return float(rng.normal() <= prediction_limit(rng.normal(size=m)).limit)


def evidenced(rng: Rng, m: int) -> float:
    """A clean student found "above" normal controls by whichever instrument their number allows."""
    return float(evidence(float(rng.normal()), rng.normal(size=m)).says != "above")


def round_robin(siblings: int) -> P:
    """An unrelated pair outside its interval: 0 where it is; models agree as they are, and as near as they are."""

    def p(rng: Rng, m: int) -> float:
        n = 2 + siblings * m
        accuracy = rng.uniform(0.3, 0.9, size=n)
        own = 0.1 * accuracy + 0.02 * rng.normal(size=n)
        noise = np.triu(0.03 * rng.normal(size=(n, n)), 1)
        apart = (accuracy[:, None] - accuracy) ** 2
        values = own[:, None] + own - 0.3 * apart + noise + noise.T
        lineages = ["s", "t", *(str(i // siblings) for i in range(n - 2))]
        made = pair_excess(values, accuracy, lineages)
        return float(made.low <= 0 <= made.high)

    return p


def family(correct: Callable[[Floats], Floats]) -> P:
    """Least adjusted p of 10 comparisons with nothing in any."""

    def p(rng: Rng, n: int) -> float:
        draw = lengths(False)
        return float(correct(np.array([draw(rng, n).p for _ in range(10)])).min())

    return p


def p_cells() -> dict[str, tuple[tuple[int, ...], P]]:
    """What -> (numbers of prompts or of control lineages, p-value)."""
    cells: dict[str, tuple[tuple[int, ...], P]] = {
        "poisson-binomial, shared errors": (PROMPTS, shared_errors),
        "Holm, least of 10": ((100,), family(holm)),
        "Benjamini-Hochberg, least of 10": ((100,), family(benjamini_hochberg)),
        "conformal (models)": (MANY, conformal),
        "max-T over 12 candidates (models)": (MANY, any_candidate),
        "prediction limit (models)": (LINEAGES, limit),
        "evidence (models)": ((*LINEAGES, *MANY), evidenced),
        "round robin (models)": (LINEAGES, round_robin(1)),
        "round robin, two models a lineage (models)": (LINEAGES, round_robin(2)),
    }
    for clustered, note in ((False, ""), (True, ", clusters")):
        for share in (0.65, 0.97):
            draw = shares(share, share, clustered)
            cells[f"two shares of {share}{note}"] = (PROMPTS, _p_of(draw))
        cells[f"two skewed means{note}"] = (PROMPTS, _p_of(lengths(clustered)))
        cells[f"sign flips{note}"] = (PROMPTS, permuted(clustered))
        cells[f"two error consistencies{note}"] = ((100, 300), consistencies(clustered))
        for size in GAPS:
            cells[f"two gaps recovered, true gap {size}{note}"] = (PROMPTS, gaps(size, clustered))
    return cells


def _p_of(draw: Callable[[Rng, int], PairedDifference]) -> P:
    return lambda rng, n: draw(rng, n).p
