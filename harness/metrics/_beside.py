"""Numbers that stand beside a finding: with their interval, without what a comparison of two students would need."""

from __future__ import annotations

import numpy as np

from harness.stats.intervals import evaluate
from harness.types import Given, Mean, Ratio, Unavailable


def beside(statistic: Mean | Ratio) -> Given | str:
    """The statistic evaluated, or the reason why it has no value.

    A measure with many parts would otherwise carry a number per prompt for each of them.
    """
    try:
        found = evaluate(statistic, np.random.default_rng(0))  # neither kind draws from it
    except Unavailable as error:
        return str(error)
    return Given(found.value, found.low, found.high, found.n, note=found.note)
