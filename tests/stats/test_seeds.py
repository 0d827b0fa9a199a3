"""Means over training seeds: variance components against ANOVA, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.seeds import Variance, from_intervals, over_prompts, over_seeds, seeds_mean
from harness.types import Floats, Unavailable


def made(rng: np.random.Generator, sd: tuple[float, float, float], p: int, k: int) -> Floats:
    """(P, K) values 0.5 + prompt + seed + rest, each normal with its standard deviation."""
    prompt, seed, rest = sd
    return np.asarray(
        0.5
        + rng.normal(0, prompt, (p, 1))
        + rng.normal(0, seed, (1, k))
        + rng.normal(0, rest, (p, k))
    )


def test_two_seeds_are_too_few_and_it_is_said() -> None:
    with pytest.raises(Unavailable, match="2 seeds: a claim about a recipe needs at least three"):
        over_seeds(np.array([0.1, 0.2]))
    with pytest.raises(Unavailable, match="1 seed: "):
        over_seeds(np.array([0.1]))


def test_seeds_alone_are_students_t() -> None:
    means = np.array([0.2, 0.4, 0.9])
    told = seeds_mean(float(means.mean()), [over_seeds(means)])
    reference = stats.ttest_1samp(means, 0.0)
    low, high = reference.confidence_interval(0.95)
    assert (told.low, told.high, told.p) == pytest.approx((low, high, reference.pvalue))


def test_the_part_of_the_prompts_is_that_of_a_two_way_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    y = made(rng, (0.3, 0.1, 0.2), 40, 4)
    p, k = y.shape
    rest = y - y.mean(1, keepdims=True) - y.mean(0, keepdims=True) + y.mean()
    ms_prompts = k * y.mean(1).var(ddof=1)
    ms_rest = (rest**2).sum() / ((p - 1) * (k - 1))
    assert over_prompts([y], np.arange(p)).value == pytest.approx((ms_prompts - ms_rest) / (p * k))


def test_prompts_of_one_cluster_count_once() -> None:
    y = made(np.random.default_rng(5), (0.3, 0.1, 0.2), 30, 3)
    thrice = np.repeat(y, 3, axis=0)
    alone, together = (
        over_prompts([y], np.arange(30)),
        over_prompts([thrice], np.repeat(np.arange(30), 3)),
    )
    assert together == pytest.approx(alone)


def test_a_difference_without_prompts_of_its_own_is_welchs() -> None:
    rng = np.random.default_rng(7)
    prompts = rng.normal(0, 1, (25, 1))
    one, two = prompts + np.array([0.1, 0.4, 0.3]), prompts + np.array([0.9, 0.7, 1.2, 0.8])
    told = seeds_mean(
        float(one.mean() - two.mean()),
        [over_seeds(one[0]), over_seeds(two[0])],
        over_prompts([one, two], np.arange(25)),
    )
    reference = stats.ttest_ind(one[0], two[0], equal_var=False)
    low, high = reference.confidence_interval(0.95)
    assert (told.low, told.high, told.p) == pytest.approx((low, high, reference.pvalue))


def test_prompts_never_make_an_interval_narrower() -> None:
    """Satterthwaite's degrees of freedom rise with a second source: from 2 to 4, t falls by a third."""
    seeds, prompts = over_seeds(np.array([0.2, 0.3, 0.5])), Variance(0.003, 200)
    alone, both = seeds_mean(1 / 3, [seeds]), seeds_mean(1 / 3, [seeds], prompts)
    assert both.high - both.low >= alone.high - alone.low
    wide = seeds_mean(1 / 3, [seeds], Variance(0.1, 200))
    assert wide.high - wide.low > both.high - both.low


def test_seeds_without_any_spread_have_no_interval() -> None:
    with pytest.raises(Unavailable, match="the same number for every seed"):
        seeds_mean(
            0.7, [over_seeds(np.full(3, 0.7))], over_prompts([np.full((9, 3), 0.7)], np.arange(9))
        )


def test_intervals_of_seeds_bound_the_part_of_the_prompts_from_above() -> None:
    y = made(np.random.default_rng(9), (0.3, 0.1, 0.2), 400, 3)
    half = stats.t.ppf(0.975, 399) * y.std(axis=0, ddof=1) / 20
    ends = (y.mean(0) - half, y.mean(0) + half)
    bound = from_intervals(ends[0].tolist(), ends[1].tolist(), [400] * 3)
    assert bound.value == pytest.approx(y.var(axis=0, ddof=1).mean() / 400)
    assert bound.value > over_prompts([y], np.arange(400)).value


@pytest.mark.parametrize("sd", [(0.3, 0.05, 0.2), (0.3, 0.0, 0.3), (0.1, 0.2, 0.1)])
@pytest.mark.parametrize("k", [3, 6])
def test_intervals_cover_the_recipe_and_those_of_prompts_alone_do_not(
    sd: tuple[float, float, float], k: int
) -> None:
    rng, tries, p = np.random.default_rng(11), 400, 50
    covered = naive = 0
    for _ in range(tries):
        y = made(rng, sd, p, k)
        told = seeds_mean(
            float(y.mean()), [over_seeds(y.mean(axis=0))], over_prompts([y], np.arange(p))
        )
        covered += told.low <= 0.5 <= told.high
        half = 2.01 * y.mean(axis=1).std(ddof=1) / np.sqrt(p)
        naive += abs(y.mean() - 0.5) <= half
    assert covered / tries >= 0.92
    if sd[1] == 0.2:
        assert naive / tries < 0.5, "as if the prompts were all that chance can change"
