"""Costs and bounds of likelihood ratios, by hand and against the package lir."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.cllr import Truth, cllr, cllr_min, cross_entropy, elub, pav, tippett
from harness.types import Floats

# What lir 1.3.1 (github.com/NetherlandsForensicInstitute/lir) gives for made_up(seed): cllr, cllr_min, log10 of ELUB.
LIR: dict[int, tuple[float, float, float, float]] = {
    0: (0.4514620863656159, 0.3442327899004772, -0.8, 1.39),
    1: (0.26752801282219674, 0.1703075154423941, -0.9800000000000001, 1.36),
    2: (0.9682444785661932, 0.3361358443231348, -0.6900000000000002, 1.0399999999999998),
    3: (1.8304510952206716, 0.49831058093645997, -0.55, 0.7899999999999998),
}


def made_up(seed: int) -> tuple[Floats, Truth]:
    """Ratios of 12 true and 90 false pairs; rounded, so that some are equal."""
    rng = np.random.default_rng(seed)
    logs = np.concatenate([rng.normal(1.0, 1.0, 12), rng.normal(-1.0, 1.0, 90)]).round(1)
    return 10.0 ** (logs * (1 + seed)), np.arange(102) < 12


def test_cost_by_hand() -> None:
    odds, truth = np.array([3.0, 1.0, 1 / 3, 1.0]), np.array([True, True, False, False])
    assert cllr(odds, truth) == pytest.approx((np.log2(4 / 3) + 1) / 2)
    assert cllr(np.ones(4), truth) == 1.0


def test_a_ratio_that_is_wrong_costs_more_than_silence() -> None:
    truth = np.array([True, False])
    assert cllr(np.array([0.1, 10.0]), truth) > 1 > cllr(np.array([10.0, 0.1]), truth)


def test_ideal_ratios_of_classes_that_are_apart_cost_nothing() -> None:
    odds, truth = np.array([2.0, 1.5, 1.2]), np.array([True, True, False])
    assert cllr_min(odds, truth) == 0
    assert pav(odds, truth).tolist() == [np.inf, np.inf, 0.0]


def test_pav_by_hand() -> None:
    """Weights 2/4 of each class: [F, T, F, T] by rising odds pools the middle two to a share of 1/2."""
    odds, truth = np.array([0.1, 0.5, 1.0, 2.0]), np.array([False, True, False, True])
    assert pav(odds, truth).tolist() == [0.0, 1.0, 1.0, np.inf]
    assert pav(np.full(4, 7.0), truth) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", sorted(LIR))
def test_agrees_with_lir(seed: int) -> None:
    odds, truth = made_up(seed)
    cost, least, low, high = LIR[seed]
    assert cllr(odds, truth) == cost
    assert cllr_min(odds, truth) == pytest.approx(least, abs=1e-9)
    assert np.log10(elub(odds, truth)) == pytest.approx([low, high], abs=1e-12)


def test_agrees_with_lir_where_it_is_installed() -> None:
    why = "lir is not installed: the numbers above are from it"
    bounds = pytest.importorskip("lir.algorithms.bayeserror", reason=why)
    metrics, models = (pytest.importorskip(f"lir.{part}") for part in ("metrics", "data.models"))
    for seed in range(20):
        odds, truth = made_up(seed % 5)
        odds = odds * (1 + seed)
        data = models.LLRData(features=np.log10(odds), labels=truth.astype(int))
        assert cllr(odds, truth) == pytest.approx(metrics.cllr(data), abs=1e-15)
        assert cllr_min(odds, truth) == pytest.approx(metrics.cllr_min(data), abs=1e-9)
        theirs = bounds.elub(np.log10(odds), truth.astype(int))
        assert np.log10(elub(odds, truth)) == pytest.approx(theirs, abs=1e-12)


def test_bounds_shrink_with_the_data() -> None:
    """With n pairs of a class no ratio beyond about n + 1 is supported, however sure the system is."""
    sure = [np.concatenate([np.full(n, 1e6), np.full(n, 1e-6)]) for n in (5, 50)]
    few, many = (elub(odds, np.arange(len(odds)) < len(odds) // 2) for odds in sure)
    assert 1 < few.high < 7
    assert few.high < many.high < 52
    assert few.low == pytest.approx(1 / few.high, rel=0.03)


def test_ratios_that_mislead_have_no_bound_but_one() -> None:
    odds, truth = np.array([0.1] * 9 + [10.0] * 9), np.arange(18) < 9
    assert elub(odds, truth) == (1.0, 1.0)


def test_tippett_by_hand() -> None:
    odds, truth = np.array([10.0, 1.0, 1.0, 0.1]), np.array([True, True, False, False])
    made = tippett(odds, truth)
    assert made.log10_odds.tolist() == [-1.0, 0.0, 1.0]
    assert made.of_true.tolist() == [1.0, 1.0, 0.5]
    assert made.of_false.tolist() == [1.0, 0.5, 0.0]


def test_cross_entropy_at_even_odds_is_the_cost() -> None:
    odds, truth = made_up(0)
    made = cross_entropy(odds, truth, np.array([-2.0, 0.0, 2.0]))
    assert made.of_odds[1] == pytest.approx(cllr(odds, truth))
    assert made.of_calibrated[1] == pytest.approx(cllr_min(odds, truth))
    assert made.of_nothing[1] == 1.0
    entropy = -(np.log2(1 / 101) / 101 + np.log2(100 / 101) * 100 / 101)
    assert made.of_nothing[[0, 2]] == pytest.approx([entropy, entropy])
    assert (made.of_calibrated <= made.of_odds + 1e-12).all()


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="true and false"):
        cllr(np.ones(3), np.ones(3, dtype=bool))
