"""Corrections for several p-values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.multiple import benjamini_hochberg, holm, holm_levels


def test_holm_by_hand() -> None:
    """Sorted .01 .02 .03 .04 times 4 3 2 1, never falling: .04 .06 .06 .06."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_benjamini_hochberg_by_hand_and_by_scipy() -> None:
    """Sorted .01 .02 .03 .4 times 4/1 4/2 4/3 4/4, never rising from behind: .04 .04 .04 .4."""
    assert benjamini_hochberg([0.03, 0.01, 0.4, 0.02]) == pytest.approx([0.04, 0.04, 0.4, 0.04])
    p = np.random.default_rng(0).uniform(size=30) ** 2
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), rel=1e-12)


def test_one_p_value_stays_and_none_is_above_one() -> None:
    assert holm([0.2]).tolist() == benjamini_hochberg([0.2]).tolist() == [0.2]
    assert holm([0.9, 0.8]).max() == 1.0
    assert holm([]).tolist() == []


def test_what_is_no_p_value_is_refused() -> None:
    for wrong in (float("nan"), -0.1, 1.1):
        with pytest.raises(ValueError, match="p-values"):
            holm([0.1, wrong])


def test_levels_of_holm_by_hand() -> None:
    """Of four: where the others are .001, .2, .3 one of them is claimed, .05 / 3 is left; .05 / 4 for the first."""
    assert holm_levels([0.001, 0.04, 0.2, 0.3]) == pytest.approx(
        [0.05 / 4, 0.05 / 3, 0.05 / 3, 0.05 / 3]
    )
    assert holm_levels([0.4]) == pytest.approx([0.05])


@pytest.mark.parametrize("seed", range(20))
def test_a_p_value_below_its_level_is_one_that_holm_claims(seed: int) -> None:
    p = np.random.default_rng(seed).uniform(size=12) ** 4
    assert ((p < holm_levels(p)) == (holm(p) < 0.05)).all()


def test_levels_are_those_of_holm_without_each() -> None:
    rng = np.random.default_rng(1)
    for trial in range(300):
        p = rng.random(rng.integers(1, 25)) ** rng.integers(1, 8)
        p = np.round(p, 2) if trial % 3 == 0 else p
        expected = []
        for i in range(len(p)):
            claimed = 0
            for k, other in enumerate(sorted(np.delete(p, i))):
                if other >= 0.05 / (len(p) - k):
                    break
                claimed += 1
            expected.append(0.05 / (len(p) - claimed))
        assert holm_levels(p).tolist() == pytest.approx(expected)
    assert holm_levels([]).tolist() == []
