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
    """What share of its reply to a prompt a model spends on each item that occurs in replies to it."""

    values: sparse.csr_matrix  # (K, M), one row per item of a prompt
    by_model: sparse.csc_matrix  # the same
    prompts: Annotated[Ints, "K"]  # of the items


def mixture_gains(
    shares: Shares, suspect: int, cohorts: Sequence[Cohort]
) -> list[Annotated[Floats, "M"]]:
    """For each cohort the mean log ratio (M,), over a reply's items and then over prompts, for every model in nats.

    The ratio is that of a mixture, PART from the model and the rest from the cohort, over the cohort alone.
    """
    column = shares.by_model[:, [suspect]]
    column.sort_indices()
    some = shares.values[column.indices]
    places = np.repeat(np.arange(len(column.indices)), np.diff(some.indptr))
    own = column.data[places]
    answered = max(len(np.unique(shares.prompts[column.indices])), 1)
    made = []
    for cohort in cohorts:
        weights = np.zeros(shares.values.shape[1])
        weights[cohort.models] = cohort.weights
        crowd = some @ weights + FLOOR
        gains = own * np.log1p(PART / (1 - PART) * some.data / crowd[places])
        totals = np.bincount(some.indices, weights=gains, minlength=len(weights))
        made.append(np.log1p(-PART) + totals / answered)
    return made
