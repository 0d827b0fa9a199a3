"""What the shipped calibration says at both ends, and which pairs of the tables are neither true nor false."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from harness.board.plain import from_plain
from harness.panel.calibration import Calibration
from harness.stats.odds import SUPPORT, bounded
from tests.calibration.lineages import Model, truth

SHIPPED = Path(__file__).parents[2] / "conf" / "calibration" / "alpaca_eval.json"


def test_a_strong_resemblance_is_supported_and_none_is_not() -> None:
    fit = from_plain(Calibration, json.loads(SHIPPED.read_text())).fit
    means, spreads = (np.array(x) for x in (fit.coefficients.means, fit.coefficients.spreads))
    strong, weak = means + 2 * spreads, means - 2 * spreads
    raw = fit.coefficients.odds(np.stack([strong, weak, strong]))
    odds = bounded(raw, np.array([20, 20, 2]), fit.bounds)
    assert odds[0] == fit.high >= SUPPORT
    assert odds[1] < 1 / SUPPORT
    assert odds[2] == 2


def test_a_second_teacher_is_neither_true_nor_false() -> None:
    one = Model(
        "m", "student", "red", frozenset({"red", "blue"}), "lab", True, False, "alpaca_eval"
    )
    assert [truth(one, family) for family in ("red", "blue", "green")] == [True, None, False]
