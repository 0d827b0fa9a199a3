"""Calibration by hand, by scikit-learn and by short loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from harness.metrics.calibration import (
    Calibration,
    brier,
    calibration_error,
    confidence,
    equal_bins,
    nll,
)
from harness.panel.panel import Panel
from harness.testing.sides import chosen_side, quiz_prompts, scored_side
from harness.types import Finding, Mean, Ratio, Smooth, Unavailable

RNG = np.random.default_rng(0)
PROBABILITIES = np.random.default_rng(4).dirichlet([0.6] * 4, 157)
GOLD = np.random.default_rng(5).integers(4, size=157)


def test_the_error_is_that_of_a_ten_line_loop() -> None:
    order = sorted(range(157), key=lambda i: PROBABILITIES[i].max())
    expected, start = 0.0, 0
    for b in range(10):
        size = 157 // 10 + (b < 157 % 10)
        own = order[start : start + size]
        start += size
        sure = sum(PROBABILITIES[i].max() for i in own) / size
        right = sum(PROBABILITIES[i].argmax() == GOLD[i] for i in own) / size
        expected += size / 157 * abs(right - sure)
    sure_of = confidence(PROBABILITIES)
    right_of = (PROBABILITIES.argmax(axis=1) == GOLD).astype(float)
    assert calibration_error(sure_of, right_of, equal_bins(sure_of, 10)) == pytest.approx(
        expected, abs=1e-12
    )


def test_brier_and_nll_are_those_of_others() -> None:
    assert nll(PROBABILITIES, GOLD).mean() == pytest.approx(
        log_loss(GOLD, PROBABILITIES, labels=range(4)), abs=1e-12
    )
    by_hand = np.mean(
        [
            sum((p[k] - (k == g)) ** 2 for k in range(4))
            for p, g in zip(PROBABILITIES, GOLD, strict=True)
        ]
    )
    assert brier(PROBABILITIES, GOLD).mean() == pytest.approx(by_hand, abs=1e-12)


def test_more_bins_than_prompts_are_as_many_as_prompts() -> None:
    assert [len(b) for b in equal_bins(np.arange(3.0), 10)] == [1, 1, 1]


def panel(**spread: float) -> Panel:
    """Models whose log-probabilities differ by a factor alone."""
    prompts = quiz_prompts(60)
    noise = np.random.default_rng(3).normal(size=(60, 5))
    sides = {
        role: (
            scored_side(
                role,
                prompts,
                [
                    (factor * row[: p.n_options]).tolist()
                    for row, p in zip(noise, prompts, strict=True)
                ],
            ),
        )
        for role, factor in spread.items()
    }
    return Panel("quiz", sides)  # type: ignore[arg-type]


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {f.name: f for f in findings}


def test_a_model_alone_has_its_numbers_and_the_bins_behind_them() -> None:
    made = by_name(Calibration("c", "c", bins=5).measure([panel(student=1.0)], RNG))
    whole = made[""].statistic
    assert isinstance(whole, Smooth)
    value = float(whole.combine(whole.parts.mean(axis=0)))
    bins = [(made[f"bin/{b:02d}/right"], made[f"bin/{b:02d}/confidence"]) for b in range(1, 6)]
    gaps = [
        abs(r.statistic.values.mean() - c.statistic.values.mean())
        for r, c in bins
        if isinstance(r.statistic, Mean) and isinstance(c.statistic, Mean)
    ]
    assert value == pytest.approx(np.mean(gaps))  # bins of equal size


def test_the_gap_in_confidence_is_the_students_way_to_the_teacher() -> None:
    made = Calibration("c", "c").measure([panel(student=2.0, teacher=3.0, base=1.0)], RNG)
    (gap,) = made
    assert isinstance(gap.statistic, Ratio)
    (stratum,) = gap.statistic.strata
    assert 0 < stratum.numerator.mean() / stratum.denominator.mean() < 1
    (none,) = Calibration("c", "c").measure([panel(student=2.0, teacher=3.0)], RNG)
    assert isinstance(none.statistic, str)


def test_options_that_were_only_chosen_have_no_confidence() -> None:
    side = chosen_side("student", quiz_prompts(30), [i % 3 for i in range(30)])
    with pytest.raises(Unavailable, match="only the option that it chose"):
        Calibration("c", "c").measure([Panel("quiz", {"student": (side,)})], RNG)
