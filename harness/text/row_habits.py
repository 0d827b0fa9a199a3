"""Habits of wording in single texts, whatever they answer: which texts can be compared, and what is counted of them.

What counts is chosen from the background's texts alone. Rows are texts in one vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.stats.shares import Rows
from harness.text.tokens import Tokens, in_one_vocabulary
from harness.types import Ints

if TYPE_CHECKING:
    from scipy import sparse

WORDS = 200  # the commonest words and marks, by the number of texts that hold them
PAIRS = 400  # the commonest pairs of neighbours, both of them among
_OF = 500  # the so many commonest words and marks
# Tokens from which a length class begins; a text below the first is too short to say anything.
CLASSES = (25, 50, 100, 200)
_DISTINCT = 15  # different tokens, below which a text repeats itself
# Of the background's median share of common words, below which a text is in another language or no prose.
_LEAST = 0.5

_SYMBOLS = frozenset("=;<>{}[]()_|\\+/&%$@~^`")
_SYMBOLIC = 0.12  # share of these among a text's tokens, above which it is code

Mask = NDArray[np.bool_]
Reason = Literal["", "empty", "too short", "repeats itself", "other language or code"]
REASONS: tuple[Reason, ...] = ("empty", "too short", "repeats itself", "other language or code")  # fmt: skip


class Habits(NamedTuple):
    """What is counted of texts."""

    features: (
        sparse.csr_matrix
    )  # (R, F) roots of rates, each column over its root mean square in the background
    classes: Annotated[Ints, "R"]  # of length, from 0; -1 = too short
    reasons: tuple[Reason, ...]  # (R,) why a text cannot be compared; "" where it can

    def rows(self, places: Annotated[Ints, "n"]) -> Rows:
        """Some of the texts, that can be compared."""
        return Rows(self.features[places], self.classes[places])


def row_habits(texts: Tokens, background: Annotated[Mask, "R"]) -> Habits:
    """Habits of texts (R,); background (R,): those from which is chosen what counts."""
    from scipy import sparse

    lengths = np.diff(texts.offsets).astype(np.int64)
    every = _table(texts.codes.astype(np.int64), texts.offsets, len(texts.words))
    rank = _ranks(every, background)
    codes = rank[texts.codes]
    words = _columns(every, rank, WORDS)
    counts = sparse.hstack([words, _pairs(codes, texts.offsets, background)]).tocsr()
    owners = np.repeat(np.arange(len(lengths)), np.diff(counts.indptr))
    counts.data = np.sqrt(counts.data / lengths[owners])
    squares = np.bincount(counts.indices, counts.data**2 * background[owners], counts.shape[1])
    scales = np.sqrt(squares / max(int(background.sum()), 1))
    counts.data /= np.where(scales > 0, scales, np.inf)[counts.indices]
    classes = np.asarray(np.digitize(lengths, CLASSES) - 1)
    return Habits(counts, classes, _reasons(texts, every, words, rank, background))


def in_one_table(several: Sequence[Tokens]) -> Tokens:
    """All texts of several, one after the other, in one vocabulary."""
    words, codes = in_one_vocabulary(several)
    lengths = np.concatenate([np.diff(t.offsets) for t in several])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokens(words, np.concatenate(codes), offsets)


def _table(
    columns: Annotated[Ints, "T"], offsets: Annotated[Ints, "R1"], width: int
) -> sparse.csr_matrix:
    """How often each of the columns occurs in each row (R, width)."""
    from scipy import sparse

    shape = (len(offsets) - 1, width)
    made = sparse.csr_matrix((np.ones(len(columns)), columns, offsets), shape=shape)
    made.sum_duplicates()
    return made


def _ranks(every: sparse.csr_matrix, background: Annotated[Mask, "R"]) -> Annotated[Ints, "V"]:
    """Place of each word by the number of the background's texts that hold it; ties by the alphabet."""
    inside = np.repeat(background, np.diff(every.indptr))
    often = np.bincount(every.indices[inside], minlength=every.shape[1])
    rank = np.empty(len(often), dtype=np.int64)
    rank[np.argsort(-often, kind="stable")] = np.arange(len(often))
    return np.where(often > 0, rank, len(often) + _OF)


def _columns(
    table: sparse.csr_matrix, place: Annotated[Ints, "W"], width: int
) -> sparse.csr_matrix:
    """The columns of a table whose place is below `width`, at these places."""
    from scipy import sparse

    columns = place[table.indices]
    counted = columns < width
    starts = np.concatenate([[0], np.cumsum(counted)])[table.indptr]
    shape = (table.shape[0], width)
    return sparse.csr_matrix((table.data[counted], columns[counted], starts), shape=shape)


def _pairs(
    codes: Annotated[Ints, "T"],
    offsets: Annotated[Ints, "R1"],
    background: Annotated[Mask, "R"],
) -> sparse.csr_matrix:
    """Counts (R, PAIRS) of the pairs that most of the background's texts hold."""
    able = (codes[:-1] < _OF) & (codes[1:] < _OF)
    able[offsets[1:-1][(offsets[1:-1] > 0) & (offsets[1:-1] < len(codes))] - 1] = (
        False  # of two texts
    )
    starts = np.concatenate([[0], np.cumsum(able), [np.count_nonzero(able)]])[offsets]
    table = _table((codes[:-1] * _OF + codes[1:])[able], starts, _OF**2)
    return _columns(table, _ranks(table, background), PAIRS)


def _reasons(
    texts: Tokens,
    every: sparse.csr_matrix,
    words: sparse.csr_matrix,
    rank: Annotated[Ints, "V"],
    background: Annotated[Mask, "R"],
) -> tuple[Reason, ...]:
    """Why texts cannot be compared, the first reason that holds."""
    lengths = np.diff(texts.offsets)
    long = lengths >= CLASSES[0]
    is_word = np.array([w[0].isalpha() for w in texts.words], dtype=np.float64)
    common = every @ (is_word * (rank < WORDS)) / np.maximum(lengths, 1)
    symbols = every @ np.array([float(w in _SYMBOLS) for w in texts.words])
    own = background & long
    usual = float(np.median(common[own])) if own.any() else 0.0
    foreign = (common < _LEAST * usual) | (symbols > _SYMBOLIC * lengths)
    tests = (lengths == 0, ~long, np.diff(every.indptr) < _DISTINCT, foreign)
    first = np.argmax([*tests, np.ones(len(lengths), dtype=np.bool_)], axis=0)
    return tuple((*REASONS, "")[i] for i in first)
