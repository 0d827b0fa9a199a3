"""Habits of wording as sparse counts: words of a band of ranks, openings, and what a reply shares with others.

Which words count is chosen from the background models alone. Rows are those of a `Corpus`.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from harness.stats.mixture import Shares
from harness.text.corpus import Corpus
from harness.types import Floats, Ints

FUNCTION_RANKS = (0, 200)  # by the number of replies that hold the word
CONTENT_RANKS = (200, 2500)
COMMONEST_OPENINGS = 3000
_OPENING = 12  # tokens

Rows = sparse.csr_matrix  # of float64


def word_counts(corpus: Corpus) -> Rows:
    """How often each word stands in each reply (P M, V)."""
    shape = (corpus.asked.size, len(corpus.words))
    ones = np.ones(len(corpus.codes))
    counts = sparse.csr_matrix((ones, corpus.codes.copy(), corpus.offsets), shape=shape)
    counts.sum_duplicates()
    return counts


def ranked(counts: Rows, corpus: Corpus, background: Annotated[Ints, "B"]) -> Annotated[Ints, "W"]:
    """Places of the background's words, those first that occur in most of its replies; ties by the alphabet."""
    inside = np.repeat(_of_models(corpus, background), np.diff(counts.indptr))
    replies = np.bincount(counts.indices[inside], minlength=counts.shape[1])
    return np.argsort(-replies, kind="stable")[: np.count_nonzero(replies)]


def word_rates(counts: Rows, corpus: Corpus, words: Annotated[Ints, "F"]) -> Rows:
    """Square roots of each word's share of the reply's tokens (P M, F)."""
    column = np.full(counts.shape[1], -1, dtype=np.int64)
    column[words] = np.arange(len(words))
    columns = column[counts.indices]
    counted = columns >= 0
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[counted]
    rates = np.sqrt(counts.data[counted] / np.diff(corpus.offsets)[rows])
    return _rows(rates, rows, columns[counted], corpus, len(words))


def openings(corpus: Corpus, background: Annotated[Ints, "B"]) -> Rows:
    """Whether a reply's first 12 tokens hold a word or a pair, or begin with one, two, three tokens (P M, F).

    F: the 3,000 commonest in the background; ties in the order of words.
    """
    rows, keys = _opening_items(corpus)
    items, columns = np.unique(keys, return_inverse=True)
    inside = _of_models(corpus, background)[rows]
    replies = np.bincount(columns[inside], minlength=len(items))
    commonest = np.argsort(-replies, kind="stable")[:COMMONEST_OPENINGS]
    chosen = np.sort(commonest[replies[commonest] > 0])
    place = np.full(len(items), -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    counted = place[columns] >= 0
    ones = np.ones(np.count_nonzero(counted))
    return _rows(ones, rows[counted], place[columns[counted]], corpus, len(chosen))


def _opening_items(corpus: Corpus) -> tuple[Annotated[Ints, "N"], Annotated[Ints, "N"]]:
    """Rows (N,) and items (N,) of openings, each once a reply: a number made of its kind and up to three words."""
    lengths = np.minimum(np.diff(corpus.offsets), _OPENING)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    position = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    codes = corpus.codes[corpus.offsets[rows] + position] + 1
    after = np.where(
        np.append(rows[1:] == rows[:-1], [False] * (len(rows) > 0)), np.roll(codes, -1), 0
    )
    third = np.where(after > 0, np.roll(after, -1), 0)
    base, first = len(corpus.words) + 1, position == 0
    kinds = (
        (codes, np.ones_like(first)),
        ((base + codes) * base + after, after > 0),
        (2 * base**2 + codes, first),
        ((3 * base + codes) * base + after, first & (after > 0)),
        (4 * base**3 + (codes * base + after) * base + third, first & (third > 0)),
    )
    keys = np.concatenate([key[there] for key, there in kinds])
    owners = np.concatenate([rows[there] for _, there in kinds])
    order = np.lexsort((keys, owners))
    owners, keys = owners[order], keys[order]
    new = np.append([True] * (len(keys) > 0), (np.diff(keys) != 0) | (np.diff(owners) != 0))
    return owners[new], keys[new]


def shares(corpus: Corpus, words: int) -> Shares:
    """Shares of single words (1) or of pairs of neighbours (2) that do not stand in the prompt.

    Items of one model alone are left out, since no other can be told by them.
    """
    models, size = len(corpus.models), len(corpus.words)
    owners, weights, lengths = [], [], []
    answered = np.zeros(models, dtype=np.int64)
    for prompt in range(len(corpus.prompts)):
        said, owner = _items(corpus, prompt, words, size)
        cells, counts = np.unique(said * models + owner, return_counts=True)
        new = ~np.isin(cells // models, _own_items(corpus, prompt, words, size))
        items, owner, counts = cells[new] // models, cells[new] % models, counts[new]
        total = np.bincount(owner, weights=counts, minlength=models)
        answered += total > 0
        starts = np.flatnonzero(np.append(True, np.diff(items) != 0)) if len(items) else items
        users = np.diff(np.append(starts, len(items)))
        shared = np.repeat(users > 1, users)
        owners.append(owner[shared])
        weights.append((counts / total[owner])[shared])
        lengths.append(users[users > 1])
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    flat: tuple[Floats, Ints, Ints] = np.concatenate(weights), np.concatenate(owners), indptr
    values = sparse.csr_matrix(flat, shape=(len(indptr) - 1, models))
    return Shares(values, values.tocsc(), answered)


def _items(
    corpus: Corpus, prompt: int, words: int, size: int
) -> tuple[Annotated[Ints, "T"], Annotated[Ints, "T"]]:
    """Words, or pairs of neighbours, in the replies to a prompt, and whose they are."""
    models = len(corpus.models)
    offsets = corpus.offsets[prompt * models : (prompt + 1) * models + 1]
    codes = corpus.codes[offsets[0] : offsets[-1]]
    owner = np.repeat(np.arange(models), np.diff(offsets))
    if words == 1:
        return codes, owner
    together = owner[1:] == owner[:-1]
    return (codes[:-1] * size + codes[1:])[together], owner[:-1][together]


def _own_items(corpus: Corpus, prompt: int, words: int, size: int) -> Annotated[Ints, "T"]:
    """The same of the prompt itself."""
    first, last = corpus.prompt_offsets[prompt : prompt + 2]
    codes = corpus.prompt_codes[first:last]
    return codes if words == 1 else codes[:-1] * size + codes[1:]


def _rows(values: Floats, rows: Ints, columns: Ints, corpus: Corpus, size: int) -> Rows:
    shape = (corpus.asked.size, size)
    return sparse.csr_matrix((values, (rows, columns)), shape=shape)


def _of_models(corpus: Corpus, models: Annotated[Ints, "B"]) -> Annotated[NDArray[np.bool_], "PM"]:
    """Which rows are replies of these models."""
    chosen = np.zeros(len(corpus.models), dtype=bool)
    chosen[models] = True
    return np.tile(chosen, len(corpus.prompts))
