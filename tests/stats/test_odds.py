"""Odds from known pairs: weights by hand, coefficients against scikit-learn, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.stats.cllr import Bounds, cllr
from harness.stats.odds import (
    NO_TRACE,
    Coefficients,
    Known,
    Weighed,
    bounded,
    decide,
    decide_all,
    fit_odds,
    odds_left_out,
    pair_weights,
    quality,
)
from harness.types import Floats
from tests.calibration.coefficients import count_errors, worthless


def pair(
    suspect: str, family: str, truth: bool | None, signal: float = 0.0, lineage: str = ""
) -> Known:
    """A known pair with one signal."""
    return Known(suspect, family, lineage or suspect, (signal,), truth, 30, 300, bool(truth))


def crowd(seed: int = 0, gap: float = 2.5) -> list[Known]:
    """Eight students of two families and eight innocents, two models a lineage."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(16):
        for family in ("red", "blue"):
            truth = k < 8 and family == ("red", "blue")[k // 4]
            signal = float(rng.normal(gap * truth))
            made.append(pair(f"m{k:02}", family, truth, signal, f"lab{k // 2}"))
    return made


def test_weights_by_hand() -> None:
    """A family's false pairs weigh what its true ones weigh; a family that nobody learned from weighs nothing."""
    known = [
        pair("a", "red", True, lineage="one"),
        pair("b", "red", True, lineage="one"),
        pair("c", "red", True),
        pair("d", "red", False),
        pair("e", "red", False, lineage="two"),
        pair("f", "red", False, lineage="two"),
        pair("a", "blue", False, lineage="one"),
    ]
    true, alone, shared = 7 / 4 * np.array([1 / 2, 1, 1 / 2])
    weights = pair_weights(known)
    assert weights[:3] == pytest.approx([7 / 8, 7 / 8, 7 / 4])
    assert weights[3:6] == pytest.approx([7 / 4, 7 / 8, 7 / 8])
    assert weights[6] == 0
    assert (true, alone, shared) == (7 / 8, 7 / 4, 7 / 8)


def test_coefficients_agree_with_scikit_learn() -> None:
    """LogisticRegression of scikit-learn 1.9, C = 1: the ridge is half the squared slopes."""
    from sklearn.linear_model import LogisticRegression

    known, weights = crowd(), pair_weights(crowd())
    made = fit_odds(known)
    x = np.array([k.signals for k in known])
    mean = np.average(x, axis=0, weights=weights)
    spread = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
    theirs = LogisticRegression(C=1.0, tol=1e-12, max_iter=10_000)
    theirs.fit((x - mean) / spread, [k.truth for k in known], sample_weight=weights)
    assert made.means == pytest.approx(mean)
    assert made.spreads == pytest.approx(spread)
    assert made.slopes == pytest.approx(theirs.coef_[0], rel=1e-5)
    assert made.intercept == pytest.approx(theirs.intercept_[0], rel=1e-5)


def test_more_resemblance_never_lowers_the_odds() -> None:
    """A second signal that students have less of gets no say: the fit is that without it."""
    known = crowd()
    two = [
        replace(k, signals=(*k.signals, -5.0 * bool(k.truth) + i % 3)) for i, k in enumerate(known)
    ]
    made, alone = fit_odds(two), fit_odds(known)
    assert made.slopes == pytest.approx([alone.slopes[0], 0.0])
    assert made.intercept == pytest.approx(alone.intercept)


def test_of_three_signals_the_best_without_a_negative_slope_counts() -> None:
    """Against scipy's bounded minimum of the same loss."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    known = [
        replace(
            k, signals=(*k.signals, *rng.normal([0.5 * bool(k.truth), -2.0 * bool(k.truth)], 1))
        )
        for k in crowd(gap=1)
    ]
    made, weights = fit_odds(known), pair_weights(known)
    x = (np.array([k.signals for k in known]) - made.means) / np.array(made.spreads)
    sign = np.where([bool(k.truth) for k in known], 1, -1)

    def loss(b: Floats) -> float:
        return float(weights @ np.logaddexp(0, -sign * (b[0] + x @ b[1:])) + 0.5 * b[1:] @ b[1:])

    bounds = [(None, None), *[(0, None)] * 3]
    theirs = minimize(loss, np.zeros(4), bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-10})
    assert [made.intercept, *made.slopes] == pytest.approx(theirs.x, abs=1e-4)
    assert 0 in made.slopes


def test_odds_have_a_floor_and_none_of_the_floors_weight_is_lost() -> None:
    made = Coefficients(0.0, (1.0,), (0.5,), (2.0,))
    odds = made.odds(np.array([[0.5], [0.5 + 2 * np.log(3)], [-1e3]]))
    assert odds == pytest.approx([1.0, NO_TRACE + 0.9 * 3, NO_TRACE])


def test_bounds_are_the_lineages_alike_and_what_the_data_support() -> None:
    odds, many = np.array([0.01, 4.0, 100.0]), np.array([28, 28, 28])
    assert bounded(odds, many).tolist() == [0.01, 4.0, 28.0]
    assert bounded(odds, many, Bounds(0.1, 8.0)).tolist() == [0.1, 4.0, 8.0]
    assert bounded(odds, np.array([0, 3, 6]), Bounds(0.1, 8.0)).tolist() == [0.1, 3.0, 6.0]
    assert bounded(np.array([9.0]), np.array([0])).tolist() == [1.0]


def test_a_pair_that_is_neither_changes_no_odds() -> None:
    known = crowd()
    more = [*known, pair("m00", "green", None, 9.0, "lab0")]
    assert fit_odds(more) == fit_odds(known)
    assert odds_left_out(more)[:-1].tolist() == odds_left_out(known).tolist()


def test_the_suspects_lineage_is_left_out() -> None:
    """What one lineage's own pairs are changes nothing of its odds."""
    known = crowd()
    lied = [replace(k, truth=not k.truth) if k.lineage == "lab5" else k for k in known]
    own = np.array([k.lineage == "lab5" for k in known])
    assert odds_left_out(lied)[own].tolist() == odds_left_out(known)[own].tolist()
    assert odds_left_out(lied)[~own].tolist() != odds_left_out(known)[~own].tolist()


def test_quality_within_families_is_weighted_by_true_pairs() -> None:
    known = [pair("a", "red", True), pair("b", "red", False), pair("c", "red", None)]
    known += [pair(x, "blue", x < "c") for x in "abd"] + [pair("a", "green", False)]
    odds = np.array([4.0, 1.0, 99.0, 2.0, 8.0, 0.5, 0.25])
    made = quality(known, odds)
    red, blue = (
        cllr(odds[:2], np.array([True, False])),
        cllr(odds[3:6], np.array([True, True, False])),
    )
    assert made.within == {"blue": pytest.approx(blue), "red": pytest.approx(red)}
    assert made.cost_within == pytest.approx((red + 2 * blue) / 3)
    sure = [0, 1, 3, 4, 5]
    assert made.cost == cllr(odds[sure], np.array([True, False, True, True, False]))


@pytest.mark.parametrize(
    ("odds", "named", "prompts", "verdict"),
    [
        (5.0, True, 100, "supports"),
        (4.9, True, 100, "cannot tell"),
        (9.0, False, 100, "cannot tell"),
        (9.0, True, 99, "cannot tell"),
        (0.2, False, 99, "does not support"),
        (0.2, True, 100, "does not support"),
        (0.21, False, 100, "cannot tell"),
    ],
)
def test_what_is_said(odds: float, named: bool, prompts: int, verdict: str) -> None:
    made = decide(odds, named=named, alike=9, prompts=prompts)
    assert made.verdict == verdict
    assert bool(made.reason) == (verdict == "cannot tell")


@pytest.mark.parametrize(
    ("odds", "named", "verdicts"),
    [
        ((9.0, 6.0, 1.0), 0, ("supports", "supports", "cannot tell")),
        ((9.0, 4.9, 0.1), 0, ("supports", "cannot tell", "does not support")),
        ((4.9, 9.0, 9.0), 0, ("cannot tell", "cannot tell", "cannot tell")),
        ((9.0, 6.0), None, ("cannot tell", "cannot tell")),
    ],
)
def test_two_teachers_are_supported_where_the_named_one_is(
    odds: tuple[float, ...], named: int | None, verdicts: tuple[str, ...]
) -> None:
    made = decide_all([Weighed(o, i == named, 9, 100) for i, o in enumerate(odds)])
    assert tuple(r.verdict for r in made) == verdicts


def test_that_nobody_else_replies_so_briefly_is_said() -> None:
    made = decide(2.0, named=True, alike=2, prompts=100)
    assert made.reason == (
        "only 2 innocent lineages reply at about this length, so the odds cannot exceed 2"
    )
    assert "cannot exceed 1" in decide(1.0, named=True, alike=0, prompts=100).reason


def test_a_family_whose_odds_cost_too_much_or_has_no_student_says_nothing() -> None:
    costs = {"red": 0.8, "blue": 0.81}
    assert worthless("red", costs) == ""
    assert "0.81" in worthless("blue", costs)
    assert "no known student of green" in worthless("green", costs)


def test_errors_are_counted_by_hand() -> None:
    known = [
        pair("a", "red", True),
        replace(pair("b", "red", True), named=False),
        replace(pair("b", "blue", False), named=True),
        replace(pair("c", "red", False, lineage="two"), named=True),
        replace(pair("d", "red", False, lineage="two"), named=True),
        replace(pair("e", "red", False), named=True),
        replace(pair("f", "red", None), named=True),
        replace(pair("g", "green", False), named=True),
    ]
    odds = np.array([5.0, 9.0, 6.0, 5.0, 7.0, 4.9, 9.0, 9.0])
    made = count_errors(known, odds, {"red": 0.5, "blue": 0.8, "green": 0.9})
    assert (made.students, made.right, made.wrong) == (2, 2, 1)
    assert (made.innocents, made.accused) == (3, 1)


def test_pairs_of_one_class_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="true and false"):
        fit_odds([pair("a", "red", False), pair("b", "red", False)])


