"""The metric in which style is measured: a diagonal one, shrunk by how unrelated models differ.

m_f = rho_f / (rho_f + 1/n) / s_f. s_f is the spread of a feature within replies (differences of models at one prompt,
so topic drops out), rho_f the variance between models over it: m_f is the share of a mean difference over n prompts
that is signal, over its noise. rho_f is shrunk to what is likely for its family, s_f to the spread of teacher and base.
Source: posterior mean of a normal mean; shrinkage to a prior by pseudo-counts, as in Efron and Morris 1973.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from harness.stats.pairs import Float32s
from harness.types import Floats, Ints

FEWEST_LINEAGES = (
    4  # below, models that nobody taught say nothing, and the metric is made without them
)
PAIR_WEIGHT = 2.0  # lineages as which the spread of teacher and base counts
SIGNAL_WEIGHT = 10.0  # lineages as which the likely signal counts
LEAST_SHARE = 1 / 16  # of the squared gap: the spread of a habit in nine of ten replies
_LEAST_SPREAD = 1e-6  # of a feature; below, it is the same in every reply


@dataclass(frozen=True, eq=False)
class Population:
    """Models that the teacher did not teach, one point per lineage and prompt; each lineage weighs the same."""

    names: tuple[str, ...]  # (L,) lineages
    points: tuple[Float32s, ...]  # (L,) of (P, D): the mean of the lineage's models
    total: Annotated[Float32s, "P D"]  # the sum of the points
    sizes: Annotated[Ints, "L"]  # models
    within: Annotated[Floats, "L D"]  # spread of a lineage's models about its point
    means: Annotated[Floats, "L D"]  # over prompts
    spreads: Annotated[Floats, "L D"]  # over prompts
    shared: Annotated[Floats, "L D"]  # covariance of a lineage's points with the sum

    @property
    def enough(self) -> bool:
        """Whether it can say what unrelated models do."""
        return len(self.names) >= FEWEST_LINEAGES

    def centre(self, without: str) -> Annotated[Float32s, "P D"]:
        """The mean point (P, D) of the lineages but this one."""
        if without not in self.names:
            return self.total / np.float32(len(self.names))
        rest = self.total - self.points[self.names.index(without)]
        return rest / np.float32(len(self.names) - 1)

    def metric(
        self, without: str, pair: Annotated[Floats, "D"], prior: Annotated[Floats, "D"], n: int
    ) -> Annotated[Floats, "D"]:
        """Weights m (D,) of the features from the lineages but one; `pair` (D,) is the spread of teacher and base.

        prior: (D,) the likely variance between models over that within replies. n: prompts.
        """
        if not self.enough:
            return _weights(pair, prior, n)
        at = [k for k, name in enumerate(self.names) if name != without]
        count = len(at)
        inside = self.spreads[at].mean(axis=0) - self._spread_of_centre(without, count)
        spread = (inside + self.within[at].mean(axis=0)) * count / (count - 1)
        noise = spread / n * float(np.mean(1 / self.sizes[at]))
        between = np.maximum(self.means[at].var(axis=0, ddof=1) - noise, 0)
        raw = np.divide(between, spread, out=np.zeros_like(spread), where=spread > _LEAST_SPREAD)
        signal = ((count - 1) * raw + SIGNAL_WEIGHT * prior) / (count - 1 + SIGNAL_WEIGHT)
        return _weights((count * spread + PAIR_WEIGHT * pair) / (count + PAIR_WEIGHT), signal, n)

    def _spread_of_centre(self, without: str, count: int) -> Annotated[Floats, "D"]:
        """Variance (D,) over prompts of the mean point of the `count` lineages but one."""
        whole = self.shared.sum(axis=0)
        if without in self.names:
            k = self.names.index(without)
            whole = whole - 2 * self.shared[k] + self.spreads[k]
        return np.asarray(whole / count**2)


def population(lineages: Sequence[tuple[str, Sequence[Float32s]]]) -> Population:
    """The population of lineages, each with the points (P, D) of its models; none gives an empty one."""
    points, within = [], []
    for _, models in lineages:
        mean = models[0] if len(models) == 1 else np.asarray(sum(models) / np.float32(len(models)))
        points.append(mean)
        apart = [_spread(m - mean) for m in models] if len(models) > 1 else []
        within.append(np.mean(apart, axis=0) if apart else np.zeros(mean.shape[1]))
    total = np.asarray(sum(points[1:], start=points[0])) if points else np.zeros((0, 0), np.float32)
    means = [p.mean(axis=0, dtype=np.float64) for p in points]
    middle = np.sum(means, axis=0)
    shape = (len(points), total.shape[1])
    return Population(
        names=tuple(name for name, _ in lineages),
        points=tuple(points),
        total=total,
        sizes=np.array([len(models) for _, models in lineages], dtype=np.int64),
        within=np.reshape(within, shape),
        means=np.reshape(means, shape),
        spreads=np.reshape(
            [_covariance(p, p, m, m) for p, m in zip(points, means, strict=True)], shape
        ),
        shared=np.reshape(
            [_covariance(p, total, m, middle) for p, m in zip(points, means, strict=True)], shape
        ),
    )


def pair_spread(gap: Annotated[Float32s, "P D"]) -> Annotated[Floats, "D"]:
    """Spread (D,) within replies that teacher minus base (P, D) shows: half, since both differ.

    At least LEAST_SHARE of the squared mean: a habit that differs on every prompt alike has no spread of its own, and
    would outweigh all others without bound.
    """
    mean = gap.mean(axis=0, dtype=np.float64)
    own = _covariance(gap, gap, mean, mean) / 2
    return np.asarray(np.maximum(own, LEAST_SHARE * mean**2))


def _weights(
    spread: Annotated[Floats, "D"], signal: Annotated[Floats, "D"], n: int
) -> Annotated[Floats, "D"]:
    """Share of signal over spread (D,); a feature that nobody varies has the median spread, for students that do."""
    varied = spread > _LEAST_SPREAD
    usual = float(np.median(spread[varied])) if varied.any() else 1.0
    return signal / (signal + 1 / n) / np.where(varied, spread, usual)


def _spread(points: Annotated[Float32s, "P D"]) -> Annotated[Floats, "D"]:
    """Variance (D,) over prompts of points (P, D)."""
    mean = points.mean(axis=0, dtype=np.float64)
    return _covariance(points, points, mean, mean)


def _covariance(
    first: Annotated[Float32s, "P D"],
    second: Annotated[Float32s, "P D"],
    mean: Annotated[Floats, "D"],
    other: Annotated[Floats, "D"],
) -> Annotated[Floats, "D"]:
    """Covariance (D,) over prompts of points (P, D) with these means, coordinate by coordinate."""
    n = len(first)
    products = np.einsum("ij,ij->j", first, second, dtype=np.float64)
    return np.asarray((products - n * mean * other) / (n - 1))
