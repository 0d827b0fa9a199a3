"""The intervals that the simulation checks, each with its truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.stats.intervals import evaluate
from harness.stats.paired import PairedDifference, compare
from harness.stats.ratios import fieller
from harness.stats.resample import blocks, jackknife_interval, jackknife_pseudo_values
from harness.types import Floats, Smooth, Statistic, Unavailable
from tests.calibration import populations as people
from tests.calibration.populations import RECOVERED, Rng

# (rng, n) -> (low, high); infinite where there are none
Bounds = Callable[[Rng, int], tuple[float, float]]
# a population's value is computed only when its cell is run
Truth = float | Callable[[Rng, int], Smooth]

EVERYWHERE = (-np.inf, np.inf)
GAPS = (0.02, 0.05, 0.2)
BLOCKS = 20


def evaluated(draw: Callable[[Rng, int], Statistic]) -> Bounds:
    """Bounds that evaluate gives a statistic; infinite where it gives a reason instead."""

    def bounds(rng: Rng, n: int) -> tuple[float, float]:
        try:
            found = evaluate(draw(rng, n), rng)
        except Unavailable:
            return EVERYWHERE
        return EVERYWHERE if found.low is None or found.high is None else (found.low, found.high)

    return bounds


def compared(
    values: Callable[[Rng, tuple[str, ...]], Floats], clustered: bool
) -> Callable[[Rng, int], PairedDifference]:
    """Two students compared in values(rng, clusters) -> (n, 2)."""

    def draw(rng: Rng, n: int) -> PairedDifference:
        clusters, ids = people.cluster_names(rng, n, clustered), people.names(n)
        x = values(rng, clusters)
        first, second = (dict(zip(ids, x[:, k].tolist(), strict=True)) for k in (0, 1))
        return compare(first, second, dict(zip(ids, clusters, strict=True)))

    return draw


def shares(first: float, second: float, clustered: bool) -> Callable[[Rng, int], PairedDifference]:
    """Two students compared in accuracy."""
    return compared(lambda rng, clusters: people.right(rng, clusters, (first, second)), clustered)


def lengths(clustered: bool) -> Callable[[Rng, int], PairedDifference]:
    """Two students alike in a skewed continuous value compared in it."""
    return compared(lambda rng, clusters: np.exp(0.7 * people.latent(rng, clusters, 2)), clustered)


def bounds_of(draw: Callable[[Rng, int], PairedDifference]) -> Bounds:
    """The interval of a comparison."""

    def bounds(rng: Rng, n: int) -> tuple[float, float]:
        found = draw(rng, n)
        return found.low, found.high

    return bounds


def auc(student: Floats, base: Floats) -> float:
    """Chance that a student's value is above a base's."""
    ranks = np.argsort(np.argsort(np.concatenate([student, base]))) + 1.0
    m = len(student)
    return float((ranks[:m].sum() - m * (m + 1) / 2) / (m * len(base)))


def auc_jackknife(clustered: bool) -> Bounds:
    """Delete-block jackknife of an AUC whose truth is P(N(.5, 1) > N(0, 1))."""

    def bounds(rng: Rng, n: int) -> tuple[float, float]:
        clusters = people.cluster_names(rng, n, clustered)
        x = people.latent(rng, clusters, 2) + np.array([0.5, 0.0])
        block = blocks(clusters, BLOCKS, seed=0)
        left = np.array([auc(*x[block != b].T) for b in range(int(block.max()) + 1)])
        found = jackknife_interval(auc(x[:, 0], x[:, 1]), left, block)
        return found.low, found.high

    return bounds


def refitted_gap(clustered: bool) -> Bounds:
    """Fieller's set over pseudo-values of a gap that is measured along a direction learned from the same prompts."""
    # base, teacher, teacher's second sample, student
    centres = np.array([0.0, 1.0, 1.0, RECOVERED])

    def both(rows: Floats) -> Floats:
        base, teacher, again, student = rows.mean(axis=0)
        return np.array([(student - base) @ (teacher - base), (again - base) @ (teacher - base)])

    def bounds(rng: Rng, n: int) -> tuple[float, float]:
        clusters = people.cluster_names(rng, n, clustered)
        values = np.stack(
            [people.latent(rng, clusters, 4) + centres * shift for shift in (0.6, 0.3, 0.0)], axis=2
        )
        block = blocks(clusters, BLOCKS, seed=0)
        sizes = np.bincount(block)
        full, left = both(values), np.array([both(values[block != b]) for b in range(len(sizes))])
        top, bottom = (
            jackknife_pseudo_values(float(full[k]), left[:, k], sizes)[block] for k in (0, 1)
        )
        found = fieller(top, bottom, block)
        return found.low, found.high

    return bounds


