"""Smooth functions of means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.means import t_interval
from harness.stats.smooth import LARGE, smooth_interval, smooth_pseudo_values, smooth_value
from harness.types import Floats, Unavailable


def ratio(means: Floats) -> Floats:
    return np.asarray(means[..., 0] / means[..., 1])


def test_pseudo_values_of_a_ratio_are_its_linearisation() -> None:
    rng = np.random.default_rng(0)
    parts = np.column_stack([rng.gamma(2, size=50), rng.gamma(3, size=50)])
    top, bottom = parts.T
    r = top.mean() / bottom.mean()
    found = smooth_pseudo_values(parts, ratio)
    assert found == pytest.approx(r + (top - r * bottom) / bottom.mean(), abs=1e-6)
    assert found.mean() == pytest.approx(r, rel=1e-12)


def test_pseudo_values_of_a_mean_are_the_values() -> None:
    x = np.random.default_rng(1).normal(size=30)
    assert smooth_pseudo_values(x[:, None], lambda m: m[..., 0]) == pytest.approx(x, abs=1e-9)


def test_combine_is_never_asked_outside_its_domain() -> None:
    """A logarithm of a share of which only one prompt of three has any."""
    parts = np.array([[1.0], [0.0], [0.0]])

    def log(means: Floats) -> Floats:
        assert np.all(means > 0)
        return np.log(means[..., 0])

    assert np.isfinite(smooth_pseudo_values(parts, log)).all()


def test_interval_is_bca() -> None:
    """scipy's BCa, whose quantiles are not expanded: at 400 prompts that is 0.2 % of the width."""
    rng = np.random.default_rng(2)
    parts = np.column_stack([rng.gamma(0.5, size=400), rng.gamma(1, size=400)])
    found = smooth_interval(parts, ratio, None, np.random.default_rng(3))
    expected = stats.bootstrap(
        (parts[:, 0], parts[:, 1]),
        lambda x, y, axis: x.mean(axis=axis) / y.mean(axis=axis),
        paired=True,
        vectorized=True,
        method="BCa",
        n_resamples=20_000,
        rng=np.random.default_rng(4),
    ).confidence_interval
    width = expected.high - expected.low
    assert abs(found.low - expected.low) < 0.04 * width
    assert abs(found.high - expected.high) < 0.04 * width
    assert found.high - found.value > 1.05 * (found.value - found.low)


def test_few_clusters_make_it_wider_than_the_plain_bootstrap() -> None:
    rng = np.random.default_rng(5)
    parts = np.column_stack([rng.normal(1, 1, size=60), np.full(60, 1.0)])
    clusters = [str(i // 10) for i in range(60)]
    found = smooth_interval(parts, ratio, clusters, np.random.default_rng(6))
    t = t_interval(parts[:, 0], clusters)
    assert found.high - found.low == pytest.approx(t.high - t.low, rel=0.12)


def test_large_samples_take_the_t_interval() -> None:
    x = np.random.default_rng(7).normal(size=(LARGE, 1))
    found = smooth_interval(x, lambda m: m[..., 0], None, np.random.default_rng(8))
    assert found[:3] == pytest.approx(t_interval(x[:, 0])[:3], abs=1e-9)


def test_undefined_values_are_a_reason() -> None:
    with pytest.raises(Unavailable, match="denominator"):
        smooth_value(np.zeros((5, 2)), ratio)


def test_no_bounds_where_many_resamples_have_no_value() -> None:
    """One prompt of twenty makes the denominator: a third of the resamples lack it."""
    parts = np.column_stack([np.arange(20.0), np.eye(20)[0]])
    assert not smooth_interval(parts, ratio, None, np.random.default_rng(9)).bounded


def test_equal_pseudo_values_have_no_width() -> None:
    found = smooth_interval(np.full((10, 2), 0.3), ratio, None, np.random.default_rng(0))
    assert found.low == found.value == found.high == 1.0


def test_kinds_that_did_not_come_up_count_for_the_interval_but_not_for_the_value() -> None:
    """Two good models without a common error: their consistency may yet be well above 0."""
    right = np.array([[1.0, 1.0]] * 94 + [[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)
    parts = np.column_stack([right[:, 0] == right[:, 1], right]).astype(np.float64)
    kinds = np.array([[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])

    def consistency(means: Floats) -> Floats:
        agreed, first, second = (means[..., k] for k in range(3))
        chance = first * second + (1 - first) * (1 - second)
        return np.asarray((agreed - chance) / (1 - chance))

    without = smooth_interval(parts, consistency, None, np.random.default_rng(0))
    found = smooth_interval(parts, consistency, None, np.random.default_rng(0), kinds)
    assert (
        without.value
        == found.value
        == pytest.approx((0.94 - 0.97**2 - 0.03**2) / (1 - 0.97**2 - 0.03**2))
    )
    assert without.high < 0.0 < 0.3 < found.high
    assert found.n == 100
    added = smooth_interval(
        np.concatenate([parts, kinds]), consistency, None, np.random.default_rng(0)
    )
    assert (found.low, found.high) == (added.low, added.high)
