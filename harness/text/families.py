"""Feature vectors of the four style families, in which two models' replies are compared.

format             list items, headings, bold, code, tables, label lines, paragraphs
length_rhythm      words in all, words per sentence and their spread, words per paragraph
words              how often the commonest words and punctuation marks occur, among the first words of a reply
openings_closings  the first one to three words with the mark behind them, the last one or two with the last character

Amounts are spread over bands a factor of two wide (a reply between two bands belongs to both in part), so that the mean
over prompts is a smooth histogram: two models are alike when their replies are spread alike, not when means agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.text.segment import LAYOUT, Codes, Reading
from harness.types import Floats, Ints

FAMILIES = ("format", "length_rhythm", "words", "openings_closings")
# first words of a reply that the family `words` looks at, so that length is not in it
WINDOW_WORDS = 200
COMMON_WORDS = 300  # commonest words of two models' replies taken together
_COMMON_EDGE = 0.005  # share of replies from which an opening or a closing counts as a habit
_SHAPES = tuple(LAYOUT.index(k) for k in LAYOUT if k not in ("paragraphs", "lines"))
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: codes of several words stay distinct
Grams = NDArray[np.uint64]


def differences(family: str, first: Reading, second: Sequence[Reading], rows: Ints) -> Floats:
    """Vectors (R, D) of `first` minus those of `second` (the mean over its samples), prompt by prompt.

    The space is made from these replies alone and in the same way whichever comes first. Its scale is arbitrary.
    The returned array may be shared and is read-only.
    """
    return _differences(family, first, tuple(second), np.asarray(rows, dtype=np.int64).tobytes())


# all students of a teacher ask for the same base, and two measures for the same student
@lru_cache(maxsize=24)
def _differences(
    family: str, first: Reading, second: tuple[Reading, ...], row_bytes: bytes
) -> Floats:
    found = _found_differences(family, first, second, np.frombuffer(row_bytes, dtype=np.int64))
    found.setflags(write=False)
    return found


def _found_differences(
    family: str, first: Reading, second: Sequence[Reading], rows: Ints
) -> Floats:
    if family == "format":
        return _fixed(shape_bands, first, second, rows)
    if family == "length_rhythm":
        return _fixed(rhythm_bands, first, second, rows)
    if family == "words":
        return _word_differences(first, second, rows)
    if family == "openings_closings":
        return _edge_differences(first, second, rows)
    raise ValueError(f"family {family!r}: expected one of {', '.join(FAMILIES)}")


def bands(amounts: Floats, step: float, top: int) -> Floats:
    """Amounts (P,) >= 0 as weights (P, top + 1) over bands at log2(1 + amount) = 0, step, 2 step ...; rows sum to 1.

    An amount between two bands is shared among them in proportion; beyond the last it belongs to the last.
    """
    place = np.minimum(np.log2(1 + amounts) / step, top)
    low = np.minimum(place.astype(np.int64), top - 1)
    weights = np.zeros((len(amounts), top + 1))
    rows = np.arange(len(amounts))
    weights[rows, low] = 1 - (place - low)
    weights[rows, low + 1] = place - low
    return weights


@lru_cache(maxsize=160)
def shape_bands(texts: Reading) -> Floats:
    """Family `format`: bands (P, D) of every kind of layout."""
    kinds = [bands(texts.layout[:, k].astype(np.float64), 1.0, 5) for k in _SHAPES]
    blocks = bands(texts.layout[:, LAYOUT.index("paragraphs")].astype(np.float64), 1.0, 6)
    return np.concatenate([*kinds, blocks], axis=1)


@lru_cache(maxsize=160)
def rhythm_bands(texts: Reading) -> Floats:
    """Family `length_rhythm`: bands (P, D) of words, words per sentence, their spread, words per paragraph."""
    n = texts.n_words.astype(np.float64)
    blocks = np.maximum(texts.layout[:, LAYOUT.index("paragraphs")], 1)
    parts = [
        bands(n, 1.0, 13),
        bands(n / np.maximum(texts.sentences, 1), 0.5, 16),
        bands(texts.sentence_spread, 0.5, 14),
        bands(n / blocks, 1.0, 11),
    ]
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=160)
def edges(texts: Reading) -> Grams:
    """First word with its mark, first two, first three words; last character, last word, last two: codes (P, 6)."""
    start, stop = texts.offsets[:-1], texts.offsets[1:]
    first = [_word_at(texts, start + k, stop) for k in range(3)]
    last = [
        _word_at(texts, np.where(stop - 1 - k >= start, stop - 1 - k, stop), stop) for k in range(2)
    ]
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


def _word_at(texts: Reading, place: Ints, stop: Ints) -> Grams:
    """Codes (P,) of the words at these places; 0 beyond the end of the text."""
    padded = np.concatenate([texts.words.astype(np.uint64) + np.uint64(1), np.zeros(1, np.uint64)])
    return padded[np.where(place < stop, place, len(texts.words))]


def _fixed(space: object, first: Reading, second: Sequence[Reading], rows: Ints) -> Floats:
    assert callable(space)
    return np.asarray(space(first)[rows] - np.mean([space(t)[rows] for t in second], axis=0))


def _edge_differences(first: Reading, second: Sequence[Reading], rows: Ints) -> Floats:
    """Differences (R, D) with one coordinate per common opening or closing: whether the reply has it."""
    own, other = edges(first)[rows], [edges(t)[rows] for t in second]
    return np.concatenate(
        [_one_hot_difference(own[:, k], [o[:, k] for o in other]) for k in range(own.shape[1])],
        axis=1,
    )


def _one_hot_difference(own: Grams, other: Sequence[Grams]) -> Floats:
    known, place = np.unique(np.concatenate([own, *other]), return_inverse=True)
    n = len(own)
    sets = [place[i * n : (i + 1) * n] for i in range(1 + len(other))]
    counts = [np.bincount(s, minlength=len(known)) for s in sets]
    share = (counts[0] + np.mean(counts[1:], axis=0)) / (2 * n)
    common = np.flatnonzero((share >= _COMMON_EDGE) & (np.sum(counts, axis=0) >= 2))
    column = np.full(len(known), len(common))
    column[common] = np.arange(len(common))
    eye = np.vstack([np.eye(len(common)), np.zeros(len(common))])
    return np.asarray(eye[column[sets[0]]] - np.mean([eye[column[s]] for s in sets[1:]], axis=0))


def _word_differences(first: Reading, second: Sequence[Reading], rows: Ints) -> Floats:
    """Differences of relative frequencies, scaled so that their squares add up to a chi-squared distance."""
    windows = [_window(t) for t in (first, *second)]
    known, place = np.unique(np.concatenate([w for w, _ in windows]), return_inverse=True)
    bounds = np.cumsum([0, *(len(w) for w, _ in windows)])
    sets = [
        (place[a:b], text) for a, b, (_, text) in zip(bounds, bounds[1:], windows, strict=False)
    ]
    n = len(first.offsets) - 1
    rates = [_rates(p, text, n, len(known)) for p, text in sets]
    mean = (rates[0] + np.mean(rates[1:], axis=0)) / 2
    common = np.sort(np.lexsort((known, -mean))[:COMMON_WORDS])
    tables = [_table(p, text, n, common, len(known)) for p, text in sets]
    points = [
        np.concatenate([w, _mark_rates(t)], axis=1)[rows]
        for w, t in zip(tables, (first, *second), strict=True)
    ]
    other = np.mean(points[1:], axis=0)
    scale = (points[0].mean(axis=0) + other.mean(axis=0)) / 2
    held = scale > 0
    return np.asarray((points[0] - other)[:, held] / np.sqrt(scale[held]))


def _window(texts: Reading) -> tuple[Codes, Ints]:
    """Codes and texts (W',) of the first words of every text."""
    position = np.arange(len(texts.words)) - np.repeat(texts.offsets[:-1], texts.n_words)
    kept = position < WINDOW_WORDS
    return texts.words[kept], texts.text_of_word[kept]


def _weights(text: Ints, n: int) -> Floats:
    """1 / number of words in the window, for every word (W',)."""
    return np.asarray(1 / np.bincount(text, minlength=n)[text])


def _rates(place: Ints, text: Ints, n: int, size: int) -> Floats:
    """Mean relative frequency of every word (size,)."""
    return np.bincount(place, weights=_weights(text, n), minlength=size) / n


def _table(place: Ints, text: Ints, n: int, common: Ints, size: int) -> Floats:
    """Relative frequencies (n, C) of the common words."""
    column = np.full(size, -1)
    column[common] = np.arange(len(common))
    kept = column[place] >= 0
    cell = text[kept] * len(common) + column[place[kept]]
    table: Floats = np.bincount(
        cell, weights=_weights(text, n)[kept], minlength=n * len(common)
    ).astype(np.float64)
    return table.reshape(n, len(common))


def _mark_rates(texts: Reading) -> Floats:
    """Punctuation marks per word (P, M), at most 1."""
    return np.minimum(texts.marks / np.maximum(texts.n_words, 1)[:, None], 1.0)
