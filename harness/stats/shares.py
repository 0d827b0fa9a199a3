"""What share of a set of rows one writer wrote, as seen beside writers who are known not to be that one.

A direction leads from the others to the writer, in units of the way between them: their rows score 0 in the mean, the
writer's 1, at equal length. It avoids what others differ in among themselves (random effects), so that a further
writer scores near 0 as well. A share is then a mean of scores. Nobody is scored by a direction that was fitted with its
lineage, or with replies to the same prompts.
Source: Fisher 1936 (direction); Forman 2008, Data Mining and Knowledge Discovery 17, 164-206 (shares by scores).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.types import Floats, Ints

if TYPE_CHECKING:
    from scipy import sparse

FOLDS = 5  # of lineages and of versions
HALVES = 2  # of prompts
FEWEST_LINEAGES = 10  # in a length class, below which nobody knows how others write at this length
FEWEST_ROWS = 20  # of the writer in a length class, and of a lineage in all
_CELL = 5  # rows of a lineage in a length class, below which it has no mean there
_TYPICAL = 5  # rows for which the direction is best: between single rows and whole sets
_SHRUNKEN = 0.5  # what is taken off covariances within writers, since few rows stand behind each
_APART = (
    0.25  # of the mean way between writer and others, below which two of them are not told apart
)
_DRAWS = 4000

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of features."""

    features: sparse.csr_matrix  # (R, F)
    classes: Annotated[Ints, "R"]  # of length, from 0


@dataclass(frozen=True, eq=False)
class Known:
    """Rows of W writers, and what they add up to."""

    rows: Rows
    writers: Annotated[Ints, "R"]
    halves: Annotated[Ints, "R"]  # 0 or 1: rows that answer the same prompt are of one half
    names: tuple[str, ...]  # (W,)
    lineages: tuple[str, ...]  # (W,)
    n_classes: int

    @cached_property
    def counts(self) -> Annotated[Floats, "W 2 B"]:
        """Rows of each writer, half and length class."""
        counts = np.bincount(self._cells, minlength=self._size).astype(np.float64)
        return counts.reshape(-1, HALVES, self.n_classes)

    @cached_property
    def sums(self) -> Annotated[Floats, "W 2 B F"]:
        """Sums of their features."""
        from scipy import sparse

        n = len(self._cells)
        places = sparse.csr_matrix((np.ones(n), (self._cells, np.arange(n))), (self._size, n))
        flat = np.asarray((places @ self.rows.features).todense())
        return flat.reshape(*self.counts.shape, -1)

    @cached_property
    def within(self) -> Annotated[Floats, "F F"]:
        """Covariance of rows about the mean of all, shrunken towards its diagonal."""
        features, n = self.rows.features, len(self._cells)
        mean = np.asarray(features.mean(axis=0)).ravel()
        made = np.asarray((features.T @ features).todense()) / n - np.outer(mean, mean)
        return (1 - _SHRUNKEN) * made + _SHRUNKEN * np.diag(np.diag(made))

    @property
    def _cells(self) -> Annotated[Ints, "R"]:
        return (self.writers * HALVES + self.halves) * self.n_classes + self.rows.classes

    @property
    def _size(self) -> int:
        return len(self.lineages) * HALVES * self.n_classes


class Direction(NamedTuple):
    """The way from others to a writer."""

    weights: Annotated[Floats, "F"]
    middles: Annotated[Floats, "B"]  # what others score at each length; NaN where too few are known
    way: float  # what the writer scores above them


class Told(NamedTuple):
    """Left-out scores of known rows, and of the rows in question; their scale is that of the directions."""

    rows: Annotated[Floats, "N"]  # in question; NaN = nothing is known at this length
    known: Annotated[Floats, "R"]  # NaN of writers that are neither
    # of the family's rows: by directions that know the version, but not the prompt; NaN of the others
    inside: Annotated[Floats, "R"]
    is_family: Annotated[Mask, "R"]  # of the writer in question, in one of its versions


class Share(NamedTuple):
    """A share with its 95 % interval, each from 0 to 1, and what it rests on; scores are on the scale of `Told`."""

    value: float
    low: float
    high: float
    score: float  # mean of the rows in question
    n: int  # rows in question
    others: Mapping[str, float]  # lineage -> mean of its rows, left out, at the same lengths
    versions: Mapping[str, float]  # the same of each version of the family
    known_versions: Mapping[
        str, float
    ]  # the same by directions that know the version, but not the prompts

    def scaled(self, scores: Annotated[Floats, "n"]) -> Annotated[Floats, "n"]:
        """Scores (n,) of which 0 is what other writers have in the mean, and 1 what the family has."""
        middle, top = _ends(self.others, self.versions, self.known_versions)
        return np.asarray((scores - middle) / (top - middle))


