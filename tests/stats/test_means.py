"""Means, clusters, t and exact intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.means import (
    clopper_pearson,
    cluster_codes,
    mean_error,
    share_interval,
    t_interval,
)
from harness.types import Unavailable


def test_without_clusters_it_is_the_usual_covariance() -> None:
    x = np.random.default_rng(0).normal(size=(30, 2))
    assert mean_error(x).covariance == pytest.approx(np.cov(x.T) / 30, rel=1e-12)


def test_cluster_robust_error_by_leaving_each_out() -> None:
    rng = np.random.default_rng(1)
    x, names = rng.normal(size=(40, 2)), [f"c{c}" for c in rng.integers(9, size=40)]
    total = np.zeros((2, 2))
    for name in set(names):
        without = x[[i for i in range(40) if names[i] != name]].mean(axis=0)
        total += np.outer(without - x.mean(axis=0), without - x.mean(axis=0))
    error = mean_error(x, names)
    groups = len(set(names))
    assert error.covariance == pytest.approx((groups - 1) / groups * total, rel=1e-10)
    assert error.df == groups - 1


def test_clusters_of_one_size_have_liang_and_zegers_error() -> None:
    x = np.random.default_rng(3).normal(size=(24, 1))
    u = (x[:, 0] - x.mean()).reshape(6, 4).sum(axis=1)
    assert mean_error(x, [str(i // 4) for i in range(24)]).covariance == pytest.approx(
        6 / 5 * (u @ u) / 24**2
    )


def test_equal_clusters_are_a_sample_of_their_means() -> None:
    x = np.random.default_rng(2).normal(size=60)
    found = t_interval(x, [str(i // 4) for i in range(60)])
    low, high = stats.ttest_1samp(x.reshape(15, 4).mean(axis=1), 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_codes_count_from_the_first() -> None:
    assert cluster_codes(["b", "a", "b", "c"], 4).tolist() == [0, 1, 0, 2]
    assert cluster_codes(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="expected 3"):
        cluster_codes(["a"], 3)


@pytest.mark.parametrize(("k", "n"), [(0, 30), (1, 30), (17, 30), (30, 30)])
def test_exact_bounds_of_a_share_are_scipys(k: int, n: int) -> None:
    expected = stats.binomtest(k, n).proportion_ci(method="exact")
    assert clopper_pearson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
    found = share_interval(np.array([1.0] * k + [0.0] * (n - k)))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_clusters_that_answer_alike_count_once() -> None:
    """40 clusters of 5 equal answers: the interval of 40 answers, but for the t quantiles, not of 200."""
    values = np.repeat((np.arange(40) % 4 == 0).astype(float), 5)
    names = [str(i // 5) for i in range(200)]
    found, alone = share_interval(values, names), stats.binomtest(10, 40).proportion_ci()
    assert found.low == pytest.approx(alone.low, abs=0.01)
    assert found.high == pytest.approx(alone.high, abs=0.01)
    assert found.low < alone.low
    all_right = share_interval(np.ones(200), names)
    assert all_right.low == pytest.approx(stats.binomtest(40, 40).proportion_ci().low, abs=1e-12)
    assert all_right.high == 1.0


def test_one_prompt_or_one_cluster_has_no_interval() -> None:
    with pytest.raises(Unavailable, match="one prompt only"):
        t_interval(np.array([0.3]))
    with pytest.raises(Unavailable, match="one cluster"):
        t_interval(np.array([0.3, 0.4, 0.5]), ["a", "a", "a"])
    with pytest.raises(Unavailable, match="no prompts"):
        t_interval(np.array([]))
