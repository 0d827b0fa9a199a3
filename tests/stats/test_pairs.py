"""Inner products over pairs of different prompts, against loops and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.stats.pairs import (
    Float32s,
    Product,
    Units,
    by_prompt,
    by_unit,
    cross,
    product,
    surplus,
    total,
)
from harness.stats.ratios import Stratum, pair_error
from harness.types import Floats


def product_of(one: Float32s, two: Float32s) -> Product:
    """The product of points that are units."""
    return product(Units.of(one), Units.of(two))


def crossed(one: Float32s, two: Float32s) -> Floats:
    """The same by coordinate."""
    return cross(Units.of(one), Units.of(two))


def made(n: int = 7, width: int = 3, seed: int = 0) -> tuple[Float32s, Float32s]:
    """Points of two models."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal([1, 0, 0.5], 1, size=(2, n, width))
    return one.astype(np.float32), two.astype(np.float32)


def kernel(one: Float32s, two: Float32s, i: int, j: int) -> float:
    """h_ij by its definition."""
    return float(one[i] @ two[j] + one[j] @ two[i]) / 2


def test_it_is_the_mean_over_pairs_of_different_prompts() -> None:
    one, two = made()
    pairs = list(itertools.permutations(range(7), 2))
    by_hand = np.mean([one[i] @ two[j] for i, j in pairs])
    assert product_of(one, two).value == pytest.approx(by_hand, rel=1e-5)
    assert crossed(one, two).sum() == pytest.approx(by_hand, rel=1e-5)
    weights = np.array([2.0, 0.0, 0.5])
    roots = np.sqrt(weights).astype(np.float32)
    assert weights @ crossed(one, two) == pytest.approx(
        product_of(one * roots, two * roots).value, rel=1e-5
    )


def test_values_are_the_means_of_a_prompts_pairs_twice() -> None:
    one, two = made()
    means = [np.mean([kernel(one, two, i, j) for j in range(7) if j != i]) for i in range(7)]
    np.testing.assert_allclose(
        product_of(one, two).values, 2 * np.array(means) - np.mean(means), rtol=1e-5
    )


def test_surplus_is_the_second_order_term_by_loops() -> None:
    one, two = made()
    parts = [product_of(one, two), product_of(two, two)]
    n, spans = 7, ((one, two), (two, two))
    tables = [np.array([[kernel(*s, i, j) for j in range(n)] for i in range(n)]) for s in spans]
    rests = []
    for table in tables:
        np.fill_diagonal(table, 0)
        means = table.sum(axis=1) / (n - 1)
        rests.append(table - means[:, None] - means[None] + means.mean())
    expected = np.empty((2, 2))
    for k, m in itertools.product(range(2), repeat=2):
        inside = [rests[k][i, j] * rests[m][i, j] for i, j in itertools.permutations(range(n), 2)]
        expected[k, m] = 2 / (n * (n - 1)) * np.mean(inside)
    assert surplus(parts) == pytest.approx(expected, rel=1e-4)


def test_families_add_up_and_differences_subtract() -> None:
    one, two = made()
    columns = {"a": slice(0, 1), "b": slice(1, 3)}
    parts = {name: product_of(one[:, own], two[:, own]) for name, own in columns.items()}
    np.testing.assert_allclose(total(parts).values, product_of(one, two).values, rtol=1e-5)
    less = product_of(one, two).minus(product_of(two, two))
    same = product_of(one - two, two)
    np.testing.assert_allclose(less.values, same.values, atol=1e-5)
    assert less.kernel is not None
    assert same.kernel is not None
    assert less.kernel == pytest.approx(same.kernel, abs=1e-5)


def test_the_covariance_is_right_where_the_way_is_noisy() -> None:
    rng = np.random.default_rng(1)
    estimates: list[list[float]] = []
    stated: list[Floats] = []
    uncorrected: list[Floats] = []
    for _ in range(400):
        one, two = rng.normal([0.4] + [0.0] * 29, 1, size=(2, 30, 30)).astype(np.float32)
        parts = [product_of(one, two), product_of(two, two)]
        estimates.append([p.value for p in parts])
        for extra, into in ((surplus(parts), stated), (None, uncorrected)):
            error = pair_error([Stratum(parts[0].values, parts[1].values, surplus=extra)])
            into.append(np.diag(error.covariances[0]))
    true: Floats = np.var(estimates, axis=0)
    assert np.mean(stated, axis=0) == pytest.approx(true, rel=0.2)
    assert np.all(np.mean(uncorrected, axis=0) > 1.4 * true)


def test_clusters_count_as_one_unit() -> None:
    one, two = made(6)
    codes = np.array([0, 0, 1, 2, 2, 2])
    sums = by_unit(one, codes)
    np.testing.assert_allclose(sums.points[2], one[3:].sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(sums.points[1], one[2])
    made_of = product(sums, by_unit(two, codes))
    values = by_prompt(made_of.values, codes)
    assert values.mean() == pytest.approx(made_of.value, rel=1e-9)
    parts = [(values[codes == k] - made_of.value).sum() for k in range(3)]
    np.testing.assert_allclose(
        np.array(parts) / 2, (made_of.values - made_of.value), rtol=1e-6, atol=1e-9
    )


def test_a_product_without_kernel_has_no_second_order() -> None:
    one, two = made()
    bare = product(Units.of(one), Units.of(two), kernel=False)
    assert surplus([product_of(one, two), bare]) is None
    assert Product(bare.values, None).value == bare.value
