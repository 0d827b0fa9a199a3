"""What two models have in common beyond what each has with everybody: everybody is paired with everybody.

Source: Warner, Kenny and Stoto 1979, A new round robin analysis of variance for social interaction data; geneticists
call it specific combining ability, Griffing 1956. Ours: the distance in accuracy, and that lineages are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from harness.stats.controls import NORMAL_MINIMUM
from harness.stats.means import LEVEL, t_quantile
from harness.types import Floats, Ints, Unavailable

_ROUNDING = 1e-12  # of the residuals, below which pairs do not vary


class ModelLevelExcess(NamedTuple):
    """A pair's value minus what is expected of it; the interval excludes 0 where an unrelated pair would not lie."""

    value: float
    low: float
    high: float
    lineages: int  # of the controls that have a value
    df: int


class _Rows(NamedTuple):
    """Pairs of models with a value, without the pair that is judged."""

    first: Annotated[Ints, "pairs"]
    second: Annotated[Ints, "pairs"]
    weights: Annotated[Floats, "pairs"]  # pairs of the same two lineages weigh 1 together


def pair_excess(
    values: Annotated[Floats, "models models"],
    accuracies: Annotated[Floats, "models"],
    lineages: Sequence[str | int],
) -> ModelLevelExcess:
    """How far the pair of models 0 and 1 lies above what pairs of unrelated models show, with its 95 % interval.

    values: (models, models) symmetric, NaN where undefined; accuracies (models,); lineages of all models, those of
    0 and 1 are not read. Expected of i and j: g_i + g_j + b (accuracy_i - accuracy_j)^2, by least squares over pairs of
    different lineages. The interval is a prediction interval for one further pair, t with lineages in place of models:
    pairs of lineages, minus lineages, minus 1 degrees of freedom. Raises Unavailable below 4 control lineages.
    """
    listed = len(set(lineages[2:]))
    if listed < NORMAL_MINIMUM:
        raise Unavailable(f"{listed} control lineages; at least {NORMAL_MINIMUM} are needed")
    if not np.isfinite(values[0, 1]):
        raise Unavailable("student and teacher have no value to judge")
    rows = _pairs(values, lineages)
    n = len({lineages[i] for i in {*rows.first.tolist(), *rows.second.tolist()} - {0, 1}})
    if n < NORMAL_MINIMUM:
        raise Unavailable(
            f"{n} of {listed} control lineages have a value; at least {NORMAL_MINIMUM} are needed"
        )
    df = round(float(rows.weights.sum())) - (n + 2) - 1
    design, at = _design(rows, accuracies), _design(_only(0, 1), accuracies)[0]
    roots = np.sqrt(rows.weights)
    inverse = np.linalg.pinv(design * roots[:, None])
    estimable = np.allclose(at @ inverse @ (design * roots[:, None]), at)
    if df < 3 or not estimable:
        raise Unavailable("too few pairs of unrelated models have a value")
    observed = values[rows.first, rows.second]
    effects = inverse @ (observed * roots)
    residuals = (observed - design @ effects) * roots
    if np.abs(residuals).max() < _ROUNDING:
        raise Unavailable("the controls do not vary: there is no spread to judge a value by")
    leverage = float(np.sum((at @ inverse) ** 2))
    half = t_quantile(0.5 + LEVEL / 2, df) * np.sqrt(residuals @ residuals / df * (1 + leverage))
    excess = float(values[0, 1] - at @ effects)
    return ModelLevelExcess(excess, float(excess - half), float(excess + half), n, df)


def strangers_excess(
    values: Annotated[Floats, "models models"],
    accuracies: Annotated[Floats, "models"],
    lineages: Sequence[str | int],
) -> Annotated[Floats, "models"]:
    """How far each model's pair with model 1 lies above unrelated pairs, in standard errors of its prediction.

    Each pair is left out of what it is compared with, and the pair of 0 and 1 of everything. NaN
    where a pair has no value, or nothing to be compared with. The rest as in `pair_excess`.
    Source: deleted studentised residuals, Cook and Weisberg 1982, Residuals and Influence in Regression, 2.2.
    """
    rows = _pairs(values, lineages)
    made = np.full(len(lineages), np.nan)
    if not len(rows.first):
        return made
    n = len({lineages[i] for i in {*rows.first.tolist(), *rows.second.tolist()} - {0, 1}})
    df = float(rows.weights.sum()) - (n + 2) - 1
    roots = np.sqrt(rows.weights)
    scaled = _design(rows, accuracies) * roots[:, None]
    inverse = np.linalg.pinv(scaled)
    observed = values[rows.first, rows.second] * roots
    residuals = observed - scaled @ (inverse @ observed)
    leverage = np.einsum("ij,ji->i", scaled, inverse)
    own = np.flatnonzero(((rows.first == 1) | (rows.second == 1)) & (1 - leverage > _ROUNDING))
    free = 1 - leverage[own]
    rest = (residuals @ residuals - residuals[own] ** 2 / free) / np.maximum(
        df - rows.weights[own], _ROUNDING
    )
    spread = np.sqrt(np.maximum(rest, 0) * (1 + leverage[own] / free / rows.weights[own]))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = residuals[own] / free / roots[own] / spread
    made[rows.first[own] + rows.second[own] - 1] = np.where(spread > _ROUNDING, t, np.nan)
    return made


def _pairs(values: Annotated[Floats, "models models"], lineages: Sequence[str | int]) -> _Rows:
    """All pairs of different lineages that have a value, except 0 with 1, which are lineages of their own."""
    own = [(-1, i) if i < 2 else (0, lineage) for i, lineage in enumerate(lineages)]
    first, second = np.triu_indices(len(own), 1)
    counted = [
        own[i] != own[j] and (i, j) != (0, 1) and bool(np.isfinite(values[i, j]))
        for i, j in zip(first.tolist(), second.tolist(), strict=True)
    ]
    first, second = first[counted], second[counted]
    both = [frozenset((own[i], own[j])) for i, j in zip(first, second, strict=True)]
    often = Counter(both)
    return _Rows(first, second, np.array([1 / often[pair] for pair in both]))


def _only(i: int, j: int) -> _Rows:
    return _Rows(np.array([i]), np.array([j]), np.ones(1))


def _design(
    rows: _Rows, accuracies: Annotated[Floats, "models"]
) -> Annotated[Floats, "pairs models+1"]:
    """(pairs, models + 1) 1 for each of the two models of a pair, and their squared distance in accuracy."""
    design = np.zeros((len(rows.first), len(accuracies) + 1))
    places = np.arange(len(rows.first))
    design[places, rows.first] = 1
    design[places, rows.second] = 1
    design[:, -1] = (accuracies[rows.first] - accuracies[rows.second]) ** 2
    return design