def interval_cells() -> dict[str, tuple[Truth, Bounds]]:
    """What -> (truth, bounds)."""
    from scipy.special import ndtr

    cells: dict[str, tuple[Truth, Bounds]] = {
        "mean, normal": (0.0, evaluated(people.mean_of(lambda z: z))),
        "mean, normal, clusters": (0.0, evaluated(people.mean_of(lambda z: z, True))),
        "mean, exponential": (1.0, evaluated(people.mean_of(lambda z: -np.log(ndtr(z))))),
        "mean, exponential, clusters": (
            1.0,
            evaluated(people.mean_of(lambda z: -np.log(ndtr(z)), True)),
        ),
    }
    for accuracy in (0.01, 0.05, 0.5, 0.97):
        for clustered in (False, True):
            cells[f"share {accuracy}{_note(clustered)}"] = (
                accuracy,
                evaluated(people.share(accuracy, clustered)),
            )
    for binary, word in ((True, "0/1"), (False, "continuous")):
        for size in GAPS:
            for clustered in (False, True):
                what = f"gap recovered, {word}, true gap {size}{_note(clustered)}"
                cells[what] = (RECOVERED, evaluated(people.gap(size, clustered, binary)))
    for clustered in (False, True):
        note = _note(clustered)
        cells[f"headline, 3 tasks with gaps {GAPS}{note}"] = (
            RECOVERED,
            evaluated(people.headline(GAPS, clustered)),
        )
        cells[f"AUC, jackknife of {BLOCKS} blocks{note}"] = (
            float(ndtr(0.5 / 2**0.5)),
            auc_jackknife(clustered),
        )
        cells[f"refitted gap, jackknife of {BLOCKS} blocks{note}"] = (
            RECOVERED,
            refitted_gap(clustered),
        )
        for first, second in ((0.62, 0.6), (0.97, 0.96)):
            bounds = bounds_of(shares(first, second, clustered))
            cells[f"difference of shares {first} and {second}{note}"] = (first - second, bounds)
        cells[f"difference of skewed means{note}"] = (0.0, bounds_of(lengths(clustered)))
    for what, smooth in _smooth().items():
        cells[what] = (smooth, evaluated(smooth))
    return cells


def _smooth() -> dict[str, Callable[[Rng, int], Smooth]]:
    return {
        "agreement (CAPA)": people.agreement(),
        "agreement (CAPA), clusters": people.agreement(True),
        "error consistency, .7 and .6 right": people.error_consistency(0.7, 0.6),
        "error consistency, .7 and .6 right, clusters": people.error_consistency(0.7, 0.6, True),
        "error consistency, .93 and .9 right": people.error_consistency(0.93, 0.9),
        "error consistency, .97 and .96 right": people.error_consistency(0.97, 0.96),
        "error consistency, .97 and .96 right, clusters": people.error_consistency(
            0.97, 0.96, True
        ),
        "error inheritance": people.inheritance(),
        "error inheritance, clusters": people.inheritance(True),
        "perplexity": people.perplexity(),
        "perplexity, clusters": people.perplexity(True),
    }


def _note(clustered: bool) -> str:
    return ", clusters" if clustered else ""
