"""Angles between models, against their definition in loops and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from harness.stats.angles import (
    LEAST_SHARE,
    Cohort,
    Resemblance,
    gram,
    half_cosines,
    resemblance,
    t_norm,
)
from harness.types import Floats

PROMPTS, MODELS, WIDTH = 5, 6, 3
COHORT = Cohort(np.array([0, 1, 2, 3]), np.array([0.25, 0.25, 0.3, 0.2]), 4)


def counts(seed: int = 0) -> Floats:
    """What is counted of each reply (P, M, F)."""
    return np.random.default_rng(seed).gamma(2.0, size=(PROMPTS, MODELS, WIDTH))


def rows(values: Floats) -> sparse.csr_matrix:
    """The same as sparse rows."""
    return sparse.csr_matrix(values.reshape(-1, values.shape[-1]))


def by_definition(values: Floats, there: np.ndarray) -> Floats:
    """Products over pairs of different prompts, in loops; not rounded."""
    weights = np.zeros(MODELS)
    weights[COHORT.models] = COHORT.weights
    each = weights * there
    scaled = values / np.sqrt(np.einsum("pm,pmf->f", each, values) / each.sum())
    middle = np.einsum("pm,pmf->pf", each, scaled) / each.sum(axis=1, keepdims=True)
    vectors = scaled - middle[:, None]
    made = np.zeros((MODELS, MODELS))
    for a in range(MODELS):
        for b in range(MODELS):
            pairs = [
                vectors[p, a] @ vectors[q, b]
                for p in range(PROMPTS)
                for q in range(PROMPTS)
                if p != q and there[p, a] and there[q, b]
            ]
            made[a, b] = np.mean(pairs)
    return made


def test_products_are_taken_over_different_prompts_only() -> None:
    there = np.ones((PROMPTS, MODELS), dtype=bool)
    made = gram(rows(counts()), there, COHORT)
    assert made == pytest.approx(by_definition(counts(), there), abs=0.02)


def test_missing_replies_are_left_out() -> None:
    there = np.ones((PROMPTS, MODELS), dtype=bool)
    there[0, 4] = there[2, 1] = there[3, 1] = False
    values = counts()
    values[~there] = 0
    made = gram(rows(values), there, COHORT)
    assert made == pytest.approx(by_definition(values, there), abs=0.02)


def test_resemblance_is_the_cosine_about_the_cohorts_middle() -> None:
    points = np.random.default_rng(1).normal(size=(MODELS, WIDTH))
    made = resemblance(points @ points.T, 4, COHORT, np.array([5]))
    middle = COHORT.weights @ points[:4]
    own = points - middle
    squares = np.maximum((own**2).sum(axis=1), LEAST_SHARE * np.median((own[:4] ** 2).sum(axis=1)))
    cosines = own @ own[4] / np.sqrt(squares * squares[4])
    assert made.candidates == pytest.approx(cosines[[5]])
    assert made.cohort == pytest.approx(cosines[:4])


def test_a_model_near_the_middle_is_like_nobody() -> None:
    """Its small difference is not blown up: the least length stands under the root."""
    points = np.array([[3.0, 0], [-3, 0], [0, 3], [0, -3], [0.1, 0], [5, 0]])
    cohort = Cohort(np.arange(4), np.full(4, 0.25), 4)
    made = resemblance(points @ points.T, 4, cohort, np.array([5]))
    assert made.candidates == pytest.approx([0.1 / np.sqrt(LEAST_SHARE * 9)])


def test_where_the_cohort_is_one_point_there_are_no_angles() -> None:
    points = np.array([[1.0, 1.0]] * 4 + [[2.0, 0.0], [3.0, 0.0]])
    made = resemblance(points @ points.T, 4, COHORT, np.array([5]))
    assert np.isnan(made.candidates).all()


def test_t_norm_by_hand() -> None:
    """Mean 1, standard deviation 1 of the cohort's values 0, 0, 2, 2 of equal weight."""
    cohort = Cohort(np.arange(4), np.full(4, 0.25), 4)
    made = Resemblance(np.array([1.0, 3.0]), np.array([0.0, 0.0, 2.0, 2.0]))
    assert t_norm(made, cohort).tolist() == [0.0, 2.0]
    assert np.isnan(t_norm(made._replace(cohort=np.ones(4)), cohort)).all()


