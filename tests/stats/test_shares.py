"""Shares of rows: nobody is judged by what was fitted on it, and everybody at the lengths that are in question."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from harness.stats.shares import Known, Rows, Told, reached, share_of, tell
from harness.types import Floats

N_LINEAGES, CELL, WIDTH = 13, 12, 6


def known(features: Floats | None = None) -> Known:
    """Lineages of one writer each, then two versions of a family; two halves, two classes, twelve rows in each."""
    writers = np.repeat(np.arange(N_LINEAGES + 2), 4 * CELL)
    halves = np.tile(np.repeat([0, 0, 1, 1], CELL), N_LINEAGES + 2)
    classes = np.tile(np.repeat([0, 1, 0, 1], CELL), N_LINEAGES + 2)
    values = made_up(writers) if features is None else features
    names = tuple(f"w{i:02}" for i in range(N_LINEAGES + 2))
    rows = Rows(sparse.csr_matrix(values), classes)
    return Known(rows, writers, halves, names, (*names[:N_LINEAGES], "lab", "lab"), 2)


def made_up(writers: np.ndarray) -> Floats:
    """Noise, a habit of each writer's own, and feature 0 that the family alone has."""
    rng = np.random.default_rng(0)
    habits = rng.normal(size=(N_LINEAGES + 2, WIDTH)) * 0.3
    family = (writers >= N_LINEAGES)[:, None] * np.eye(WIDTH)[0]
    return np.asarray(rng.normal(size=(len(writers), WIDTH)) + habits[writers] + 2 * family)


FAMILY, OTHERS = [N_LINEAGES, N_LINEAGES + 1], list(range(N_LINEAGES))


def rows_of(share: float, n: int = 200) -> Rows:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(n, WIDTH))
    values[: round(share * n), 0] += 2
    return Rows(sparse.csr_matrix(values), np.arange(n) % 2)


def test_nobody_is_scored_by_a_direction_that_knows_it() -> None:
    first = known()
    features = first.rows.features.toarray()
    changed = (first.writers == 3) & (first.halves == 0)
    features[changed] += 5
    second = known(features)
    second.__dict__["within"] = first.within  # what all rows have in common may know everybody
    one, other = (tell(k, FAMILY, OTHERS, rows_of(0.5)) for k in (first, second))
    assert one is not None
    assert other is not None
    mine = (first.writers == 3) & (first.halves == 1)
    np.testing.assert_array_equal(one.known[mine], other.known[mine])
    beside = (first.writers == 4) & (first.halves == 1)
    assert np.all(one.known[beside] != other.known[beside])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_share_is_what_was_mixed(share: float) -> None:
    crowd, rows = known(), rows_of(share)
    told = tell(crowd, FAMILY, OTHERS, rows)
    assert told is not None
    made = share_of(crowd, told, np.arange(200), rows, np.random.default_rng(2))
    assert made is not None
    assert made.low <= share <= made.high
    assert made.value == pytest.approx(share, abs=0.15)


def told_by_hand(scores: Floats, rows: Floats) -> Told:
    is_family = np.repeat(np.arange(N_LINEAGES + 2), 4 * CELL) >= N_LINEAGES
    inside = np.where(is_family, scores, np.nan)
    return Told(rows, scores, inside, is_family)


def test_writers_are_weighed_by_the_lengths_of_the_rows_in_question() -> None:
    crowd = known()
    scores = np.where(crowd.rows.classes == 1, 0.1, 7.0)
    scores[crowd.writers >= N_LINEAGES] = 1.0
    rows = Rows(sparse.csr_matrix((30, WIDTH)), np.ones(30, dtype=np.int64))
    told = told_by_hand(scores, np.full(30, 0.1))
    made = share_of(crowd, told, np.arange(30), rows, np.random.default_rng(0))
    assert made is not None
    assert list(made.others.values()) == pytest.approx([0.1] * N_LINEAGES)
    assert made.value == pytest.approx(0, abs=1e-9)


def test_a_lineage_weighs_what_another_weighs_in_rates_of_rows() -> None:
    crowd = known()
    scores = np.zeros(len(crowd.writers))
    scores[crowd.writers == 0] = 3
    told = told_by_hand(scores, np.zeros(1))
    at = reached(told, crowd, np.array([1.0, 0.0, 4.0]), np.array([0, 0, 1]), family=False)
    np.testing.assert_allclose(at, [1 / N_LINEAGES, 1, 0])


def test_rows_of_a_length_that_few_wrote_are_not_told() -> None:
    crowd = known()
    few = [w for w in OTHERS if w < 5]
    assert tell(crowd, FAMILY, few, rows_of(0.5)) is None
