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
    prediction_limit,
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
