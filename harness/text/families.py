"""Replies as points of the three families of style, in one space for all models.

words   how often each word and each pair of neighbours occurs among the first words of a reply, marks, emoji
format  list items, headings, quotes, bold, code, tables, label lines, paragraphs: how many, and whether any
edges   the first one to three words with the mark behind them, the last one or two with the last character

A frequency does not depend on the reply's length, and grows with the habit without an upper band: a model that overdoes
a habit lies beyond the one that has it. Words are hashed, so that a column means the same for every model and machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.text.segment import LAYOUT, MARKS, Reading
from harness.types import Floats, Ints

# first words of a reply that the family `words` looks at, so that length is not in it
WINDOW_WORDS = 100
DRAWN_WORDS = 10  # a word counts as the chance that so many words drawn from the reply hold it
_WORD_COLUMNS, _PAIR_COLUMNS, _EDGE_COLUMNS, _END_COLUMNS = 1024, 512, 128, 64
# words added to a reply's own before marks and layout are counted per word
_MARK_WORDS, _SHAPE_WORDS = 10, 20
_SHAPES = tuple(k for k in LAYOUT if k != "lines")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: codes of several words stay distinct
Grams = NDArray[np.uint64]
Float32s = NDArray[np.float32]

_N_WORDS = _WORD_COLUMNS + _PAIR_COLUMNS + len(MARKS) + 1
_N_FORMAT = 2 * len(_SHAPES)
WIDTH = _N_WORDS + _N_FORMAT + 5 * _EDGE_COLUMNS + _END_COLUMNS
# the columns of every family
FAMILIES: Mapping[str, slice] = MappingProxyType(
    {
        "words": slice(0, _N_WORDS),
        "format": slice(_N_WORDS, _N_WORDS + _N_FORMAT),
        "edges": slice(_N_WORDS + _N_FORMAT, WIDTH),
    }
)


# the columns of closings, a part of the edges: a reply that was cut has none of its own
CLOSINGS = slice(WIDTH - 2 * _EDGE_COLUMNS - _END_COLUMNS, WIDTH)


def points(texts: Reading) -> Annotated[Float32s, "P D"]:
    """One point (P, WIDTH) per reply."""
    n = texts.n_words[:, None]
    table = np.zeros((len(n), WIDTH), dtype=np.float32)
    owner, codes, whole = _window(texts)
    _mark_chances(table, 0, owner, _column(codes, _WORD_COLUMNS))
    pairs = _column(joined(codes[:-1], codes[1:])[whole], _PAIR_COLUMNS)
    _mark_chances(table, _WORD_COLUMNS, owner[:-1][whole], pairs)
    marks = np.concatenate([texts.marks, texts.emoji[:, None]], axis=1)
    table[:, _WORD_COLUMNS + _PAIR_COLUMNS : _N_WORDS] = _per_word(marks, n + _MARK_WORDS)
    shapes = texts.layout[:, [LAYOUT.index(k) for k in _SHAPES]].copy()
    blocks = shapes[:, _SHAPES.index("paragraphs")]
    blocks[blocks > 0] -= 1  # one block is not a layout
    shape = FAMILIES["format"]
    table[:, shape] = np.concatenate([_per_word(shapes, n + _SHAPE_WORDS), shapes > 0], axis=1)
    _mark_edges(table, texts)
    return table


def _mark_edges(table: Annotated[Float32s, "P D"], texts: Reading) -> None:
    """Writes a 1 for every opening and closing of a reply that has words."""
    start, rows = FAMILIES["edges"].start, np.flatnonzero(texts.n_words > 0)
    ends = edges(texts)[rows]
    for k in (0, 1, 2, 4, 5):
        table[rows, start + _column(ends[:, k], _EDGE_COLUMNS)] = 1
        start += _EDGE_COLUMNS
    table[rows, start + _column(ends[:, 3], _END_COLUMNS)] = 1


def _window(texts: Reading) -> tuple[Ints, Grams, NDArray[np.bool_]]:
    """Texts and codes (W',) of the first words of every text; whether a word and the next (W' - 1,) are of one text."""
    counts = np.minimum(texts.n_words, WINDOW_WORDS)
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    skipped = texts.offsets[:-1] - (np.cumsum(counts) - counts)
    words = texts.words[np.arange(len(owner)) + skipped[owner]]
    return owner, words.astype(np.uint64) + np.uint64(1), owner[:-1] == owner[1:]


def _mark_chances(
    table: Annotated[Float32s, "P D"],
    start: int,
    owner: Annotated[Ints, "W"],
    column: Annotated[Ints, "W"],
) -> None:
    """Writes 1 - (1 - share)^DRAWN_WORDS, share = a column's part of the words (W,) of a text, from `start` on."""
    small = table.size < 2**31  # half the time
    cells = np.sort((owner * WIDTH + start + column).astype(np.int32 if small else np.int64))
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    counts = np.diff(first, append=len(cells))
    total = np.bincount(owner, minlength=len(table))[cells[first] // WIDTH]
    table.reshape(-1)[cells[first]] = _chances()[counts, total]


@lru_cache(maxsize=1)
def _chances() -> Annotated[Floats, "N T"]:
    """1 - (1 - n / t)^DRAWN_WORDS for n of t words, t up to WINDOW_WORDS."""
    n, t = np.ogrid[: WINDOW_WORDS + 1, : WINDOW_WORDS + 1]
    return np.asarray(1 - (1 - n / np.maximum(t, 1)) ** DRAWN_WORDS)


def _per_word(
    counts: Annotated[Ints, "P K"], words: Annotated[Ints, "P 1"]
) -> Annotated[Floats, "P K"]:
    """log2(1 + 100 count / words), (P, K)."""
    return np.log2(1 + 100 * counts / words)


def _column(codes: Annotated[Grams, "W"], width: int) -> Annotated[Ints, "W"]:
    """A column in [0, width) for every code. Source: the finaliser of MurmurHash3 (Appleby, public domain)."""
    mixed = codes ^ (codes >> np.uint64(33))
    mixed = mixed * np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return np.asarray(mixed % np.uint64(width), dtype=np.int64)


@lru_cache(maxsize=160)
def edges(texts: Reading) -> Grams:
    """First word with its mark, first two, first three words; last character, last word, last two: codes (P, 6)."""
    start, stop = texts.offsets[:-1], texts.offsets[1:]
    first = [_word_at(texts, start + k, start + k < stop) for k in range(3)]
    last = [_word_at(texts, stop - 1 - k, stop - 1 - k >= start) for k in range(2)]
    after, end = (np.array([ord(e[k]) for e in texts.ends], dtype=np.uint64) for k in (0, 1))
    two = joined(first[0], first[1])
    columns = [
        joined(first[0], after),
        two,
        joined(two, first[2]),
        end,
        last[0],
        joined(last[1], last[0]),
    ]
    return np.stack(columns, axis=1)


def joined(first: Grams, second: Grams) -> Grams:
    """One code for two codes in their order (P,)."""
    return np.asarray((first * _MULTIPLIER) ^ (second + (first >> np.uint64(29))), dtype=np.uint64)


def _word_at(
    texts: Reading, place: Annotated[Ints, "P"], inside: Annotated[NDArray[np.bool_], "P"]
) -> Annotated[Grams, "P"]:
    """Codes (P,) of the words at these places; 0 where a place is not inside its text."""
    codes = np.zeros(len(place), dtype=np.uint64)
    codes[inside] = texts.words[place[inside]].astype(np.uint64) + np.uint64(1)
    return codes
