"""The bootstrap of means and the delete-block jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats import resample
from harness.stats.ratios import fieller
from harness.stats.resample import (
    blocks,
    bootstrap_means,
    jackknife_interval,
    jackknife_pseudo_values,
)


def test_bootstrap_is_a_loop_over_drawn_clusters() -> None:
    rng = np.random.default_rng(0)
    parts, clusters = rng.normal(size=(23, 3)), [f"c{i % 7}" for i in range(23)]
    found = bootstrap_means(parts, clusters, 50, np.random.default_rng(9))
    drawn = np.random.default_rng(9).integers(7, size=(50, 7))
    for b in range(50):
        rows = [i for g in drawn[b] for i in range(23) if clusters[i] == f"c{g}"]
        assert found[b] == pytest.approx(parts[rows].mean(axis=0), rel=1e-12)


def test_bootstrap_without_clusters_draws_prompts() -> None:
    x = np.arange(5.0)[:, None] ** 2
    found = bootstrap_means(x, None, 20, np.random.default_rng(1))[:, 0]
    drawn = np.random.default_rng(1).integers(5, size=(20, 5))
    assert found == pytest.approx([np.mean(x[rows, 0]) for rows in drawn], rel=1e-12)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(2).normal(size=(40, 2))
    whole = bootstrap_means(x, None, 30, np.random.default_rng(3))
    monkeypatch.setattr(resample, "_CELLS", 7 * 40)
    assert bootstrap_means(x, None, 30, np.random.default_rng(3)) == pytest.approx(whole, rel=1e-12)


def test_blocks_follow_the_id_and_not_the_order() -> None:
    ids = [f"p{i}" for i in range(103)]
    block = dict(zip(ids, blocks(ids, 20, seed=1).tolist(), strict=True))
    turned = dict(zip(ids[::-1], blocks(ids[::-1], 20, seed=1).tolist(), strict=True))
    assert block == turned
    assert sorted(np.bincount(list(block.values())).tolist()) == [5] * 17 + [6] * 3
    assert blocks(ids, 20, seed=2).tolist() != list(block.values())


def test_blocks_keep_clusters_whole() -> None:
    clusters = [f"c{i // 3}" for i in range(60)]
    found = blocks(clusters, 5, seed=0)
    assert all(len(set(found[3 * c : 3 * c + 3].tolist())) == 1 for c in range(20))
    assert sorted(set(blocks(["a", "b", "a"], 20, seed=0).tolist())) == [0, 1]


def test_pseudo_values_of_a_mean_are_block_means() -> None:
    x = np.random.default_rng(3).normal(size=17)
    block = np.arange(17) % 4
    left = np.array([x[block != b].mean() for b in range(4)])
    found = jackknife_pseudo_values(float(x.mean()), left, np.bincount(block))
    assert found == pytest.approx([x[block == b].mean() for b in range(4)], rel=1e-12)


def test_equal_blocks_need_no_sizes() -> None:
    assert jackknife_pseudo_values(2.0, np.array([1.0, 2.5])).tolist() == [3.0, 1.5]


def test_jackknife_interval_of_a_mean_is_that_of_its_block_means() -> None:
    x = np.random.default_rng(4).normal(size=60)
    block = np.arange(60) % 20
    left = np.array([x[block != b].mean() for b in range(20)])
    found = jackknife_interval(float(x.mean()), left, block)
    low, high = stats.ttest_1samp(
        [x[block == b].mean() for b in range(20)], 0
    ).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_jackknife_error_of_a_median_like_statistic_is_the_textbooks() -> None:
    """sqrt((B - 1) / B sum (theta_b - mean)^2) for equal blocks."""
    x = np.random.default_rng(5).gamma(2, size=100)
    block = np.arange(100) % 10
    left = np.array([np.log(x[block != b].mean()) for b in range(10)])
    found = jackknife_interval(float(np.log(x.mean())), left, block)
    se = np.sqrt(0.9 * np.sum((left - left.mean()) ** 2))
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 9) * se, rel=1e-9)


def test_ratio_of_pseudo_values_spread_over_prompts_is_fieller_over_blocks() -> None:
    rng = np.random.default_rng(6)
    top, bottom = rng.normal(1, 1, size=20), rng.normal(2, 1, size=20)
    block = np.repeat(np.arange(20), 5)
    spread, alone = fieller(top[block], bottom[block], block), fieller(top, bottom)
    assert spread[:3] == pytest.approx(alone[:3], rel=1e-12)
    assert (spread.n, alone.n) == (100, 20)
