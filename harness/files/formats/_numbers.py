"""Log-probabilities as files spell them."""

from __future__ import annotations

import math
from typing import Any

from harness.files.cells import beginning
from harness.types import DistillbenchError


def nats_of(value: Any, place: str) -> float:
    """A log-probability in nats, at most 0 by meaning; -inf in any spelling: a token that has no probability.

    Raises DistillbenchError for NaN, +inf and everything that is not a number.
    """
    try:
        nats = float(value)
    except (TypeError, ValueError):
        nats = math.nan
    if math.isnan(nats) or nats == math.inf:
        raise DistillbenchError(
            f"{place}: expected a log-probability in nats, got {beginning(str(value))}"
        )
    return nats
