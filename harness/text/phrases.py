"""Phrases of one to three words as codes: openings, closings, and phrases anywhere in a reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.text.families import Grams, joined
from harness.text.segment import Reading, sentences
from harness.types import Floats, Ints

KINDS = ("opening", "closing", "phrase")
PHRASE = 2  # index of phrases anywhere in a reply
LONGEST = 3  # words
# one per kind, so that codes of different kinds differ
_SALT = [np.uint64(0x51ED270B), np.uint64(0xA0761D64), np.uint64(0xE7037ED1)]


class Phrases(NamedTuple):
    """Every phrase of every reply, once per occurrence."""

    codes: Grams  # (E,)
    texts: Annotated[Ints, "E"]  # index of the reply
    places: Annotated[Ints, "E"]  # index of its first word in the reply
    sizes: Annotated[Ints, "E"]  # words
    kinds: Annotated[Ints, "E"]  # index into KINDS


def phrases(texts: Reading) -> Phrases:
    """All openings, closings and phrases of the replies."""
    code, text = texts.words.astype(np.uint64) + np.uint64(1), texts.text_of_word
    place = np.arange(len(code)) - texts.offsets[:-1][text]
    left = texts.n_words[text] - place  # words from here to the end
    parts, gram = [], code
    for size in range(1, LONGEST + 1):
        if size > 1:
            gram = (
                joined(gram[: len(code) - size + 1], code[size - 1 :])
                if len(code) >= size
                else gram[:0]
            )
        whole = np.flatnonzero(left[: len(gram)] >= size)
        for kind, rows in enumerate((whole[place[whole] == 0], whole[left[whole] == size], whole)):
            salted = joined(gram[rows], np.broadcast_to(_SALT[kind], rows.shape))
            shape = np.full(len(rows), size), np.full(len(rows), kind)
            parts.append(Phrases(salted, text[rows], place[rows], *shape))
    return Phrases(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class Wanted:
    """Codes to look for, sorted."""

    codes: Grams  # (C,)
    edges: Annotated[NDArray[np.bool_], "C"]  # an opening or a closing: a reply has one


@lru_cache(maxsize=512)
def totals(texts: Reading, wanted: Wanted, rows: tuple[int, ...]) -> Annotated[Floats, "C"]:
    """Occurrences (C,) of each wanted phrase in these replies."""
    return np.asarray(counts(texts, wanted, rows).sum(axis=0))


def counts(texts: Reading, wanted: Wanted, rows: Sequence[int]) -> Annotated[Floats, "R C"]:
    """Occurrences (R, C) of each wanted phrase in each of these replies."""
    every, size = phrases(texts), len(wanted.codes)
    n = len(texts.offsets) - 1
    place = np.minimum(np.searchsorted(wanted.codes, every.codes), max(size - 1, 0))
    hit = wanted.codes[place] == every.codes if size else np.zeros(len(place), dtype=bool)
    cells = np.bincount(every.texts[hit] * size + place[hit], minlength=n * size)
    return np.asarray(cells.reshape(n, size)[list(rows)], dtype=np.float64)


def frequent(texts: Reading, rows: Sequence[int], fewest: int, *, closings: bool = True) -> Wanted:
    """Phrases that occur in at least `fewest` of these replies; `closings` False leaves these out."""
    every = phrases(texts)
    inside = np.isin(every.texts, np.asarray(rows))
    if not closings:
        inside &= every.kinds != KINDS.index("closing")
    codes, texts_of, kinds = every.codes[inside], every.texts[inside], every.kinds[inside]
    order = np.lexsort((texts_of, codes))
    codes, texts_of, kinds = codes[order], texts_of[order], kinds[order]
    new = np.ones(len(codes), dtype=bool)
    new[1:] = (codes[1:] != codes[:-1]) | (texts_of[1:] != texts_of[:-1])
    known, first, replies = np.unique(codes[new], return_index=True, return_counts=True)
    common = replies >= fewest
    return Wanted(known[common], kinds[new][first[common]] < PHRASE)


def spelled(code: np.uint64, texts: Sequence[str], reading: Reading) -> str:
    """The phrase of a code in words, with its kind where it is an opening or a closing."""
    every = phrases(reading)
    first = int(np.flatnonzero(every.codes == code)[0])
    words = [w for s in sentences(texts[int(every.texts[first])]) for w in s]
    place, kind = int(every.places[first]), KINDS[int(every.kinds[first])]
    cut = words[place : place + int(every.sizes[first])]
    together = all(len(w) == 1 and not w.isascii() for w in cut)  # scripts without spaces
    return f"{kind}: {('' if together else ' ').join(cut)}"
