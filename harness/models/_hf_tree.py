"""Inputs as a tree of token prefixes: which shared parts are computed alone, and what is computed in one pass.

A pack is one sequence that holds a part of the tree in depth-first order. Every token stands there once, at the
position that it has in its own input, and sees the tokens of its own path alone ("tree attention").
Source: Miao et al. 2024, SpecInfer, section 4.2.

All here depends on the inputs alone, not on what was computed before, so that every run computes the same floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Tokens = tuple[int, ...]
_MOST_BUDGETS = 4  # of a longer row nothing is shared
LEAST = 16  # tokens from which on a shared part is worth a pass of its own


class Row(NamedTuple):
    """One input of a model."""

    ids: Tokens
    first: int  # the first place whose next token is scored: what stands before it may be shared


class Pack(NamedTuple):
    """What one forward pass computes."""

    n_shared: int  # tokens that all rows begin with, computed in a pass of their own
    rows: tuple[Row, ...]  # in the order of their tokens

    @property
    def shared(self) -> Tokens:
        """The tokens that were computed before."""
        return self.rows[0].ids[: self.n_shared]


class Layout(NamedTuple):
    """A pack as the model gets it: N new tokens behind `n_shared` ones."""

    ids: NDArray[np.int64]  # (N,)
    positions: NDArray[np.int64]  # (N,)
    visible: NDArray[np.bool_]  # (N, n_shared + N): what each token attends to
    paths: list[NDArray[np.int64]]  # per row: the places in `ids` of its tokens behind `n_shared`


def packs(rows: Sequence[Row], budget: int) -> Iterator[Pack]:
    """Packs of at most `budget` new tokens (a longer row stands alone), in the order of the rows' tokens.

    What several packs share is taken out of them, level by level: examples, then a text, then its questions.
    """
    ordered = sorted(rows)
    common = [0, *(common_length(a.ids, b.ids) for a, b in pairwise(ordered))]
    yield from _packs(ordered, common, 0, budget)


def _packs(rows: list[Row], common: list[int], done: int, budget: int) -> Iterator[Pack]:
    """Packs of rows of which `done` tokens are computed; common[i] = tokens that rows i - 1 and i share."""
    size = _size(rows, common, done)
    if len(rows) == 1 or size <= budget:
        # what each token of a pack sees takes memory with the square of its length
        yield Pack(done if size <= _MOST_BUDGETS * budget else 0, tuple(rows))
        return
    fork = min(common[1:])
    shared = min(fork, *(row.first for row in rows))
    done = shared if shared >= done + LEAST else done
    starts = [0, *(i for i in range(1, len(rows)) if common[i] == fork), len(rows)]
    start, end = 0, 0
    for stop in starts[1:]:
        if end > start and _size(rows[start:stop], common[start:stop], done) > budget:
            yield from _packs(rows[start:end], common[start:end], done, budget)
            start = end
        end = stop
    yield from _packs(rows[start:end], common[start:end], done, budget)


def _size(rows: Sequence[Row], common: Sequence[int], done: int) -> int:
    """Number of distinct tokens of the tree behind its first `done` levels."""
    new = sum(len(row.ids) - n for row, n in zip(rows[1:], common[1:], strict=True))
    return len(rows[0].ids) - done + new


def common_length(first: Tokens, second: Tokens) -> int:
    """How many tokens both begin with."""
    n = min(len(first), len(second))
    if first[:n] == second[:n]:
        return n
    return int(np.argmax(np.asarray(first[:n]) != np.asarray(second[:n])))


def layout(pack: Pack) -> Layout:
    """The pack's distinct tokens in depth-first order."""
    done, paths = pack.n_shared, list[NDArray[np.int64]]()
    ids, positions = list[int](), list[int]()
    for row in pack.rows:
        n = common_length(row.ids, pack.rows[len(paths) - 1].ids) if paths else done
        old = paths[-1][: n - done] if paths else np.zeros(0, np.int64)
        new = np.arange(len(ids), len(ids) + len(row.ids) - n)
        ids.extend(row.ids[n:])
        positions.extend(range(n, len(row.ids)))
        paths.append(np.concatenate([old, new]))
    visible = np.zeros((len(ids), done + len(ids)), dtype=np.bool_)
    visible[:, :done] = True
    seen = 0
    for path in paths:
        for depth in np.flatnonzero(path >= seen)[:1]:
            new = path[depth:]
            visible[np.ix_(new, done + path[:depth])] = True
            visible[np.ix_(new, done + new)] = np.tri(len(new), dtype=np.bool_)
            seen = int(new[-1]) + 1
    return Layout(np.array(ids), np.array(positions), visible, paths)