def tell(known: Known, family: Sequence[int], others: Sequence[int], rows: Rows) -> Told | None:
    """Scores of rows by ten directions from others to a family's versions; None where too little is known.

    family, others: places of writers, whose order changes nothing but which of them are left out together.
    """
    lineages = sorted({known.lineages[w] for w in others})
    fold_of = {w: lineages.index(known.lineages[w]) % FOLDS for w in others}
    fold_of |= {w: i % FOLDS for i, w in enumerate(family)} if len(family) > 1 else {}
    folds = np.array([fold_of.get(w, -1) for w in range(len(known.lineages))])
    cells = [(fold, half) for fold in range(FOLDS) for half in range(HALVES)]
    made: list[Direction] = []
    for fold, half in cells:
        some = [w for w in family if folds[w] != fold]
        one = _direction(known, some, [w for w in others if folds[w] != fold], half)
        if one is None:
            return None
        made.append(one)
    every = _scores(made, known.rows)
    is_family = np.isin(known.writers, family)
    left_out = np.full(len(known.writers), np.nan)
    total, n = np.zeros((2, len(known.writers)))
    for (fold, half), scores in zip(cells, every, strict=True):
        other = known.halves != half
        here = (folds[known.writers] == fold) & other
        left_out[here] = scores[here]
        knows = is_family & other & ~here
        n += knows
        total += np.where(knows, scores, 0)
    inside = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
    # a family of one version is left out by its prompts alone
    left_out = np.where(is_family, inside, left_out) if len(family) == 1 else left_out
    return Told(_scores(made, rows).mean(axis=0), left_out, inside, is_family)


def share_of(
    known: Known, told: Told, copies: Annotated[Ints, "N"], rows: Rows, rng: np.random.Generator
) -> Share | None:
    """The share of rows in question that a family wrote; None where no row is told.

    copies (N,): rows with the same number are copies of one text, which is one observation. The interval is that of a
    set whose other rows are by one further writer, and the family's by one of its versions, whether that is known or a
    further one: both are drawn from those that are known, and the mean of the rows from a normal distribution.
    """
    there = np.isfinite(told.rows)
    if np.count_nonzero(there) < FEWEST_ROWS:
        return None
    lengths = np.bincount(rows.classes[there], minlength=known.n_classes) / there.sum()
    others = _means(known, np.where(told.is_family, np.nan, told.known), lengths, known.lineages)
    versions, inside = (
        _means(known, np.where(told.is_family, scores, np.nan), lengths, known.names)
        for scores in (told.known, told.inside)
    )
    if len(others) < FEWEST_LINEAGES or not versions:
        return None
    score, error = float(told.rows[there].mean()), _standard_error(told.rows[there], copies[there])
    drawn = rng.normal(score, error, _DRAWS)
    other = rng.choice(list(others.values()), _DRAWS)
    ends = [*versions.values(), *inside.values()]
    way = rng.choice(ends, _DRAWS) - other
    # where the two cannot be told apart the share may be anything
    extremes = np.arange(_DRAWS) % 2
    middle, top = _ends(others, versions, inside)
    if top <= middle:
        return None
    least = _APART * (top - middle)
    shares = np.where(way >= least, (drawn - other) / np.maximum(way, least), extremes)
    low, high = np.quantile(np.clip(shares, 0, 1), [0.025, 0.975])
    value = float(np.clip((score - middle) / (top - middle), 0, 1))
    bounds = (float(low), float(high))
    return Share(value, *bounds, score, int(there.sum()), others, versions, inside)


