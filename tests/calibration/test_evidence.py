"""The stored coefficients of attribution fit today's code, and are those of the table beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from harness.stats.odds import NO_TRACE, SUPPORT
from harness.text.attribution import ODDS
from tests.calibration.coefficients import Calibration
from tests.calibration.lineages import Model, truth

HERE = Path(__file__).parent
STORED = HERE / "evidence.json"


def stored() -> Calibration:
    """What the script wrote."""
    return Calibration.from_plain(json.loads(STORED.read_text()), STORED.name)


def test_the_coefficients_belong_to_the_signals_that_are_weighed() -> None:
    made = stored()
    assert made.signals == ODDS
    assert made.low < NO_TRACE * 1.5
    assert made.high >= SUPPORT
    assert min(made.coefficients.slopes) >= 0


def test_the_table_and_the_coefficients_are_of_one_run() -> None:
    made, table = stored(), (HERE / "evidence.md").read_text()
    assert f"| ELUB: largest odds | | {made.high:.1f} |" in table
    errors = made.errors
    assert (
        f"right for {errors.right} of {errors.students} students, wrong for {errors.wrong};"
        in table
    )


def test_a_strong_resemblance_is_supported_and_none_is_not() -> None:
    made = stored()
    strong, weak = np.array(made.coefficients.means) + 2 * np.array([[1.0], [-2.0]]) * np.array(
        made.coefficients.spreads
    )
    odds = made.odds(np.stack([strong, weak, strong]), np.array([20, 20, 2]))
    assert odds[0] == made.high
    assert odds[1] < 1 / SUPPORT
    assert odds[2] == 2


def test_a_second_teacher_is_neither_true_nor_false() -> None:
    one = Model(
        "m", "student", "red", frozenset({"red", "blue"}), "lab", True, False, "alpaca_eval"
    )
    assert [truth(one, family) for family in ("red", "blue", "green")] == [True, None, False]
