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
    if not cohorts:
        return []
    column = shares.by_model[:, [suspect]]
    some = shares.values[column.indices].tocsc()
    every = np.unique(np.concatenate([c.models for c in cohorts]))
    crowd, answered = some[:, every], max(int(shares.answered[suspect]), 1)
    made = []
    for cohort, others in zip(cohorts, beside, strict=True):
        inside = np.searchsorted(every, cohort.models)
        weights = np.zeros(len(every))
        weights[inside] = cohort.weights
        odds = PART / (1 - PART) / (crowd @ weights + FLOOR)
        gains = np.full(some.shape[1], np.nan)
        gains[cohort.models] = _log_ratios(crowd, odds, column.data)[inside]
        gains[others] = _log_ratios(some[:, others], odds, column.data)
        made.append(np.log1p(-PART) + gains / answered)
    return made


def _log_ratios(
    shares: sparse.csc_matrix, odds: Annotated[Floats, "K"], spent: Annotated[Floats, "K"]
) -> Annotated[Floats, "M"]:
    """For each model the sum over items of log(1 + share x odds), times what the suspect spent on the item."""
    logs = np.take(odds, shares.indices)
    logs *= shares.data
    np.log1p(logs, out=logs)
    return np.asarray(
        sparse.csc_matrix((logs, shares.indices, shares.indptr), shares.shape).T @ spent
    )
