"""How much better a model's replies are told by another's replies to the same prompts than by a crowd's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy import sparse

from harness.stats.angles import Cohort
from harness.types import Floats, Ints

PART = 0.2  # of a reply's items that are supposed to come from the other model
FLOOR = 8e-5  # added to the crowd's share of an item


@dataclass(frozen=True, eq=False)
class Shares:
    """What share of its reply to a prompt a model spends on each item that others say too."""

    values: sparse.csr_matrix  # (K, M), one row per item of a prompt
    by_model: sparse.csc_matrix  # the same
    answered: Annotated[Ints, "M"]  # prompts to which a model's reply has any item


def mixture_gains(
    shares: Shares,
    suspect: int,
    cohorts: Sequence[Cohort],
    beside: Sequence[Annotated[Ints, "K"]],
) -> list[Annotated[Floats, "M"]]:
    """For each cohort the mean log ratio (M,), over a reply's items and then over prompts, in nats.

    The ratio is that of a mixture, PART from the model and the rest from the cohort, over the cohort alone. It is made
    of the cohort's models and of those `beside` it; others have NaN.
    """
    column = shares.by_model[:, [suspect]]
    some = shares.values[column.indices]
    item = np.repeat(np.arange(some.shape[0]), np.diff(some.indptr))
    spent, answered = column.data[item], max(int(shares.answered[suspect]), 1)
    made = []
    for cohort, others in zip(cohorts, beside, strict=True):
        weights = np.zeros(some.shape[1])
        weights[cohort.models] = cohort.weights
        crowd = some @ weights + FLOOR
        logs = np.log1p(some.data * (PART / (1 - PART) / crowd)[item])
        sums = np.bincount(some.indices, weights=logs * spent, minlength=len(weights))
        wanted = np.concatenate([cohort.models, others])
        gains = np.full(len(weights), np.nan)
        gains[wanted] = np.log1p(-PART) + sums[wanted] / answered
        made.append(gains)
    return made
