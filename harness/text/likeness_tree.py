"""A tree of models by their function words, with the support of each branch. It shows likeness, not descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.text.corpus import Corpus
from harness.types import Floats, Ints, Unavailable

REPLICATES = 100
_WORDS = 200  # the commonest, marks and line ends among them
# of the median squared size of models' habits, below which no size counts: what is smaller is noise
_LEAST_SHARE = 1 / 4
_FEWEST = 3  # models, below which a tree says nothing
_FEWEST_PROMPTS = 20
_QUOTED = frozenset("()[]{}/\\,;:=*'\"`+-<> \t\n_")


@dataclass(frozen=True)
class Branch:
    """Models that are joined before any other joins them."""

    models: tuple[str, ...]  # sorted
    height: float  # mean distance at which its two parts are joined: 1 - cosine
    support: float  # share of bootstrap samples of the prompts in whose tree it is

    def __post_init__(self) -> None:
        assert len(self.models) > 1


def likeness_tree(
    corpus: Corpus, background: Annotated[Ints, "B"], rng: np.random.Generator
) -> list[Branch]:
    """The branches of a tree of all models with replies, the whole last. Raises Unavailable.

    Distances are 1 less the cosine of function-word habits about the mean reply to each prompt, over pairs of different
    prompts (as in `stats.angles.gram`); average linkage; prompts are resampled.
    Source: Sokal and Michener 1958 (UPGMA); Felsenstein 1985, Evolution 39, for the support.
    """
    there = np.flatnonzero((corpus.lengths > 0).sum(axis=0) >= _FEWEST_PROMPTS)
    if len(there) < _FEWEST:
        raise Unavailable(
            f"{len(there)} models with {_FEWEST_PROMPTS} replies or more; a tree takes {_FEWEST}"
        )
    habits_of = _Habits(_centred(corpus, background)[:, there])
    prompts = len(corpus.prompts)
    names = [corpus.models[m] for m in there]
    own = _joined(habits_of.distances(np.ones(prompts)))
    counts = dict.fromkeys((clade for clade, _ in own), 0)
    for _ in range(REPLICATES):
        weights = np.bincount(rng.integers(prompts, size=prompts), minlength=prompts)
        for clade, _ in _joined(habits_of.distances(weights.astype(np.float64))):
            if clade in counts:
                counts[clade] += 1
    return [
        Branch(tuple(sorted(names[i] for i in clade)), height, counts[clade] / REPLICATES)
        for clade, height in own
    ]


def newick(branches: Sequence[Branch]) -> str:
    """The tree as Newick: lengths are half of differences in height, and a branch is labelled with its support in %."""
    node: dict[
        str, tuple[str, float]
    ] = {}  # model -> the part that it is in so far, and its height
    for branch in branches:
        parts = dict.fromkeys(node.get(m, (_label(m), 0.0)) for m in branch.models)
        inner = ",".join(f"{text}:{(branch.height - low) / 2:.4f}" for text, low in parts)
        is_root = branch is branches[-1]
        label = "" if is_root else f"{100 * branch.support:.0f}"
        node |= dict.fromkeys(branch.models, (f"({inner}){label}", branch.height))
    return f"{next(iter(node.values()))[0]};"


def _label(name: str) -> str:
    return "'" + name.replace("'", "''") + "'" if _QUOTED & set(name) else name


class _Habits:
    """What each model does on each prompt (P, M, F), and products that leave out equal prompts."""

    def __init__(self, values: Annotated[NDArray[np.float32], "P M F"]) -> None:
        self._values = values
        self._same = np.einsum("pmf,pnf->pmn", values, values, optimize=True)

    def distances(self, weights: Annotated[Floats, "P"]) -> Annotated[Floats, "M M"]:
        """1 less the cosines, with prompts that count so often; from 0 to 2."""
        once = weights.astype(np.float32)
        sums = np.tensordot(once, self._values, axes=1).astype(np.float64)
        products = sums @ sums.T - np.tensordot(once**2, self._same, axes=1)
        squares = np.diag(products)
        least = _LEAST_SHARE * float(np.median(np.maximum(squares, 0)))
        sizes = np.sqrt(np.maximum(squares, max(least, 1e-12)))
        cosines = np.clip(products / np.outer(sizes, sizes), -1, 1)
        return np.asarray(1 - (cosines + cosines.T) / 2)


def _centred(
    corpus: Corpus, background: Annotated[Ints, "B"]
) -> Annotated[NDArray[np.float32], "P M F"]:
    """Roots of words' shares of a reply, less the mean of all replies to the prompt; 0 where there is no reply."""
    rows = np.repeat(np.arange(len(corpus.offsets) - 1), np.diff(corpus.offsets))
    inside = np.zeros(len(corpus.models), dtype=np.bool_)
    inside[background] = True
    own = corpus.codes[inside[rows % len(corpus.models)]]
    words = np.argsort(-np.bincount(own, minlength=len(corpus.words)), kind="stable")[:_WORDS]
    column = np.full(len(corpus.words), -1, dtype=np.int64)
    column[words] = np.arange(len(words))
    columns = column[corpus.codes]
    cells = (rows * len(words) + columns)[columns >= 0]
    shape = (len(corpus.prompts), len(corpus.models), len(words))
    counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
    rates = np.sqrt(counts / np.maximum(corpus.lengths, 1)[:, :, None])
    some = (corpus.lengths > 0)[:, :, None]
    scale = np.sqrt(np.maximum(rates.mean(axis=(0, 1)), 1e-12))
    middle = (rates * some).sum(axis=1) / np.maximum(some.sum(axis=1), 1)
    return np.asarray((rates - middle[:, None]) * some / scale, dtype=np.float32)


def _joined(distances: Annotated[Floats, "M M"]) -> list[tuple[frozenset[int], float]]:
    """Clades and heights, in the order in which average linkage joins them."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    np.fill_diagonal(distances, 0)
    clades = [frozenset([i]) for i in range(len(distances))]
    heights = []
    for first, second, height, _ in linkage(squareform(distances, checks=False), "average"):
        clades.append(clades[int(first)] | clades[int(second)])
        heights.append(float(height))
    return list(zip(clades[len(distances) :], heights, strict=True))
