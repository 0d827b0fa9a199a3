"""Inference over models, and shared errors."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from harness.stats.controls import (
    ModelLevelP,
    conformal_p,
    evidence,
    max_t_p,
    one_per_lineage,
    poisson_binomial_p,
    prediction_interval_regression,
    prediction_limit,
    regression_p,
)
from harness.types import Unavailable


def test_conformal_p_counts_ties_against_the_claim() -> None:
    assert conformal_p(0.7, np.array([0.1, 0.7, 0.9, 0.3])) == ModelLevelP(3 / 5, 4)
    assert conformal_p(2.0, np.linspace(0, 1, 19)).p == 0.05


def test_max_t_holds_each_candidate_against_the_largest_of_each_control() -> None:
    controls = np.array([[0.0, 3.0], [1.0, 0.0], [2.0, 2.5]])
    assert [e.p for e in max_t_p(np.array([2.7, 0.5]), controls)] == [2 / 4, 4 / 4]


def test_prediction_limit_by_hand() -> None:
    found = prediction_limit(np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.limit == pytest.approx(
        2.5 + stats.t.ppf(0.95, 3) * np.sqrt(5 / 3) * np.sqrt(1.25), rel=1e-12
    )
    assert found.lineages == 4
    with pytest.raises(Unavailable, match="3 control lineages"):
        prediction_limit(np.array([1.0, 2.0, 3.0]))


def test_evidence_says_no_more_than_the_controls_allow() -> None:
    rng = np.random.default_rng(0)
    assert evidence(9.0, rng.normal(size=3)).says == "cannot tell"
    few = evidence(9.0, rng.normal(size=8))
    assert (few.says, few.p, few.assumption) == ("above", None, "assumes normal controls")
    many = evidence(9.0, rng.normal(size=19))
    assert (many.says, many.p) == ("above", 0.05)
    assert evidence(0.0, rng.normal(size=19)).says == "not above"
    with pytest.raises(Unavailable, match="0 control lineages"):
        evidence(1.0, np.array([]))


def test_siblings_count_once() -> None:
    values = {"a-7b": 0.2, "a-13b": 0.5, "b": 0.3}
    assert one_per_lineage(values, {"a-7b": "a", "a-13b": "a"}).tolist() == [0.5, 0.3]


def test_prediction_interval_on_one_regressor_is_the_textbooks() -> None:
    x, y = np.array([0.1, 0.3, 0.35, 0.6, 0.8, 0.9]), np.array([0.2, 0.25, 0.4, 0.5, 0.7, 0.6])
    line = stats.linregress(x, y)
    residuals = y - line.intercept - line.slope * x
    s = np.sqrt(np.sum(residuals**2) / 4)
    half = (
        stats.t.ppf(0.975, 4)
        * s
        * np.sqrt(1 + 1 / 6 + (0.5 - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    )
    found = prediction_interval_regression(x[:, None], y, np.array([0.5]))
    at = line.intercept + line.slope * 0.5
    assert found[:3] == pytest.approx((at - half, at, at + half), rel=1e-10)
    assert regression_p(found.high, found).p == pytest.approx(0.025, rel=1e-9)


def test_prediction_interval_on_two_regressors_by_normal_equations() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(size=(12, 2))
    y = x @ [0.4, 0.2] + 0.1 * rng.normal(size=12)
    design = np.column_stack([np.ones(12), x])
    inverse = np.linalg.inv(design.T @ design)
    weights = inverse @ design.T @ y
    at = np.array([1.0, 0.3, 0.9])
    s2 = np.sum((y - design @ weights) ** 2) / 9
    half = stats.t.ppf(0.975, 9) * np.sqrt(s2 * (1 + at @ inverse @ at))
    found = prediction_interval_regression(x, y, at[1:])
    assert found[:3] == pytest.approx(
        (at @ weights - half, at @ weights, at @ weights + half), rel=1e-9
    )
    assert (found.df, found.lineages) == (9, 12)


def test_a_regression_without_ground_is_a_reason() -> None:
    with pytest.raises(Unavailable, match="at least 5 are needed"):
        prediction_interval_regression(np.ones((4, 1)), np.ones(4), np.ones(1))
    with pytest.raises(Unavailable, match="do not vary"):
        prediction_interval_regression(np.ones((9, 1)), np.arange(9.0), np.ones(1))


def test_poisson_binomial_by_enumeration() -> None:
    p = np.array([0.1, 0.7, 0.35, 0.9, 0.5, 0.02, 0.6])
    chances = np.zeros(len(p) + 1)
    for outcome in product((0, 1), repeat=len(p)):
        chances[sum(outcome)] += np.prod(np.where(outcome, p, 1 - p))
    for k in range(len(p) + 1):
        assert poisson_binomial_p(k, p) == pytest.approx(chances[k:].sum(), rel=1e-12)


def test_poisson_binomial_with_equal_chances_is_binomial() -> None:
    assert poisson_binomial_p(60, np.full(200, 0.2)) == pytest.approx(
        stats.binom.sf(59, 200, 0.2), rel=1e-10
    )
    assert poisson_binomial_p(900, np.full(1000, 0.5)) == pytest.approx(
        stats.binom.sf(899, 1000, 0.5), rel=1e-9
    )


def test_poisson_binomial_of_a_whole_benchmark() -> None:
    p = np.random.default_rng(2).beta(2, 3, size=12_000)
    mean, sd = p.sum(), np.sqrt((p * (1 - p)).sum())
    k = int(mean + 2 * sd)
    assert poisson_binomial_p(k, p) == pytest.approx(stats.norm.sf((k - 0.5 - mean) / sd), rel=0.01)


def test_poisson_binomial_at_its_ends() -> None:
    assert poisson_binomial_p(0, np.array([0.5])) == 1.0
    assert poisson_binomial_p(2, np.array([0.5])) == 0.0
    assert poisson_binomial_p(2, np.array([0.5, 1.0])) == 0.5
    with pytest.raises(ValueError, match="outside"):
        poisson_binomial_p(1, np.array([1.5]))
