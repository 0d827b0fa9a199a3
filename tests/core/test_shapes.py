"""The switch with which tests check the shapes of arrays (`tests/shapes.py`)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.core.running import REPOSITORY
from tests.shapes import SWITCH

SCRIPT = """
import sys
from tests.shapes import check_shapes
check_shapes()
import numpy as np
from harness.stats.means import mean_error
from harness.types import Mean
tried = [
    lambda: mean_error(np.zeros((4, 2))),
    lambda: mean_error(np.zeros(4)),  # no columns
    lambda: mean_error(np.zeros((4, 2), np.float32)),
    lambda: Mean(np.zeros((2, 2)), ("a", "b"), ("a", "b")),
]
for call in tried:
    try:
        call()
        print("taken")
    except Exception as error:
        print(type(error).__name__)
print("jaxtyping" in sys.modules or "beartype" in sys.modules)
"""


@pytest.mark.parametrize("switched", [True, False])
def test_shapes_are_checked_where_the_switch_is_set_and_cost_nothing_elsewhere(
    switched: bool,
) -> None:
    rest = {k: v for k, v in os.environ.items() if k != SWITCH}
    environment = {**rest, "PYTHONPATH": str(REPOSITORY), **({SWITCH: "1"} if switched else {})}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    first, no_columns, single, table, imported = done.stdout.splitlines()
    assert (first, imported) == ("taken", str(switched))
    assert ({no_columns, single, table} == {"TypeCheckError"}) == switched
