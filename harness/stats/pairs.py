"""Inner products of mean differences, from all pairs of different prompts: unbiased, for no prompt meets itself.

U(x, y) = mean over i != j of x_i . y_j estimates E[x] . E[y]. The noise that two models share at one prompt (its topic)
does not enter, so no second sample, no folds and no seed are needed.
Source: Hoeffding 1948, A class of statistics with asymptotically normal distribution; Serfling 1980, chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.types import Floats, Ints

Float32s = NDArray[np.float32]
# units up to which the second-order part of the covariance is taken off; beyond, it is below 1 % of the first
KERNEL_UNITS = 4096


class Units(NamedTuple):
    """Points of one model, one per unit that is independent of the others."""

    points: Annotated[Float32s, "G D"]
    total: Annotated[Floats, "D"]  # their sum

    @classmethod
    def of(cls, points: Annotated[Float32s, "G D"]) -> Units:
        """Points with their sum."""
        return cls(points, points.sum(axis=0, dtype=np.float64))

    def columns(self, own: slice) -> Units:
        """The same in some of the coordinates."""
        return Units(self.points[:, own], self.total[own])


class Product(NamedTuple):
    """U(x, y) with what its error is made from; h_ij = (x_i . y_j + x_j . y_i) / 2."""

    # 2 h_i - U, h_i the mean of h_ij over j != i: their mean is U
    values: Annotated[Floats, "G"]
    kernel: (
        Annotated[Float32s, "G G"] | None
    )  # (G, G) h_ij, 0 where i = j; None = not wanted, or too large

    @property
    def value(self) -> float:
        """U(x, y)."""
        return float(self.values.mean())

    def plus(self, other: Product) -> Product:
        """U in both their coordinates."""
        return Product(self.values + other.values, _both(np.add, self.kernel, other.kernel))

    def minus(self, other: Product) -> Product:
        """U of a difference of points: U(x, y) - U(z, y) = U(x - z, y)."""
        return Product(self.values - other.values, _both(np.subtract, self.kernel, other.kernel))


def product(first: Units, second: Units, *, kernel: bool = True) -> Product:
    """U of two models on the same units, at least 2."""
    (one, two), n = (first.points, second.points), len(first.points)
    own = np.einsum("ij,ij->i", one, two)
    sums = [x.total.astype(np.float32) for x in (first, second)]
    crossed = (one @ sums[1] + two @ sums[0]).astype(np.float64)
    means = (crossed / 2 - own) / (n - 1)
    table = None
    if kernel and n <= KERNEL_UNITS:
        table = one @ two.T
        if one is not two:
            table = table + table.T
            table *= np.float32(0.5)
        np.fill_diagonal(table, 0)
    return Product(2 * means - means.mean(), table)


def total(parts: Mapping[str, Product]) -> Product:
    """U in the coordinates of all parts together."""
    first, *rest = parts.values()
    for part in rest:
        first = first.plus(part)
    return first


def cross(first: Units, second: Units) -> Annotated[Floats, "D"]:
    """U by coordinate (D,): the product under any diagonal metric is its sum weighted by the metric."""
    n = len(first.points)
    same = np.einsum("ij,ij->j", first.points, second.points, dtype=np.float64)
    return np.asarray((first.total * second.total - same) / (n * (n - 1)))


def surplus(products: Sequence[Product]) -> Annotated[Floats, "K K"] | None:
    """Covariance (K, K) of the U that the spread of `values` counts too much; None where no kernel is there.

    Cov = 4/n cov(h_i, h'_i) - 2 / (n (n - 1)) mean over i != j of e_ij e'_ij, e_ij = h_ij - h_i - h_j + U: the means
    h_i are noisy themselves, and their spread holds that noise twice.
    """
    kernels = [p.kernel for p in products if p.kernel is not None]
    if len(kernels) < len(products):
        return None
    n = len(products[0].values)
    means = [(p.values + p.value) / 2 for p in products]
    out = np.empty((len(products), len(products)))
    for k, one in enumerate(kernels):
        for m, other in enumerate(kernels[: k + 1]):
            both = means[k].mean() * means[m].mean()
            rest = float(np.vdot(one, other)) - 2 * n * (means[k] @ means[m]) + n * (n + 1) * both
            out[k, m] = out[m, k] = 2 * rest / (n * (n - 1.0)) ** 2
    return out


def by_unit(values: Annotated[Float32s, "P D"], codes: Annotated[Ints, "P"]) -> Units:
    """Sums (G, D) of points (P, D) over the prompts of each cluster, codes (P,) 0..G-1."""
    groups = int(codes.max()) + 1
    if groups == len(codes):
        return Units.of(values)
    sums = np.zeros((groups, values.shape[1]), dtype=np.float32)
    np.add.at(sums, codes, values)
    return Units.of(sums)


def by_prompt(
    values: Annotated[Floats, "G"], codes: Annotated[Ints, "P"]
) -> Annotated[Floats, "P"]:
    """Values (P,) of prompts with the mean of those of clusters (G,): a cluster's part is shared among its prompts."""
    sizes = np.bincount(codes)
    if len(sizes) == len(codes):
        return values[codes]
    mean = values.mean()
    return np.asarray(mean + (len(codes) / len(sizes) * (values - mean) / sizes)[codes])


def _both(make: np.ufunc, one: Float32s | None, other: Float32s | None) -> Float32s | None:
    return None if one is None or other is None else np.asarray(make(one, other))
