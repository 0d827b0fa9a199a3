"""Pairs of unrelated models: against plain least squares, with siblings, and where nothing can be said."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from harness.stats.round_robin import pair_excess
from harness.types import Floats, Unavailable

LINEAGES = ["s", "t", "a", "b", "c", "d", "e"]


def drawn(n: int, seed: int = 0, noise: float = 0.02) -> tuple[Floats, Floats]:
    """Values of pairs (n, n) that follow from models, distance in accuracy and noise; accuracies (n,)."""
    rng = np.random.default_rng(seed)
    accuracies, own = rng.uniform(0.3, 0.9, n), rng.normal(0.1, 0.05, n)
    shaken = np.triu(rng.normal(0, noise, (n, n)), 1)
    apart = (accuracies[:, None] - accuracies) ** 2
    return own[:, None] + own - 0.4 * apart + shaken + shaken.T, accuracies


def test_excess_is_what_least_squares_over_the_other_pairs_leaves() -> None:
    values, accuracies = drawn(7)
    made = pair_excess(values, accuracies, LINEAGES)
    rows = [(i, j) for i, j in combinations(range(7), 2) if (i, j) != (0, 1)]
    design = np.array(
        [
            [float(k in (i, j)) for k in range(7)] + [(accuracies[i] - accuracies[j]) ** 2]
            for i, j in rows
        ]
    )
    at = np.array([1, 1, 0, 0, 0, 0, 0, (accuracies[0] - accuracies[1]) ** 2])
    observed = np.array([values[i, j] for i, j in rows])
    inverse = np.linalg.inv(design.T @ design)
    effects = inverse @ design.T @ observed
    residuals = observed - design @ effects
    s2 = residuals @ residuals / (20 - 8)
    half = stats.t.ppf(0.975, 12) * np.sqrt(s2 * (1 + at @ inverse @ at))
    expected = values[0, 1] - at @ effects
    assert made[:3] == pytest.approx((expected, expected - half, expected + half), rel=1e-9)
    assert made[3:] == (5, 12)


def test_what_models_are_and_how_far_apart_they_lie_is_no_excess() -> None:
    values, accuracies = drawn(7, noise=1e-6)
    assert pair_excess(values, accuracies, LINEAGES).value == pytest.approx(0, abs=1e-5)
    values[0, 1] = values[1, 0] = values[0, 1] + 0.3
    assert pair_excess(values, accuracies, LINEAGES).value == pytest.approx(0.3, abs=1e-5)


def test_the_pair_that_is_judged_is_not_in_its_own_null() -> None:
    values, accuracies = drawn(7)
    before = pair_excess(values, accuracies, LINEAGES)
    values[0, 1] = values[1, 0] = values[0, 1] + 5
    after = pair_excess(values, accuracies, LINEAGES)
    assert after.high - after.low == pytest.approx(before.high - before.low, rel=1e-9)


def test_student_and_teacher_of_one_lineage_are_judged_by_the_same_pairs() -> None:
    values, accuracies = drawn(7)
    strangers = pair_excess(values, accuracies, LINEAGES)
    assert pair_excess(values, accuracies, ["x", "x", *LINEAGES[2:]]) == strangers


def test_a_sibling_that_answers_alike_changes_nothing() -> None:
    values, accuracies = drawn(7)
    twice = [*range(7), 6]
    values[6, 6] = 9.0  # siblings are not compared with one another
    both = values[np.ix_(twice, twice)]
    made = pair_excess(both, accuracies[twice], [*LINEAGES, "e"])
    assert made[:3] == pytest.approx(pair_excess(values, accuracies, LINEAGES)[:3], rel=1e-9)
    assert made[3:] == (5, 12)


def test_models_that_are_equally_accurate_have_no_distance_to_be_judged_by() -> None:
    values, _ = drawn(7)
    made = pair_excess(values, np.full(7, 0.5), LINEAGES)
    assert made.low < made.value < made.high


@pytest.mark.parametrize(("n", "words"), [(5, "3 control lineages; at least 4 are needed")])
def test_too_few_lineages_are_a_reason(n: int, words: str) -> None:
    values, accuracies = drawn(n)
    with pytest.raises(Unavailable, match=words):
        pair_excess(values, accuracies, LINEAGES[:n])


def test_pairs_without_a_value_are_left_out() -> None:
    values, accuracies = drawn(7)
    values[2, 3] = values[3, 2] = np.nan
    assert pair_excess(values, accuracies, LINEAGES).df == 11
    values[0, 2:] = values[2:, 0] = np.nan  # nothing is known of the student
    with pytest.raises(Unavailable, match="too few pairs of unrelated models have a value"):
        pair_excess(values, accuracies, LINEAGES)
    values[0, 1] = np.nan
    with pytest.raises(Unavailable, match="student and teacher have no value"):
        pair_excess(values, accuracies, LINEAGES)


def test_pairs_that_do_not_vary_are_a_reason() -> None:
    with pytest.raises(Unavailable, match="do not vary"):
        pair_excess(np.full((7, 7), 0.2), np.linspace(0.3, 0.8, 7), LINEAGES)


def test_an_unrelated_pair_is_rarely_outside() -> None:
    outside = 0
    for seed in range(300):
        made = pair_excess(*drawn(6, seed), LINEAGES[:6])
        outside += not made.low <= 0 <= made.high
    assert 4 <= outside <= 28  # 15 expected; a binomial's 99.9 % range


@pytest.mark.parametrize("added", [1, 4, 6])
def test_controls_without_a_value_weigh_nothing(added: int) -> None:
    values, accuracies = drawn(7)
    wide = np.full((7 + added, 7 + added), np.nan)
    wide[:7, :7] = values
    more = [f"silent {i}" for i in range(added)]
    made = pair_excess(wide, np.append(accuracies, np.full(added, 0.9)), [*LINEAGES, *more])
    assert made == pytest.approx(pair_excess(values, accuracies, LINEAGES), rel=1e-9)


def test_controls_that_have_values_are_counted_for_the_minimum() -> None:
    values, accuracies = drawn(7)
    values[5:, :] = values[:, 5:] = np.nan
    with pytest.raises(Unavailable, match="3 of 5 control lineages have a value"):
        pair_excess(values, accuracies, LINEAGES)