@pytest.mark.parametrize("seed", range(60))
def test_few_lineages_give_odds_or_say_nothing(seed: int) -> None:
    """Whoever is documented: a handful of lineages, families without students, students of one lineage alone."""
    rng = np.random.default_rng(seed)
    known = [
        pair(f"m{k}", family, bool(rng.random() < 0.3), float(rng.normal()), f"lab{k // 2}")
        for k in range(int(rng.integers(2, 8)))
        for family in ("red", "blue", "green")[: int(rng.integers(1, 4))]
    ]
    taught = {k.family for k in known if k.truth}
    some = [k for k in known if k.family in taught]
    if len({k.truth for k in some}) < 2:
        return
    made = odds_left_out(some)
    assert np.isfinite(made).all()
    assert (made >= NO_TRACE).all()


def test_without_the_only_taught_lineage_the_odds_are_even() -> None:
    known = [
        pair("a", "red", True, 2.0, "one"),
        pair("b", "red", True, 2.5, "one"),
        pair("c", "red", False, 0.1),
        pair("d", "red", False, 0.2),
    ]
    made = odds_left_out(known)
    assert made[:2].tolist() == [1.0, 1.0]
    assert (made[2:] < 1).all()


def test_fits_that_are_shared_change_no_odds() -> None:
    """Two suspects in turn, each with its lineage left out; a third family is taught by one lineage alone."""
    known = [
        *crowd(),
        *(pair(f"m{k:02}", "green", k == 0, k / 9, f"lab{k // 2}") for k in range(16)),
    ]
    fits: dict[Any, Coefficients] = {}
    made = 0
    for lineage in ("", *sorted({k.lineage for k in known})):
        pairs = [k for k in known if k.lineage != lineage]
        taught = {k.family for k in pairs if k.truth}
        pairs = [k for k in pairs if k.family in taught]
        shared = odds_left_out(pairs, fits)
        assert shared.tobytes() == odds_left_out(pairs).tobytes()
        made += len({k.lineage for k in pairs})
    assert len(fits) < 0.7 * made, "most are fitted once for two suspects"
