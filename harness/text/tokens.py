"""Tokens of replies for attribution: lower case, words, single marks, and runs of newlines; the first of each reply.

Unlike the words of `segment`, marks and line ends are tokens too, since habits show in them. What is made for one model
depends on no other model, and carries its own vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.text.segment import _ALONE
from harness.types import Ints

Codes = NDArray[np.uint32]

LONGEST = 300  # tokens of a reply that are looked at
_TOKEN = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+|[^\w\s]|\n+")
_FIRST_CHARACTERS = 2400  # most replies have LONGEST tokens in fewer


@dataclass(frozen=True, eq=False)
class Tokens:
    """The first tokens of R texts, as places in a sorted vocabulary of their own."""

    words: tuple[str, ...]  # (V,) distinct, sorted
    codes: Annotated[Codes, "T"]  # places in `words`, one text after the other
    offsets: Annotated[Ints, "R1"]  # text i has the tokens [offsets[i], offsets[i + 1])


def read_tokens(texts: Sequence[str]) -> Tokens:
    """The tokens of texts (R,); of each the first 300."""
    place: dict[str, int] = {}
    rows = [[place.setdefault(t, len(place)) for t in tokens(text)] for text in texts]
    words = sorted(place)
    rank = np.empty(len(words), dtype=np.uint32)
    rank[[place[w] for w in words]] = np.arange(len(words))
    flat = np.fromiter((code for row in rows for code in row), dtype=np.int64)
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokens(tuple(words), rank[flat], offsets)


def tokens(text: str) -> list[str]:
    r"""The first tokens of a text; a run of newlines is "\n" or, for several, "\n\n"."""
    lower = text.lower()
    some = _TOKEN.findall(lower[:_FIRST_CHARACTERS])
    if len(some) <= LONGEST:  # the last one may be cut in two
        some = _TOKEN.findall(lower)
    return [t[:2] if t[0] == "\n" else t for t in some[:LONGEST]]


def in_one_vocabulary(several: Sequence[Tokens]) -> tuple[tuple[str, ...], list[Codes]]:
    """All words (V,), sorted, and the codes of each as places among them."""
    words = sorted(set().union(*(t.words for t in several)))
    place = {word: i for i, word in enumerate(words)}
    tables = [np.array([place[w] for w in t.words], dtype=np.uint32) for t in several]
    return tuple(words), [table[t.codes] for table, t in zip(tables, several, strict=True)]
