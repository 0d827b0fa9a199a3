"""From a statistic to an estimate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.stats.intervals import ALIKE, EXACT, Estimate, evaluate
from harness.types import Floats, Given, Mean, Ratio, RatioStratum, Smooth, Statistic, Unavailable

N = 60
IDS = tuple(f"p{i:02d}" for i in range(N))
FIVES = tuple(f"c{i // 5}" for i in range(N))


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def ratio(means: Floats) -> Floats:
    return np.asarray(means[..., 0] / means[..., 1])


def statistics() -> dict[str, Statistic]:
    draw = np.random.default_rng(0)
    x, d = draw.normal(size=N), 1 + 0.5 * draw.normal(size=N)
    first, second = RatioStratum(0.5 * d + x, d, IDS, FIVES), RatioStratum(x, d + 1, IDS, FIVES)
    other = replace(
        second, prompts=tuple(f"q{i}" for i in IDS), clusters=tuple(f"q{i}" for i in FIVES)
    )
    return {
        "mean": Mean(x, IDS, IDS),
        "clustered mean": Mean(x, IDS, FIVES),
        "share": Mean((x > 0).astype(np.float64), IDS, FIVES),
        "ratio": Ratio((first,)),
        "ratio of two tasks": Ratio((first, other)),
        "ratio of two families": Ratio((first, second)),
        "smooth": Smooth(np.column_stack([x, d]), ratio, IDS, IDS),
        "clustered smooth": Smooth(np.column_stack([x, d]), ratio, IDS, FIVES),
    }


def turned(statistic: Statistic, order: Sequence[int]) -> Statistic:
    """The same prompts in another order, tasks in another order too."""

    def names(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values[i] for i in order)

    if isinstance(statistic, Mean):
        return Mean(
            statistic.values[list(order)], names(statistic.prompts), names(statistic.clusters)
        )
    if isinstance(statistic, Smooth):
        rows = np.asfortranarray(statistic.parts[list(order)])
        return Smooth(rows, statistic.combine, names(statistic.prompts), names(statistic.clusters))
    assert isinstance(statistic, Ratio)
    rows_ = list(order)
    return Ratio(
        tuple(
            RatioStratum(
                s.numerator[rows_], s.denominator[rows_], names(s.prompts), names(s.clusters)
            )
            for s in reversed(statistic.strata)
        )
    )


@pytest.mark.parametrize("name", statistics())
def test_order_of_prompts_and_tasks_changes_no_bit(name: str) -> None:
    statistic = statistics()[name]
    order = np.random.default_rng(5).permutation(N).tolist()
    assert evaluate(turned(statistic, order), rng()) == evaluate(statistic, rng())


@pytest.mark.parametrize("name", statistics())
def test_pseudo_values_average_to_the_value(name: str) -> None:
    found = evaluate(statistics()[name], rng())
    assert np.mean(list(found.influence.values())) == pytest.approx(found.value, rel=1e-9)
    assert found.n == len(found.influence)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_mean_by_students_t() -> None:
    statistic = statistics()["mean"]
    assert isinstance(statistic, Mean)
    found = evaluate(statistic, rng())
    low, high = stats.ttest_1samp(statistic.values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert found.clusters == {}


def test_clusters_are_kept_where_they_differ_from_the_prompt() -> None:
    found = evaluate(statistics()["clustered mean"], rng())
    assert found.clusters == dict(zip(IDS, FIVES, strict=True))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_right_or_all_wrong_has_a_width_all_the_same(share: float) -> None:
    found = evaluate(Mean(np.full(30, share), IDS[:30], IDS[:30]), rng())
    expected = stats.binomtest(round(30 * share), 30).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.note == EXACT


@pytest.mark.parametrize(
    "statistic",
    [
        Mean(np.full(30, 0.25), IDS[:30], IDS[:30]),
        Smooth(np.full((30, 2), 0.25), ratio, IDS[:30], IDS[:30]),
        Ratio((RatioStratum(np.arange(30.0), np.arange(30.0), IDS[:30], IDS[:30]),)),
    ],
)
def test_what_does_not_vary_has_a_value_and_no_interval(statistic: Statistic) -> None:
    found = evaluate(statistic, rng())
    assert (found.low, found.high, found.note) == (None, None, ALIKE)


def test_gap_within_noise_is_a_reason_with_both_differences() -> None:
    gap = np.array([1.0, -1.0] * 20 + [1.0])
    student = np.array([1.0, 0.0] * 20 + [1.0])
    statistic = Ratio((RatioStratum(student, gap, IDS[:41], IDS[:41]),))
    expected = re.escape(
        "gap within noise: teacher minus base = 0.0244 [-0.295, 0.344], student minus base = 0.512 ["
    )
    with pytest.raises(Unavailable, match=expected):
        evaluate(statistic, rng())
    flat = Ratio((RatioStratum(student, np.zeros(41), IDS[:41], IDS[:41]),))
    with pytest.raises(Unavailable, match=re.escape("teacher minus base = 0 [0, 0]")):
        evaluate(flat, rng())


def test_two_tasks_weigh_one_each_whatever_their_sizes() -> None:
    small = RatioStratum(np.array([1.0, 0.9, 1.1]), np.array([1.0, 1.1, 0.9]), IDS[:3], IDS[:3])
    large = RatioStratum(np.zeros(40), np.linspace(0.9, 1.1, 40), IDS[10:50], IDS[10:50])
    found = evaluate(Ratio((small, large)), rng())
    assert found.value == pytest.approx(0.5)
    assert found.n == 43


def test_given_passes_through() -> None:
    given = Given(0.3, None, None, 7, "models", "a reason")
    assert evaluate(given, rng()) == Estimate(0.3, None, None, 7, {}, {}, "models", "a reason")


def test_too_little_is_a_reason_and_faults_of_a_measure_are_errors() -> None:
    with pytest.raises(Unavailable, match="one prompt only"):
        evaluate(Mean(np.array([1.0]), ("a",), ("a",)), rng())
    with pytest.raises(Unavailable, match="no prompts"):
        evaluate(Mean(np.array([]), (), ()), rng())
    with pytest.raises(Unavailable, match="no task"):
        evaluate(Ratio(()), rng())
    with pytest.raises(Unavailable, match="one cluster"):
        evaluate(Smooth(np.ones((3, 2)), ratio, IDS[:3], ("c", "c", "c")), rng())
    with pytest.raises(ValueError, match="not finite"):
        evaluate(Mean(np.array([1.0, np.nan]), ("a", "b"), ("a", "b")), rng())
    with pytest.raises(ValueError, match="twice"):
        evaluate(Mean(np.array([1.0, 2.0]), ("a", "a"), ("a", "a")), rng())
    with pytest.raises(ValueError, match="1 values for 2"):
        evaluate(Mean(np.array([1.0]), ("a", "b"), ("a", "b")), rng())


def test_the_surplus_of_pseudo_values_narrows_a_ratio() -> None:
    """A quarter of both variances was counted twice: the interval is near three quarters' root as wide."""
    rng = np.random.default_rng(0)
    bottom = rng.normal(5, 1, 200)
    top = 0.5 * bottom + rng.normal(0, 1, 200)
    ids = tuple(f"{i:03d}" for i in range(200))
    extra = np.cov(np.stack([top, bottom])) / 200 / 4
    whole = evaluate(Ratio((RatioStratum(top, bottom, ids, ids),)), rng)
    less = evaluate(Ratio((RatioStratum(top, bottom, ids, ids, extra),)), rng)
    too_much = evaluate(Ratio((RatioStratum(top, bottom, ids, ids, 8 * extra),)), rng)
    assert less.value == whole.value
    assert whole.low is not None
    assert whole.high is not None
    assert less.low is not None
    assert less.high is not None
    assert (less.high - less.low) / (whole.high - whole.low) == pytest.approx(0.75**0.5, rel=0.01)
    # what would leave no covariance is not taken off
    assert (too_much.low, too_much.high) == (whole.low, whole.high)
