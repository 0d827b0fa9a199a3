"""Two models on the same prompts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from harness.stats.paired import Spread, compare, mcnemar_mid_p
from harness.stats.permutation import permutation_p, sign_flip_mid_p, sign_flip_permutation
from harness.types import Floats, Unavailable


def keyed(values: Floats) -> dict[str, float]:
    return {f"p{i:03d}": float(v) for i, v in enumerate(values)}


@pytest.mark.parametrize(("b", "c"), [(9, 2), (2, 9), (5, 5), (0, 1), (0, 0), (40, 61)])
def test_mcnemar_mid_p_from_the_binomial(b: int, c: int) -> None:
    chance = stats.binom(b + c, 0.5)
    outside = sum(chance.pmf(k) for k in range(b + c + 1) if abs(2 * k - b - c) > abs(b - c))
    level = sum(chance.pmf(k) for k in range(b + c + 1) if abs(2 * k - b - c) == abs(b - c))
    assert mcnemar_mid_p(b, c) == pytest.approx(1.0 if b == c else outside + level / 2, rel=1e-12)


def test_shares_are_compared_by_mcnemar() -> None:
    first = np.array([1.0] * 12 + [0.0] * 3 + [1.0] * 40 + [0.0] * 45)
    second = np.array([0.0] * 12 + [1.0] * 3 + [1.0] * 40 + [0.0] * 45)
    found = compare(keyed(first), keyed(second), {})
    assert found.p == mcnemar_mid_p(12, 3)
    assert found.difference == pytest.approx(0.09)
    assert found.n == 100
    share_b, share_c = 13 / 102, 4 / 102
    half = stats.t.ppf(0.975, 99) * np.sqrt((share_b + share_c - (share_b - share_c) ** 2) / 101)
    assert (found.low, found.high) == pytest.approx(
        (share_b - share_c - half, share_b - share_c + half), rel=1e-9
    )


def test_shares_that_never_differ_still_have_an_interval() -> None:
    ones = keyed(np.ones(50))
    found = compare(ones, ones, {})
    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.low < -0.05
    assert found.high > 0.05


def test_continuous_values_by_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=40), rng.normal(0.3, size=40)
    found, expected = compare(keyed(x), keyed(y), {}), stats.ttest_rel(x, y)
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_clusters_of_equal_size_are_compared_by_their_means() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=60), rng.normal(0.2, size=60)
    clusters = {f"p{i:03d}": f"c{i // 4}" for i in range(60)}
    found = compare(keyed(x), keyed(y), clusters)
    assert found.p == pytest.approx(
        stats.ttest_1samp((x - y).reshape(15, 4).mean(axis=1), 0).pvalue, rel=1e-10
    )


def test_only_shared_prompts_count_in_any_order() -> None:
    rng = np.random.default_rng(2)
    x, y = keyed(rng.normal(size=30)), keyed(rng.normal(size=30))
    del x["p003"], y["p010"]
    found = compare(x, y, {})
    assert found.n == 28
    assert compare(dict(reversed(x.items())), y, {}) == found


def test_swapping_the_two_turns_the_sign() -> None:
    rng = np.random.default_rng(3)
    x, y = keyed(rng.normal(size=30)), keyed(rng.normal(size=30))
    there, back = compare(x, y, {}), compare(y, x, {})
    assert (back.difference, back.low, back.high, back.p) == pytest.approx(
        (-there.difference, -there.high, -there.low, there.p)
    )


def test_nothing_to_compare_is_a_reason() -> None:
    with pytest.raises(Unavailable, match="1 prompts in common"):
        compare({"a": 1.0, "b": 2.0}, {"b": 1.0, "c": 0.0}, {})
    same = keyed(np.linspace(0, 0.9, 10))
    with pytest.raises(Unavailable, match="no spread"):
        compare(same, same, {})
    with pytest.raises(Unavailable, match="one cluster"):
        compare(same, keyed(np.arange(10.0) ** 2), dict.fromkeys(same, "all"))


def test_clustered_shares_by_all_sign_flips() -> None:
    rng = np.random.default_rng(4)
    x, y = (rng.integers(2, size=30).astype(float) for _ in range(2))
    clusters = {f"p{i:03d}": f"c{i // 3}" for i in range(30)}
    sums = (x - y).reshape(10, 3).sum(axis=1)
    flips = np.abs([float(np.dot(signs, sums)) for signs in product((-1, 1), repeat=10)])
    observed = abs(sums.sum())
    expected = np.mean(flips > observed) + np.mean(flips == observed) / 2
    assert compare(keyed(x), keyed(y), clusters).p == pytest.approx(expected, rel=1e-12)


def test_single_prompts_make_sign_flips_mcnemars() -> None:
    sums = np.array([1] * 9 + [-1] * 2 + [0] * 20)
    assert sign_flip_mid_p(sums) == pytest.approx(mcnemar_mid_p(9, 2), rel=1e-12)


def test_sign_flip_permutation_nears_the_exact_share() -> None:
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.5, -0.2, 0.1, 0.6])
    flips = np.abs([float(np.dot(signs, differences)) for signs in product((-1, 1), repeat=8)])
    exact = float(np.mean(flips >= differences.sum() - 1e-12))
    found = sign_flip_permutation(differences, None, 20_000, np.random.default_rng(5))
    assert found == pytest.approx(exact, abs=0.004)


def test_permutation_p_is_never_zero_and_counts_ties() -> None:
    assert permutation_p(3.0, np.array([0.0, 1.0, 2.0])) == 0.25
    assert permutation_p(2.0, np.array([0.0, 1.0, 2.0])) == 0.5


def detectable(spread: Spread, level: float = 0.05) -> float:
    """The least detectable difference, where there is one."""
    least = spread.detectable(level)
    assert least is not None
    return least


def test_detectable_effect_is_found_with_its_power() -> None:
    """The chance that a noncentral t passes the two-sided threshold."""
    df, se = 99, 0.02
    for level in (0.05, 0.05 / 30):
        shift = detectable(Spread(se, df, 100, None), level) / se
        found = 1 - stats.nct.cdf(stats.t.ppf(1 - level / 2, df), df, shift)
        assert found == pytest.approx(0.8, abs=0.01)


def test_a_loss_that_is_detectable_at_a_stricter_level_is_larger() -> None:
    spread = Spread(0.02, 99, 100, 0.1)
    assert 0.05 < detectable(spread) < detectable(spread, 0.05 / 30) < 0.4


def test_detectable_share_by_enumeration() -> None:
    """6 of 50 prompts differ; with 9 lost the test finds it unless more than c of the 6 were won."""
    spread = Spread(0.0, 49, 50, 6 / 50)
    powers = {}
    for lost in range(1, 30):
        found = [mcnemar_mid_p(6 - won + lost, won) < 0.05 for won in range(7)]
        # a loss is found, not a gain
        powers[lost] = sum(
            stats.binom.pmf(won, 6, 0.5) for won in range(7) if found[won] and 6 - won + lost > won
        )
    best = min(powers, key=lambda lost: abs(powers[lost] - 0.8))
    assert abs(powers[round(50 * detectable(spread))] - 0.8) == abs(powers[best] - 0.8)


def test_where_next_to_nothing_differs_a_few_prompts_are_enough() -> None:
    assert 5 <= round(200 * detectable(Spread(0.0, 199, 200, 0.0))) <= 9


def test_no_loss_is_detectable_where_losing_every_prompt_would_be_missed_too_often() -> None:
    """Of n prompts two differ by chance, each to either side: with all n lost w are won, w ~ Binomial(2, 1/2)."""
    for n in range(2, 12):
        power = sum(
            stats.binom.pmf(w, 2, 0.5) * (mcnemar_mid_p(n + 2 - w, w) < 0.05) for w in range(3)
        )
        assert (Spread(0.0, n - 1, n, 0.0).detectable() is None) == (power < 0.8), n