def reached(
    told: Told,
    known: Known,
    scores: Annotated[Floats, "N"],
    classes: Annotated[Ints, "N"],
    *,
    family: bool,
) -> Annotated[Floats, "N"]:
    """Share (N,) of left-out rows of the same length class that score as much: the family's, or the others'.

    A lineage weighs what another weighs. NaN where there is no such row.
    """
    own = np.isfinite(told.known) & (told.is_family == family)
    lineages = np.unique(np.array(known.lineages), return_inverse=True)[1][known.writers]
    made = np.full(len(scores), np.nan)
    for one in np.unique(classes):
        here, wanted = np.flatnonzero(own & (known.rows.classes == one)), classes == one
        if not len(here):
            continue
        order = here[np.argsort(-told.known[here], kind="stable")]
        weights = 1 / np.bincount(lineages[here])[lineages[order]]
        above = np.concatenate([[0], np.cumsum(weights) / weights.sum()])
        made[wanted] = above[np.searchsorted(-told.known[order], -scores[wanted], side="right")]
    return made


def _direction(
    known: Known, family: Sequence[int], others: Sequence[int], half: int
) -> Direction | None:
    """The direction from the rows of one half of the prompts; None where too little is known."""
    from scipy.linalg import solve

    names = np.array([known.lineages[w] for w in others])
    groups = [np.array(others)[names == n] for n in sorted(set(names))]
    counts = np.array([known.counts[g, half].sum(axis=0) for g in groups])
    sums = np.array([known.sums[g, half].sum(axis=0) for g in groups])
    usable = counts >= _CELL
    means = sums / np.maximum(counts, 1)[:, :, None]
    n = usable.sum(axis=0)
    middles = (means * usable[:, :, None]).sum(axis=0) / np.maximum(n, 1)[:, None]
    own_counts = known.counts[list(family), half].sum(axis=0)
    is_known = (n >= FEWEST_LINEAGES) & (own_counts >= FEWEST_ROWS / HALVES)
    if not is_known.any():
        return None
    weights = counts * usable * is_known
    enough = weights.sum(axis=1) >= FEWEST_ROWS / HALVES
    apart = ((means - middles) * weights[:, :, None]).sum(axis=1)[enough]
    apart /= weights.sum(axis=1)[enough][:, None]
    between = apart.T @ apart / max(len(apart), 1)
    own = (known.sums[list(family), half].sum(axis=0) - own_counts[:, None] * middles)[is_known]
    way = own.sum(axis=0) / own_counts[is_known].sum()
    made = solve(between + known.within / _TYPICAL, way, assume_a="pos")
    gone = np.where(is_known, middles @ made, np.nan)
    return Direction(made, gone, float(way @ made))


def _ends(*means: Mapping[str, float]) -> tuple[float, float]:
    """Means of other writers, and of all versions."""
    others, *versions = means
    ends = [v for own in versions for v in own.values()]
    return float(np.mean(list(others.values()))), float(np.mean(ends))


def _scores(made: Sequence[Direction], rows: Rows) -> Annotated[Floats, "D R"]:
    """By each direction: 0 = as others write at this length, 1 = as the family does; NaN at lengths little known."""
    raw = (rows.features @ np.stack([d.weights for d in made], axis=1)).T
    middles = np.stack([d.middles[rows.classes] for d in made])
    return np.asarray((raw - middles) / np.array([d.way for d in made])[:, None])


def _means(
    known: Known,
    scores: Annotated[Floats, "R"],
    lengths: Annotated[Floats, "B"],
    labels: Sequence[str],
) -> dict[str, float]:
    """Label -> mean of the scores that are not NaN, weighed by length classes as the rows in question are.

    labels (W,): lineages or names of writers. Those without rows of half of these lengths are left out.
    """
    own = np.isfinite(scores)
    names, places = np.unique(np.array(labels), return_inverse=True)
    cells = places[known.writers[own]] * known.n_classes + known.rows.classes[own]
    size = len(names) * known.n_classes
    counts = np.bincount(cells, minlength=size).reshape(-1, known.n_classes)
    sums = np.bincount(cells, scores[own], size).reshape(counts.shape)
    weights = np.where(counts >= _CELL, lengths, 0.0)
    total = weights.sum(axis=1)
    usable = np.flatnonzero((total > 0.5) & (counts.sum(axis=1) >= FEWEST_ROWS))
    means = (sums / np.maximum(counts, 1) * weights).sum(axis=1)
    return {str(names[i]): float(means[i] / total[i]) for i in usable}


def _standard_error(scores: Annotated[Floats, "n"], copies: Annotated[Ints, "n"]) -> float:
    """Of the mean, copies of a text as one cluster."""
    _, places = np.unique(copies, return_inverse=True)
    sums = np.bincount(places, scores - scores.mean())
    return float(np.sqrt((sums**2).sum()) / len(scores))
