"""Which prompts of a task occur in the text that a model was trained on, word for word or in part.

Words are runs of letters and digits, without case and marks; a character of a script without spaces is a word. A
prompt is found by its n-grams of 13 words, one of 8 to 12 words as a whole, and a shorter one only where it is a whole
text or line: it occurs by chance inside any large corpus. The n-grams of the prompts are known first, then the
training text is read once, whatever its size.

Source: Brown et al. 2020, Language Models are Few-Shot Learners, appendix C (n from 8 to 13 words).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.types import Ints, Seen

LONGEST, SHORTEST = 13, 8  # words of an n-gram
VERSION = 1  # part of the key of stored findings: raised whenever what counts as seen changes
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_SCAN = 4_000_000  # characters searched at once
_BITS = 22  # of the table that rejects most positions before the exact look-up

Hashes = NDArray[np.uint64]
_STEP = np.uint64(0x9E3779B97F4A7C15 | 1)


def words_of(text: str) -> list[str]:
    """The words of a text, normalised for comparison."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class _Sought:
    """A prompt that is searched for; a short one has a single n-gram of its own length."""

    words: Ints  # ids
    n: int  # words of an n-gram; 0 = compared as a whole text or line only
    grams: Hashes  # (words - n + 1,)


@dataclass
class _Search:
    """The prompts that are searched for, indexed by their words and n-grams."""

    ids: dict[str, int]  # word -> index, 0 for every word that no prompt has
    values: Hashes  # index -> random number
    sought: Sequence[_Sought]
    lengths: tuple[int, ...]  # of n-grams
    # words -> prompts that are found as a whole text or line only
    short: Mapping[tuple[str, ...], list[int]]
    longest_short: int  # characters that such a line can have, generously
    seen: dict[int, set[int]] = field(default_factory=dict)  # n -> hashes seen
    exact: set[int] = field(default_factory=set)  # prompts


def seen_texts(texts: Iterable[str], prompts: Sequence[str]) -> list[Seen | None]:
    """How each prompt occurs in the texts; None for prompts that do not occur."""
    search = _prepared([words_of(p) for p in prompts])
    starts = {n: _starts(search, n) for n in search.lengths}
    tables = {
        n: _Table.of(np.concatenate([s.grams for s in search.sought if s.n == n]))
        for n in search.lengths
    }
    for batch in _batches(texts):
        _short_ones(search, batch)
        if search.lengths:
            _scan(search, _indices(search, batch), tables, starts)
    return [_seen(search, i) for i in range(len(prompts))]


def _seen(search: _Search, i: int) -> Seen | None:
    sought = search.sought[i]
    if i in search.exact:
        return Seen(True, 1.0)
    hits = [int(g) in search.seen.get(sought.n, ()) for g in sought.grams]
    return Seen(False, sum(hits) / len(hits)) if any(hits) else None


def _prepared(texts: Sequence[Sequence[str]]) -> _Search:
    vocabulary = sorted({word for words in texts for word in words})
    ids = {word: i for i, word in enumerate(vocabulary, start=1)}
    values = np.array([_random(w) for w in ["", *vocabulary]], dtype=np.uint64)
    sought: list[_Sought] = []
    short: dict[tuple[str, ...], list[int]] = {}
    for i, words in enumerate(texts):
        n = min(LONGEST, len(words)) if len(words) >= SHORTEST else 0
        row = np.array([ids[w] for w in words], dtype=np.int64)
        sought.append(
            _Sought(row, n, _rolling(values[row], (n,))[n] if n else np.empty(0, np.uint64))
        )
        if words and not n:
            short.setdefault(tuple(words), []).append(i)
    longest = max((4 * len(" ".join(words)) + 40 for words in short), default=0)
    return _Search(ids, values, sought, tuple(sorted({s.n for s in sought} - {0})), short, longest)


def _random(word: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def _rolling(values: Hashes, lengths: Sequence[int]) -> dict[int, Hashes]:
    """n -> hash of every n-gram of a row of words, for several n at once: a shorter one is the start of a longer.

    With 64 bits, a million n-grams and a billion places, one false hit is expected in twenty thousand runs.
    """
    hashes: dict[int, Hashes] = {}
    total, factor = np.zeros(len(values), np.uint64), np.uint64(1)
    with np.errstate(over="ignore"):
        for j in range(max(lengths)):
            n_left = len(values) - j
            if n_left <= 0:
                break
            total = total[:n_left] + values[j:] * factor
            factor = np.uint64(factor * _STEP)
            if j + 1 in lengths:
                hashes[j + 1] = total
    return hashes | {n: np.empty(0, np.uint64) for n in lengths if n not in hashes}


@dataclass(frozen=True)
class _Table:
    """Hashes that are searched for, with a table of their last bits that rejects most positions in one look-up."""

    hashes: Hashes  # sorted
    bits: NDArray[np.bool_]

    @classmethod
    def of(cls, hashes: Hashes) -> _Table:
        """The table of these hashes."""
        bits = np.zeros(1 << _BITS, np.bool_)
        bits[_low(hashes)] = True
        return cls(np.unique(hashes), bits)

    def places(self, hashes: Annotated[Hashes, "H"]) -> Annotated[Ints, "places"]:
        """Positions of the hashes that are in the table."""
        likely = np.flatnonzero(self.bits[_low(hashes)])
        at = np.minimum(np.searchsorted(self.hashes, hashes[likely]), len(self.hashes) - 1)
        return np.asarray(likely[self.hashes[at] == hashes[likely]], dtype=np.int64)


def _low(hashes: Annotated[Hashes, "H"]) -> Annotated[Ints, "H"]:
    return (hashes >> np.uint64(64 - _BITS)).astype(np.int64)


def _starts(search: _Search, n: int) -> dict[int, list[int]]:
    """First n-gram -> prompts that begin with it."""
    starts: dict[int, list[int]] = {}
    for i, sought in enumerate(search.sought):
        if sought.n == n:
            starts.setdefault(int(sought.grams[0]), []).append(i)
    return starts


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _SCAN:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _indices(search: _Search, batch: Sequence[str]) -> Annotated[Ints, "W"]:
    """Word indices of all texts; texts are separated by a word that no prompt has."""
    get = search.ids.get
    indices: list[int] = []
    for text in batch:
        indices.extend(map(get, words_of(text), repeat(0)))
        indices.append(0)
    return np.array(indices, dtype=np.int64)


def _scan(
    search: _Search,
    row: Annotated[Ints, "W"],
    tables: Mapping[int, _Table],
    starts: Mapping[int, Mapping[int, list[int]]],
) -> None:
    """Records every n-gram of a prompt, and every whole prompt, that occurs in a row of words."""
    for n, hashes in _rolling(search.values[row], search.lengths).items():
        places = tables[n].places(hashes)
        search.seen.setdefault(n, set()).update(np.unique(hashes[places]).tolist())
        for place in places.tolist():
            for i in starts[n].get(int(hashes[place]), ()):
                words = search.sought[i].words
                if i not in search.exact and np.array_equal(row[place : place + len(words)], words):
                    search.exact.add(i)


def _short_ones(search: _Search, batch: Sequence[str]) -> None:
    """Records short prompts that are a whole text, or a whole line of one."""
    for text in batch if search.short else ():
        for piece in (text, *text.splitlines()) if "\n" in text else (text,):
            if len(piece) <= search.longest_short:
                search.exact.update(search.short.get(tuple(words_of(piece)), ()))
