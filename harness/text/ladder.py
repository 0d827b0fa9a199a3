"""Feature vectors of replies from which more and more is removed, to locate where a style is.

letters_only    words alone, in lower case: no marks, layout, emoji
shuffled_words  the same words in random order
common_words    words in order, all but the commonest replaced by the same symbol
markdown        the skeleton of the layout: the kind of every line and where something is bold, without words

Source: Sun et al. 2025, Idiosyncrasies in Large Language Models, section 4 (special characters, shuffling, Markdown);
Stamatatos 2017, Authorship attribution using text distortion (masking of all but the commonest words).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from harness.text.grams import Float32s, damped, word_grams
from harness.text.segment import Codes, Reading, among
from harness.types import Ints

COMMON_WORDS = 150  # commonest words of teacher and base together that stay readable
BITS = 12  # 2 ** 12 columns
SIZES = (1, 3)  # words, or signs of layout
_MASK = 0  # stands for every masked word
_LINE = re.compile(
    r"[ \t]*(?:(#{1,6}[ \t]+\S)|([-*•‣◦▪–][ \t]+\S)|(\(?(?:\d{1,3}|[a-zA-Z])[.)][ \t]+\S)|(>[ \t]?\S)|(\|)|(```)|(\S))"
)
_BLANK, _BOLD, _CODE, _LABEL = 8, 9, 10, 11  # after the seven kinds of line in _LINE
_MIX = np.uint64(0x9E3779B97F4A7C15)


def letters_only(texts: Reading) -> Annotated[Float32s, "P D"]:
    """Points (P, 2 ** BITS) of the words in their order."""
    return _points(texts, texts.words)


def shuffled_words(texts: Reading, ids: Sequence[str]) -> Annotated[Float32s, "P D"]:
    """Points of the same words in an order drawn by the prompt's id: equal words of two models are shuffled alike."""
    return _points(texts, texts.words[shuffle(texts, ids)])


def common_words(texts: Reading, known: Annotated[Codes, "C"]) -> Annotated[Float32s, "P D"]:
    """Points of the words in their order, those that are not `known` (sorted) all the same."""
    return _points(texts, masked(texts.words, known))


def markdown(texts: Sequence[str], reading: Reading) -> Annotated[Float32s, "P D"]:
    """Points of the layout's skeleton."""
    rows = [skeleton(t) for t in texts]
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    flat = np.array([sign for row in rows for sign in row], dtype=np.uint32)
    return _points(replace(reading, offsets=offsets), flat)


def shuffle(texts: Reading, ids: Sequence[str]) -> Annotated[Ints, "W"]:
    """Places (W,) from which the words come when each text's are put in the order of pseudo-random numbers."""
    seeds = np.array(
        [int(hashlib.sha256(i.encode()).hexdigest()[:16], 16) for i in ids], dtype=np.uint64
    )
    text = texts.text_of_word
    position = (np.arange(len(texts.words)) - texts.offsets[:-1][text]).astype(np.uint64)
    key = (seeds[text] ^ (position + np.uint64(1))) * _MIX
    key = (key ^ (key >> np.uint64(29))) * _MIX
    return np.lexsort((key ^ (key >> np.uint64(32)), text)).astype(np.int64)


def commonest(texts: Sequence[Reading], number: int = COMMON_WORDS) -> Codes:
    """Codes (number,), sorted, of the words that occur most often in all these texts; ties by code."""
    known, counts = np.unique(np.concatenate([t.words for t in texts]), return_counts=True)
    return np.sort(known[np.lexsort((known, -counts))[:number]])


def masked(words: Codes, known: Codes) -> Codes:
    """The words, with those that are not known replaced by one symbol."""
    return np.where(among(words, known), words, np.uint32(_MASK)).astype(np.uint32)


def skeleton(text: str) -> list[int]:
    """One number for the kind of every line, then one for every bold span, code span and colon at the end of it."""
    signs: list[int] = []
    for line in text.strip().splitlines():
        match = _LINE.match(line)
        signs.append(match.lastindex or _BLANK if match else _BLANK)
        signs += [_BOLD] * (line.count("**") // 2) + [_CODE] * (
            line.count("`") // 2 if "```" not in line else 0
        )
        signs += [_LABEL] * line.rstrip(" *_").endswith(":")
    return signs


def _points(texts: Reading, words: Annotated[Codes, "W"]) -> Annotated[Float32s, "P D"]:
    # Bypasses the cache of word_grams: these results are used once, and would evict those that others
    # ask for again.
    return damped(word_grams.__wrapped__(replace(texts, words=words), *SIZES, BITS))
