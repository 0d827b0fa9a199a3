"""Gaps recovered and Fieller's sets."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harness.stats.ratios import (
    Stratum,
    fieller,
    fieller_strata,
    gap_recovered,
    pair_error,
    quotient,
    ratio_pseudo_values,
)
from harness.types import Floats, Ints, Unavailable


def test_gap_recovered_gives_the_numbers_of_gudibande_et_al_2023_table_1() -> None:
    """Natural Questions: base 17, teacher 31; a student at 10 lost half a gap."""
    assert gap_recovered(10.0, 31.0, 17.0) == -0.5
    assert round(float(gap_recovered(22.0, 31.0, 17.0)), 3) == 0.357


def test_gap_recovered_gives_the_numbers_of_gudibande_et_al_2023_table_2() -> None:
    """Style at 150M tokens: lists, summary, unigrams, length, tone."""
    base = np.array([13, 2, 19.5, -0.11, 57])
    student = np.array([81, 48, 42.5, 0.62, 98])
    second_teacher = np.array([83, 55, 49.2, 0.67, 98])
    assert np.round(gap_recovered(student, second_teacher, base), 3).tolist() == [
        0.971,
        0.868,
        0.774,
        0.936,
        1.0,
    ]


def test_a_quotient_without_room_below_is_not_a_number() -> None:
    above, below = np.array([1.0, 1.0, 0.0, 3.0]), np.array([2.0, 0.0, 0.0, -1.0])
    np.testing.assert_array_equal(quotient(above, below), [0.5, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(
        quotient(np.ones((2, 2)), np.array([[4.0], [1.0]])), [[0.25, 0.25], [1.0, 1.0]]
    )
    assert quotient(np.array(1.0), np.array(2.0)) == 0.5


def test_no_gap_no_share() -> None:
    with pytest.raises(Unavailable, match="no gap to recover"):
        gap_recovered(0.5, 0.4, 0.4)


def accepted(
    r: Floats, top: Floats, bottom: Floats, codes: Ints | None = None
) -> NDArray[np.bool_]:
    """Whether the paired test of mean(top - r bottom) = 0 does not reject, one r at a time; written apart."""
    kept = []
    for ratio in r:
        e = top - ratio * bottom
        if codes is None:
            kept.append(stats.ttest_1samp(e, 0).pvalue >= 0.05)
            continue
        groups = np.unique(codes)
        shifts = [np.mean(e[codes != g]) - e.mean() for g in groups]
        se = np.sqrt((len(groups) - 1) / len(groups) * np.sum(np.square(shifts)))
        kept.append(abs(e.mean()) / se <= stats.t.ppf(0.975, len(groups) - 1))
    return np.array(kept)


@pytest.mark.parametrize("clustered", [False, True])
def test_fieller_is_the_inverted_paired_test(clustered: bool) -> None:
    rng = np.random.default_rng(4)
    bottom = 0.4 + rng.normal(size=80)
    top = 0.5 * bottom + 0.3 * rng.normal(size=80)
    codes = np.arange(80) // 3 if clustered else None
    found = fieller(top, bottom, codes)
    grid = np.linspace(-0.5, 1.5, 1001)
    inside = grid[accepted(grid, top, bottom, codes)]
    assert found.bounded
    assert found.value == pytest.approx(top.sum() / bottom.sum(), rel=1e-12)
    assert abs(found.low - inside[0]) < 0.002
    assert abs(found.high - inside[-1]) < 0.002
    assert inside[0] < found.value < inside[-1]


def test_fieller_is_unbounded_where_the_test_accepts_far_out() -> None:
    rng = np.random.default_rng(5)
    top, bottom = 0.5 + rng.normal(size=50), 0.1 + rng.normal(size=50)
    found = fieller(top, bottom)
    assert not found.bounded
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert accepted(np.array([1e9]), top, bottom).all()


def test_fieller_without_any_difference_in_the_denominator_is_unbounded() -> None:
    assert not fieller(np.array([1.0, 0.0, 1.0]), np.zeros(3)).bounded


def test_strata_are_added_and_their_errors_too() -> None:
    """Against the paired test of the sum of two independent means with Welch's degrees of freedom at the estimate."""
    rng = np.random.default_rng(6)
    bottoms = [0.5 + rng.normal(size=60), 0.2 + 0.5 * rng.normal(size=25)]
    tops = [0.6 * d + 0.2 * rng.normal(size=len(d)) for d in bottoms]
    found = fieller_strata([Stratum(n, d) for n, d in zip(tops, bottoms, strict=True)])
    value = sum(n.mean() for n in tops) / sum(d.mean() for d in bottoms)
    assert found.value == pytest.approx(value, rel=1e-12)

    def variances(r: float) -> list[float]:
        return [
            float(np.var(n - r * d, ddof=1)) / len(n) for n, d in zip(tops, bottoms, strict=True)
        ]

    v = variances(value)
    df = sum(v) ** 2 / (v[0] ** 2 / 59 + v[1] ** 2 / 24)
    for r in (found.low, found.high):
        distance = abs(sum(float(np.mean(n - r * d)) for n, d in zip(tops, bottoms, strict=True)))
        assert distance == pytest.approx(
            stats.t.ppf(0.975, df) * np.sqrt(sum(variances(r))), rel=1e-9
        )
    assert found.n == 85


def test_strata_on_the_same_prompts_are_one_sample() -> None:
    """Families of style measured on the same prompts: as if their values were added prompt by prompt."""
    rng = np.random.default_rng(7)
    ids = [f"p{i}" for i in range(40)]
    bottoms = [1 + rng.normal(size=40), 2 + rng.normal(size=40)]
    bottoms[1] += bottoms[0]
    noise = rng.normal(size=40)
    tops = [0.5 * d + noise for d in bottoms]
    joint = fieller_strata([Stratum(n, d, ids) for n, d in zip(tops, bottoms, strict=True)])
    added = fieller(tops[0] + tops[1], bottoms[0] + bottoms[1])
    assert joint[:3] == pytest.approx(added[:3], rel=1e-12)
    apart = fieller_strata([Stratum(n, d) for n, d in zip(tops, bottoms, strict=True)])
    assert abs(apart.high - added.high) > 0.01


def test_pseudo_values_average_to_the_ratio_and_spread_as_it_does() -> None:
    rng = np.random.default_rng(8)
    strata = []
    for n in (100, 30):
        d = 1 + 0.3 * rng.normal(size=n)
        strata.append(Stratum(0.4 * d + 0.3 * rng.normal(size=n), d))
    pseudo = np.concatenate(ratio_pseudo_values(strata))
    found, error = fieller_strata(strata), pair_error(strata)
    assert pseudo.mean() == pytest.approx(found.value, rel=1e-12)
    variance, _ = error.variance(found.value)
    assert np.sqrt(pseudo.var() / 130) == pytest.approx(
        np.sqrt(variance) / error.denominator, rel=0.02
    )


def test_one_stratum_pseudo_values_by_hand() -> None:
    top, bottom = np.array([1.0, 0.0, 2.0]), np.array([1.0, 2.0, 3.0])
    assert ratio_pseudo_values([Stratum(top, bottom)])[0] == pytest.approx([0.75, 0.0, 0.75])


def test_a_student_who_is_the_teacher_recovers_all() -> None:
    gap = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    assert fieller(gap, gap)[:3] == pytest.approx((1.0, 1.0, 1.0))
