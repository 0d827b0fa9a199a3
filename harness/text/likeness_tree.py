"""A tree of models by their function words, with the support of each branch. It shows likeness, not descent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    prompts = len(corpus.prompts)
    names = [corpus.models[m] for m in there]
    drawn = [rng.integers(prompts, size=prompts) for _ in range(REPLICATES)]
    weights = [np.ones(prompts), *(np.bincount(d, minlength=prompts) for d in drawn)]
    trees = map(_joined, distances(_centred(corpus, background, there), np.array(weights)))
    own = next(trees)
    counts = dict.fromkeys((clade for clade, _ in own), 0)
    for tree in trees:
        for clade, _ in tree:
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


def distances(
    values: Annotated[NDArray[np.float32], "P M F"], weights: Annotated[Floats, "R P"]
) -> Iterator[Annotated[Floats, "M M"]]:
    """For each of R samples 1 less the cosines of models, with prompts that count so often; from 0 to 2.

    values: what each model does on each prompt. Products leave out those of a prompt with itself.
    """
    prompts, models, words = values.shape
    once = weights.astype(np.float32)
    sums = (once @ values.reshape(prompts, -1)).reshape(-1, models, words).astype(np.float64)
    same = np.einsum("pmf,pnf->pmn", values, values, optimize=True).reshape(prompts, -1)
    squared = (once**2 @ same).reshape(-1, models, models)
    for one, own in zip(sums, squared, strict=True):
        products = one @ one.T - own
        squares = np.diag(products)
        least = _LEAST_SHARE * float(np.median(np.maximum(squares, 0)))
        sizes = np.sqrt(np.maximum(squares, max(least, 1e-12)))
        cosines = np.clip(products / np.outer(sizes, sizes), -1, 1)
        yield np.asarray(1 - (cosines + cosines.T) / 2)


def _centred(
    corpus: Corpus, background: Annotated[Ints, "B"], there: Annotated[Ints, "M"]
) -> Annotated[NDArray[np.float32], "P M F"]:
    """Roots of words' shares of some models' replies, less the mean of all replies to the prompt; 0 where none is."""
    prompts, models = corpus.asked.shape
    rows = np.repeat(np.arange(prompts * models), np.diff(corpus.offsets))
    inside = np.zeros(models, dtype=np.bool_)
    inside[background] = True
    own = corpus.codes[inside[rows % models]]
    words = np.argsort(-np.bincount(own, minlength=len(corpus.words)), kind="stable")[:_WORDS]
    column = np.full(len(corpus.words), -1, dtype=np.int64)
    column[words] = np.arange(len(words))
    columns = column[corpus.codes]
    cells = (rows * len(words) + columns)[columns >= 0]
    ends = np.searchsorted(cells, np.arange(prompts + 1) * models * len(words))
    some, lengths = corpus.lengths > 0, np.maximum(corpus.lengths, 1)
    made = np.empty((prompts, len(there), len(words)), dtype=np.float32)
    total = np.zeros(len(words))
    for prompt in range(prompts):
        counted = cells[ends[prompt] : ends[prompt + 1]] - prompt * models * len(words)
        counts = np.bincount(counted, minlength=models * len(words)).reshape(models, -1)
        rates = np.sqrt(counts / lengths[prompt][:, None])
        total += rates.sum(axis=0)
        middle = rates.sum(axis=0) / max(int(some[prompt].sum()), 1)
        made[prompt] = ((rates - middle) * some[prompt][:, None])[there]
    scale = np.sqrt(np.maximum(total / (prompts * models), 1e-12))
    return np.asarray(made / scale.astype(np.float32))


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
