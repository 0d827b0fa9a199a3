"""Strangers beside one model: each pair of a lineage of its own has what a fit without it says."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.means import t_quantile
from harness.stats.round_robin import pair_excess, strangers_excess

RNG = np.random.default_rng(4)


def test_every_stranger_has_the_excess_of_a_fit_without_its_pair() -> None:
    values = RNG.normal(size=(8, 8))
    values += values.T
    accuracies, lineages = RNG.uniform(size=8), ["s", "t", "a", "b", "c", "d", "e", "f"]
    made = strangers_excess(values, accuracies, lineages)
    without = values.copy()
    without[0, 1] = without[1, 0] = np.nan
    for i in range(2, 8):
        order = [i, 1, 0, *(k for k in range(2, 8) if k != i)]
        one = pair_excess(
            without[np.ix_(order, order)], accuracies[order], [lineages[k] for k in order]
        )
        expected = one.value / (one.high - one.value) * t_quantile(0.975, one.df)
        assert made[i] == pytest.approx(expected, rel=1e-9)


def test_a_pair_without_value_has_none() -> None:
    values = RNG.normal(size=(7, 7))
    values += values.T
    values[1, 3] = values[3, 1] = np.nan
    made = strangers_excess(values, RNG.uniform(size=7), list("abcdefg"))
    assert np.isnan(made[[0, 1, 3]]).all()
    assert np.isfinite(made[[2, 4, 5, 6]]).all()
