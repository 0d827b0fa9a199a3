"""Texts as rows of n-gram counts, of words and of characters.

N-grams are hashed into a fixed number of columns, so that the columns mean the same for every model and machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.text.segment import Reading
from harness.types import Floats, Ints

Float32s = NDArray[np.float32]
_AT_ONCE = 1 << 14  # words or characters
_ROOM = 16  # places of a table for each n-gram, up to which they are counted in one
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_MORE = np.uint64(0xC2B2AE3D27D4EB4F)


class Sparse(NamedTuple):
    """Rows of numbers that are mostly zero, in the order of rows, then columns."""

    rows: Annotated[Ints, "E"]
    columns: Annotated[Ints, "E"]
    values: Annotated[Floats, "E"]
    shape: tuple[int, int]


@lru_cache(maxsize=24)  # about 12 MB for 805 prompts
def word_grams(texts: Reading, smallest: int, largest: int, bits: int) -> Sparse:
    """Counts of word n-grams of `smallest` to `largest` words, hashed into 2 ** bits columns; one row per text."""
    return _counted(texts.words, texts.offsets, (smallest, largest), bits)


def character_grams(texts: Sequence[str], smallest: int, largest: int, bits: int) -> Sparse:
    """Counts of character n-grams, hashed into 2 ** bits columns; case, digits and line ends are kept."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    offsets = np.cumsum([0, *(len(t) for t in texts)])
    return _counted(points, offsets, (smallest, largest), bits)


def damped(counts: Sparse) -> Annotated[Float32s, "P columns"]:
    """1 + log of the counts as a dense table (P, columns), each row of length 1; a text without n-grams stays 0."""
    table = np.zeros(counts.shape, dtype=np.float32)
    write_damped(counts, table)
    return table


def write_damped(
    counts: Sparse, table: Annotated[Float32s, "P columns"], length: float = 1.0
) -> None:
    """Writes the same into a table of zeros, rows of this length."""
    values = 1 + np.log(counts.values)
    norms = np.sqrt(np.bincount(counts.rows, values**2, counts.shape[0])) / length
    table[counts.rows, counts.columns] = values / norms[counts.rows]


def _counted(
    codes: Annotated[NDArray[np.uint32], "W"],
    offsets: Annotated[Ints, "P1"],
    sizes: tuple[int, int],
    bits: int,
) -> Sparse:
    """Counts of n-grams of the codes of P texts, where text i has the codes [offsets[i], offsets[i + 1])."""
    places, counts = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    first, n = 0, len(offsets) - 1
    while (
        first < n
    ):  # some texts at a time, so that what is made of them stays in the processor's cache
        last = int(np.searchsorted(offsets, offsets[first] + _AT_ONCE, "right")) - 1
        last = max(first + 1, min(last, n))
        key = _keys(codes[offsets[first] : offsets[last]], offsets[first : last + 1], sizes, bits)
        room = (last - first) << bits
        if room <= _ROOM * len(key):  # counting in a dense table is faster than sorting
            dense = np.bincount(key, minlength=room)
            known = np.flatnonzero(dense)
            counts.append(dense[known])
        else:
            known, counted = np.unique(key, return_counts=True)
            counts.append(counted)
        places.append(known + (first << bits))
        first = last
    known = np.concatenate(places)
    values = np.concatenate(counts).astype(np.float64)
    return Sparse(known >> bits, known & ((1 << bits) - 1), values, (n, 1 << bits))


def _keys(
    codes: Annotated[NDArray[np.uint32], "W"],
    offsets: Annotated[Ints, "P1"],
    sizes: tuple[int, int],
    bits: int,
) -> Ints:
    """Of every n-gram that lies in one of P texts its text and its column, as text << bits | column."""
    codes, shift = codes.astype(np.uint64) + np.uint64(1), np.uint64(64 - bits)
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    gram, keys = np.zeros(len(codes), dtype=np.uint64), [np.zeros(0, dtype=np.int64)]
    for size in range(1, min(sizes[1], len(codes)) + 1):
        count = len(codes) - size + 1
        gram = (
            gram[:count] ^ codes[size - 1 :]
        ) * _MIX  # what a gram one shorter has, and one more
        gram ^= gram >> np.uint64(31)
        if size >= sizes[0]:
            column = (((gram + np.uint64(size)) * _MIX_MORE) >> shift).view(np.int64)
            key = (owner[:count] << bits) | column
            keys.append(key[owner[:count] == owner[size - 1 :]])
    return np.concatenate(keys)
