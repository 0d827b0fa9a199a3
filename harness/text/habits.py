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
from harness.types import Ints

FUNCTION_RANKS = (0, 200)  # by the number of replies that hold the word
CONTENT_RANKS = (200, 2500)
COMMONEST_OPENINGS = 3000
_OPENING = 12  # tokens

Rows = sparse.csr_matrix  # of float64


def ranked(corpus: Corpus, background: Annotated[Ints, "B"]) -> Annotated[Ints, "W"]:
    """Places of the background's words, those first that occur in most of its replies; ties by the alphabet."""
    size = len(corpus.words)
    inside = _of_models(corpus.row_of_code, corpus, background)
    seen = np.unique(corpus.row_of_code[inside] * size + corpus.codes[inside])
    counts = np.bincount(seen % size, minlength=size)
    return np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]


def word_rates(corpus: Corpus, words: Annotated[Ints, "F"]) -> Rows:
    """Square roots of each word's share of the reply's tokens (P M, F)."""
    column = np.full(len(corpus.words), -1, dtype=np.int64)
    column[words] = np.arange(len(words))
    columns = column[corpus.codes]
    counted = columns >= 0
    counts = _count(corpus, corpus.row_of_code[counted], columns[counted], len(words))
    lengths = np.repeat(np.diff(corpus.offsets), np.diff(counts.indptr))
    counts.data = np.sqrt(counts.data / lengths)
    return counts


def openings(corpus: Corpus, background: Annotated[Ints, "B"]) -> Rows:
    """Whether a reply's first 12 tokens hold a word or a pair, or begin with one, two, three tokens (P M, F).

    F: the 3,000 commonest in the background; ties in the order of words.
    """
    rows, keys = _opening_items(corpus)
    inside = _of_models(rows, corpus, background)
    items, counts = np.unique(keys[inside], axis=0, return_counts=True)
    chosen = items[np.sort(np.argsort(-counts, kind="stable")[:COMMONEST_OPENINGS])]
    every, column = np.unique(np.concatenate([chosen, keys]), axis=0, return_inverse=True)
    place = np.full(len(every), -1, dtype=np.int64)
    place[column[: len(chosen)]] = np.arange(len(chosen))
    columns = place[column[len(chosen) :]]
    counted = columns >= 0
    return _count(corpus, rows[counted], columns[counted], len(chosen))


def _opening_items(corpus: Corpus) -> tuple[Ints, Ints]:
    """Rows (N,) and items (N, 4) of openings, each once a reply: (what kind, first, second, third word)."""
    position = np.arange(len(corpus.codes)) - corpus.offsets[corpus.row_of_code]
    early = position < _OPENING
    rows, codes, position = corpus.row_of_code[early], corpus.codes[early], position[early]
    none = np.full(len(codes), -1, dtype=np.int64)
    second = np.where(np.append(rows[1:] == rows[:-1], False)[: len(rows)], np.roll(codes, -1), -1)
    third = np.where(second >= 0, np.roll(second, -1), -1)
    first = position == 0
    kinds = (
        (0, codes, none, none, np.ones_like(first)),
        (1, codes, second, none, second >= 0),
        (2, codes, none, none, first),
        (3, codes, second, none, first & (second >= 0)),
        (4, codes, second, third, first & (third >= 0)),
    )
    made = [
        np.column_stack([rows, np.full(len(rows), kind), one, two, three])[there]
        for kind, one, two, three, there in kinds
    ]
    distinct = np.unique(np.concatenate(made), axis=0)
    return distinct[:, 0], distinct[:, 1:]


def shares(corpus: Corpus, words: int) -> Shares:
    """Shares of single words (1) or of pairs of neighbours (2) that do not stand in the prompt."""
    prompt_of = np.repeat(np.arange(len(corpus.prompts)), np.diff(corpus.prompt_offsets))
    asked = _items(corpus.prompt_codes, prompt_of, words, len(corpus.words))
    said = _items(corpus.codes, corpus.row_of_code, words, len(corpus.words))
    models = len(corpus.models)
    own = _keys(asked[0], asked[1], len(corpus.words) ** words)
    keys = _keys(said[0] // models, said[1], len(corpus.words) ** words)
    new = ~np.isin(keys, own)
    items, place = np.unique(keys[new], return_inverse=True)
    model, prompt = said[0][new] % models, said[0][new] // models
    totals = np.bincount(said[0][new], minlength=corpus.asked.size)
    weights = 1 / totals[prompt * models + model]
    values = sparse.csr_matrix((weights, (place, model)), shape=(len(items), models))
    return Shares(values, values.tocsc(), items // len(corpus.words) ** words)


def _items(
    codes: Annotated[Ints, "T"], rows: Annotated[Ints, "T"], words: int, size: int
) -> tuple[Ints, Ints]:
    """Rows and codes of words, or of pairs of neighbours."""
    if words == 1:
        return rows, codes
    together = rows[1:] == rows[:-1]
    return rows[:-1][together], (codes[:-1] * size + codes[1:])[together]


def _keys(prompts: Annotated[Ints, "T"], items: Annotated[Ints, "T"], size: int) -> Ints:
    return prompts * size + items


def _count(corpus: Corpus, rows: Ints, columns: Ints, size: int) -> Rows:
    """How often each column occurs in each row."""
    counts = sparse.csr_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(corpus.asked.size, size)
    )
    counts.sum_duplicates()
    return counts


def _of_models(
    rows: Annotated[Ints, "T"], corpus: Corpus, models: Annotated[Ints, "B"]
) -> Annotated[NDArray[np.bool_], "T"]:
    """Which rows are replies of these models."""
    chosen = np.zeros(len(corpus.models), dtype=bool)
    chosen[models] = True
    return chosen[rows % len(corpus.models)]
