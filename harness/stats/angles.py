"""Angles between models in a space of habits, seen from the middle of a cohort of others.

A model is the mean of its replies' vectors; products of two models are taken over different prompts only, so that
neither shared content nor a reply's own noise counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from harness.types import Floats, Ints

LEAST_SHARE = (
    1 / 4
)  # of the cohort's median squared distance from its middle, below which no model is
# Vectors are whole multiples of this, so that sums are exact, whatever their order and whoever else is there.
_GRAIN = 1 / 256


class Cohort(NamedTuple):
    """The models that a pair is seen against; a lineage weighs what another weighs."""

    models: Annotated[Ints, "C"]  # places, ascending
    weights: Annotated[Floats, "C"]  # their sum is 1
    lineages: int


class Resemblance(NamedTuple):
    """How a suspect resembles candidates, and each model of its cohort as if that were one."""

    candidates: Annotated[Floats, "T"]
    cohort: Annotated[Floats, "C"]


def gram(
    rows: sparse.csr_matrix, there: Annotated[NDArray[np.bool_], "P M"], background: Cohort
) -> Annotated[Floats, "M M"]:
    """Mean products (M, M) of models' vectors over pairs of different prompts.

    rows (P M, F): what is counted of a reply, at least 0; each column is divided by the root of its mean over the
    background, and the background's mean reply to the prompt is taken off. Replies that are not `there` are left out.
    """
    models = there.shape[1]
    totals, same = np.zeros((rows.shape[1], models)), np.zeros((models, models))
    for columns, one in _vectors(rows, there, background, range(len(there))):
        totals[columns] += one
        same += one.T @ one
    counts = there.astype(np.float64)
    n = counts.sum(axis=0)
    pairs = np.outer(n, n) - counts.T @ counts
    sums = np.ascontiguousarray(totals.T)
    return np.asarray((sums @ sums.T - same) * _GRAIN**2 / np.maximum(pairs, 1))


def half_cosines(
    rows: sparse.csr_matrix,
    there: Annotated[NDArray[np.bool_], "P M"],
    background: Cohort,
    order: Annotated[Ints, "P"],
    size: int,
) -> Annotated[Floats, "T M M"]:
    """Cosines (T, M, M) of models in T rounds of `size` prompts each, in the order given.

    In a round a model's first half stands beside the others' second half, and the other way round, so that no prompt
    is compared with itself; 0 for who said nothing in a half. rows, there, background: as of `gram`.
    """
    n = len(order) // size
    halves = np.zeros((n, 2, there.shape[1], rows.shape[1]))
    for place, (columns, one) in enumerate(_vectors(rows, there, background, order[: n * size])):
        halves[place // size, place % size * 2 // size, :, columns] += one
    # of whole grains, so that sums and with them ties are exact
    lengths = np.sqrt((halves**2).sum(axis=3))
    across = halves[:, 0] @ halves[:, 1].transpose(0, 2, 1)
    both = lengths[:, 0, :, None] * lengths[:, 1, None]
    cosines = np.divide(across, both, out=np.zeros_like(across), where=both > 0)
    return np.asarray((cosines + cosines.transpose(0, 2, 1)) / 2)


def resemblance(
    products: Annotated[Floats, "M M"],
    suspect: int,
    cohort: Cohort,
    candidates: Annotated[Ints, "T"],
) -> Resemblance:
    """Cosines of a suspect with candidates (T,) and with the cohort's models (C,), about the cohort's middle.

    NaN where the cohort's models differ by no more than their own noise: then there are no directions.
    """
    others = np.concatenate([cohort.models, candidates])
    size = len(cohort.models)
    to_middle = _to_cohort(products, others, cohort)
    own_to_middle = _to_cohort(products, np.array([suspect]), cohort)[0]
    of_middle = float(cohort.weights @ to_middle[:size])
    squares = products[others, others] - 2 * to_middle + of_middle
    own = products[suspect, suspect] - 2 * own_to_middle + of_middle
    least = LEAST_SHARE * float(np.median(squares[:size]))
    across = products[suspect, others] - own_to_middle - to_middle + of_middle
    if least <= 0:
        return Resemblance(np.full(len(candidates), np.nan), np.full(size, np.nan))
    cosines = across / np.sqrt(max(own, least) * np.maximum(squares, least))
    return Resemblance(cosines[size:], cosines[:size])


def t_norm(made: Resemblance, cohort: Cohort) -> Annotated[Floats, "T"]:
    """Candidates' values (T,) in standard deviations above what the suspect has with the cohort's models; NaN if none.

    Source: Auckenthaler, Carey and Lloyd-Thomas 2000, Digital Signal Processing 10, 42-54.
    """
    middle = float(cohort.weights @ made.cohort)
    spread = float(cohort.weights @ (made.cohort - middle) ** 2) ** 0.5
    return np.asarray((made.candidates - middle) / (spread or np.nan))


def _vectors(
    rows: sparse.csr_matrix,
    there: Annotated[NDArray[np.bool_], "P M"],
    background: Cohort,
    order: Iterable[int],
) -> Iterator[tuple[Annotated[Ints, "U"], Annotated[Floats, "U M"]]]:
    """On each prompt in turn the columns (U,) that any reply has, and models' vectors in them (U, M).

    Vectors are in whole grains about the background's mean, 0 for models that are not there; in the other columns all
    are 0. A mean is summed model by model, so that no other column or model changes it.
    """
    models = there.shape[1]
    weights = np.zeros(models)
    weights[background.models] = background.weights
    each = (weights * there).reshape(-1)
    scale = 1 / np.sqrt(rows.T @ each / each.sum())
    grains = rows.copy()
    grains.sum_duplicates()
    grains.data *= scale[grains.indices] / _GRAIN
    owners = np.repeat(np.tile(np.arange(models), len(there)), np.diff(grains.indptr))
    place = np.zeros(rows.shape[1], dtype=np.int64)
    for prompt in order:
        cells = slice(grains.indptr[prompt * models], grains.indptr[(prompt + 1) * models])
        owner, values = owners[cells], grains.data[cells]
        place[:] = 0
        place[grains.indices[cells]] = 1
        columns = np.flatnonzero(place)
        place[columns] = np.arange(len(columns))
        column = place[grains.indices[cells]]
        one = np.zeros((len(columns), models))
        one[column, owner] = values
        own = weights * there[prompt]
        total = float(own[background.models].sum())
        if total:
            sums = np.bincount(column, weights=values * own[owner], minlength=len(columns))
            one -= (sums / total)[:, None]
        np.rint(one, out=one)
        one[:, ~there[prompt]] = 0
        yield columns, one


def _to_cohort(
    products: Annotated[Floats, "M M"], models: Annotated[Ints, "K"], cohort: Cohort
) -> Annotated[Floats, "K"]:
    """Products (K,) with the cohort's middle; each row is summed by itself."""
    return np.array([products[m, cohort.models] @ cohort.weights for m in models])