def test_cosines_of_rounds_stand_over_their_two_halves_in_the_order_given() -> None:
    """Against loops: four of five prompts make two rounds of two, whose halves are a prompt each."""
    there = np.ones((PROMPTS, MODELS), dtype=bool)
    there[3, 1] = False
    order = np.array([3, 0, 4, 1, 2])
    made = half_cosines(rows(counts() * there[..., None]), there, COHORT, order, 2)
    weights = np.zeros(MODELS)
    weights[COHORT.models] = COHORT.weights
    each = weights * there
    values = counts() * there[..., None]
    scaled = values / np.sqrt(np.einsum("pm,pmf->f", each, values) / each.sum())
    middle = np.einsum("pm,pmf->pf", each, scaled) / each.sum(axis=1, keepdims=True)
    unit = scaled - middle[:, None]
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    unit[~there] = 0
    for i, (p, q) in enumerate([(3, 0), (4, 1)]):
        expected = (unit[p] @ unit[q].T + unit[q] @ unit[p].T) / 2
        assert made[i] == pytest.approx(expected, abs=0.02)
    assert made.shape == (2, MODELS, MODELS)


def test_an_innocent_like_the_suspect_is_nearer_in_half_of_the_rounds() -> None:
    """What the bet on stopping rests on: two models of one distribution, over rounds of prompts in any order."""
    rng = np.random.default_rng(5)
    values = rng.gamma(2.0, size=(4000, 4, 3)) + np.array([0.5, 0.5, 0, 0])[:, None] * [1, 0, 0]
    values[:, 3] += [0.5, 0, 0]  # the candidate, whom models 0 and 1 resemble alike
    cohort = Cohort(np.array([1, 2]), np.array([0.5, 0.5]), 2)
    there = np.ones((4000, 4), dtype=bool)
    made = half_cosines(rows(values), there, cohort, np.arange(4000), 10)
    wins = np.mean(made[:, 0, 3] > made[:, 1, 3])
    assert 0.5 - wins == pytest.approx(0, abs=3 * 0.5 / np.sqrt(400) + 0.1)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_model_changes_a_bit_of_two_models_product(seed: int) -> None:
    """Columns that some replies lack, and a model more that has words of its own in every one of them."""
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, size=(40, MODELS, 30)) * (rng.random((40, MODELS, 30)) < 0.1)
    values[0, 0] = 1.0  # no column is empty
    there = rng.random((40, MODELS)) < 0.9
    there[0, 0] = True
    values[~there] = 0
    more = np.concatenate([values, rng.gamma(2.0, size=(40, 1, 30))], axis=1)
    with_more = np.concatenate([there, np.ones((40, 1), dtype=bool)], axis=1)
    made = gram(rows(more), with_more, COHORT)[:MODELS, :MODELS]
    assert made.tobytes() == gram(rows(values), there, COHORT).tobytes()
    order = np.arange(40)
    rounds = half_cosines(rows(more), with_more, COHORT, order, 10)[:, :MODELS, :MODELS]
    assert rounds.tobytes() == half_cosines(rows(values), there, COHORT, order, 10).tobytes()


def test_sparse_replies_by_definition() -> None:
    rng = np.random.default_rng(4)
    values = rng.gamma(2.0, size=(PROMPTS, MODELS, WIDTH))
    values *= rng.random(values.shape) < 0.1  # on some prompts nobody has a column
    values[0, 0] = 1.0
    there = np.ones((PROMPTS, MODELS), dtype=bool)
    assert gram(rows(values), there, COHORT) == pytest.approx(
        by_definition(values, there), abs=0.02
    )
