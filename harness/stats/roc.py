"""How well a number tells two classes apart."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.types import Floats


def auroc(score: Annotated[Floats, "n"], truth: Annotated[NDArray[np.bool_], "n"]) -> float:
    """Chance that a true one scores above a false one, ties counting half; both must occur."""
    false = np.sort(score[~truth])
    below = np.searchsorted(false, score[truth], "left") + np.searchsorted(
        false, score[truth], "right"
    )
    return float(below.mean() / (2 * len(false)))
