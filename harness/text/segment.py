"""Segmentation of texts into words, sentences, lines and paragraphs, in any script; done here only.

A word is a run of letters or digits with its marks and apostrophes; in scripts without spaces (Han, kana, Thai ...) and
among emoji every character is a word. Layout marks at the start of a line ("- ", "1. ", "## ") are not words.
"""

from __future__ import annotations

import re
import sys
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.types import Floats, Ints

Codes = NDArray[np.uint32]

# Scripts that put no spaces between words.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_EMOJI = "\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff"
EMOJI = re.compile(f"[{_EMOJI}]")
_SENTENCE_END = re.compile(r"[.!?…؟۔।]+[\"'”’)\]*_]*(?=\s|$)|[。！？]+[」』”’）]*|\n+")
# The same where there is nothing but ASCII, in half the time: a first character by which the engine
# can search.
_ASCII_SENTENCE_END = re.compile(r"[.!?\n](?:(?<=\n)\n*|(?<!\n)[.!?]*[\")\]*_']*(?=\s|$))")
_PARAGRAPH_END = re.compile(r"\n[ \t\r]*\n\s*")
_BULLET = re.compile(r"^[ \t]*[-*•‣◦▪–][ \t]+(?=\S)", re.MULTILINE)
_NUMBER = re.compile(r"^[ \t]*\(?(?:\d{1,3}|[a-zA-Z])[.)][ \t]+(?=\S)", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+(?=\S)", re.MULTILINE)
_QUOTE = re.compile(r"^[ \t]*>[ \t]?(?=\S)", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)
_BOLD = re.compile(r"\*\*(?=\S)[^*\n]{1,300}\*\*|__(?=\S)[^_\n]{1,300}__")
_LABEL = re.compile(r":[*_]{0,2}[ \t]*$", re.MULTILINE)
# the same matches as _word_pattern's, in a third of the time
_ASCII_WORD_OF_ALL = r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*"
_ASCII_WORD = re.compile(_ASCII_WORD_OF_ALL)
_ASCII_WORD_OR_END = re.compile(rf"{_ASCII_WORD_OF_ALL}|\n")
_END = (
    "\n"  # stands for the end of a sentence: lines' ends are among them, so that no other is left
)
_LAYOUT = (
    ("headings", _HEADING, "#"),
    ("quotes", _QUOTE, ">"),
    ("numbered", _NUMBER, ""),
    ("bullets", _BULLET, ""),
)
LAYOUT = (
    "bullets", "numbered", "headings", "quotes", "bold", "code_blocks", "table_rows", "label_lines",
    "paragraphs", "lines",
)  # fmt: skip
# Marks that are counted in every text. A key is what the reader sees, a value the characters
# counted.
MARKS = {
    "comma": ",،，、", "semicolon": ";；؛", "colon": ":：", "dash": "—–", "parenthesis": "(（",
    "quotation mark": '"“«「',
    "exclamation mark": "!！", "question mark": "?？؟", "full stop": ".。।۔", "apostrophe": "'’",
}  # fmt: skip


def words(text: str) -> list[str]:
    """Words in lower case, without layout marks at the start of lines."""
    return _pattern_for(text).findall(_without_layout(text)[0].lower())


def sentences(text: str) -> list[list[str]]:
    """Words of every sentence that has any; a line's end ends a sentence too."""
    return _sentences(text, _without_layout(text)[0])


def _sentences(text: str, plain: str) -> list[list[str]]:
    """The same, from the text without its layout marks."""
    pieces = groupby(_words_and_ends(text, plain), key=_END.__eq__)
    return [list(inside) for is_end, inside in pieces if not is_end]


def _words_and_ends(text: str, plain: str) -> list[str]:
    """The words, and _END wherever a sentence ends."""
    if text.isascii():
        return _ASCII_WORD_OR_END.findall(_ASCII_SENTENCE_END.sub(_END, plain.lower()))
    return _word_or_end_pattern().findall(_SENTENCE_END.sub(_END, plain.lower()))


def paragraphs(text: str) -> list[str]:
    """Blocks between blank lines."""
    return [p for p in _PARAGRAPH_END.split(text.strip()) if p]


def layout(text: str) -> dict[str, int]:
    """Counts of everything in LAYOUT: list items, headings, bold spans, code blocks ..."""
    return _layout(text, _without_layout(text)[1])


def _layout(text: str, at_lines: dict[str, int]) -> dict[str, int]:
    """The same, from the marks at the starts of lines."""
    return {
        **at_lines,
        "bold": len(_BOLD.findall(text)) if "**" in text or "__" in text else 0,
        "code_blocks": text.count("```") // 2,
        "table_rows": len(_TABLE.findall(text)) if "|" in text else 0,
        "label_lines": len(_LABEL.findall(text)) if ":" in text else 0,
        "paragraphs": len(paragraphs(text)),
        "lines": sum(1 for line in text.splitlines() if line.strip()),
    }


def among(
    words: Annotated[Codes, "W"], known: Annotated[Codes, "C"]
) -> Annotated[NDArray[np.bool_], "W"]:
    """Whether each word (W,) is one of the known codes, which are sorted."""
    if not len(known):
        return np.zeros(len(words), dtype=bool)
    return np.asarray(known[np.minimum(np.searchsorted(known, words), len(known) - 1)] == words)


def code(word: str) -> int:
    """A number for a word, the same on every machine."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


class _Codes(dict[str, int]):
    """Codes of words that were asked for, up to so many, and a number that is no word's for the end of a sentence."""

    most, end = 500_000, -1

    def __missing__(self, word: str) -> int:
        if len(self) >= self.most:
            self.clear()
        self[word] = made = self.end if word == _END else code(word)
        return made


_code = _Codes().__getitem__


@dataclass(frozen=True, eq=False)
class Reading:
    """P texts, read once: their words as codes, and counts of layout, marks and emoji."""

    words: Codes  # (W,) all words of all texts, one text after the other
    offsets: Annotated[Ints, "P1"]  # text i has the words [offsets[i], offsets[i + 1])
    sentences: Annotated[Ints, "P"]
    sentence_spread: Annotated[Floats, "P"]  # standard deviation of words per sentence
    characters: Annotated[Ints, "P"]  # in words
    layout: Annotated[Ints, "P L"]  # (P, len(LAYOUT))
    marks: Annotated[Ints, "P M"]  # (P, len(MARKS))
    emoji: Annotated[Ints, "P"]
    ends: tuple[str, ...]  # (P,) mark after the first word, and the last character: "!." say

    @property
    def n_words(self) -> Annotated[Ints, "P"]:
        """Words of every text (P,)."""
        return np.diff(self.offsets)

    @property
    def text_of_word(self) -> Annotated[Ints, "W"]:
        """Index (W,) of the text that each word belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.n_words)

    def of(self, rows: Annotated[Ints, "R"]) -> Reading:
        """The same of some of the texts, in the order of `rows` (R,)."""
        lengths = self.n_words[rows]
        starts = np.repeat(self.offsets[:-1][rows], lengths)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = starts + np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Reading(
            words=self.words[places],
            offsets=offsets,
            sentences=self.sentences[rows],
            sentence_spread=self.sentence_spread[rows],
            characters=self.characters[rows],
            layout=self.layout[rows],
            marks=self.marks[rows],
            emoji=self.emoji[rows],
            ends=tuple(self.ends[i] for i in rows),
        )


def read(texts: Sequence[str]) -> Reading:
    """The texts, segmented and counted."""
    rows = [_row(t) for t in texts]
    lengths = [len(r.words) for r in rows]
    codes = np.fromiter(
        chain.from_iterable(map(_code, r.words) for r in rows), np.int64, sum(lengths)
    )
    owner = np.repeat(np.arange(len(rows)), lengths)
    ends = np.flatnonzero(codes == _Codes.end)
    of_sentence = np.diff(ends, prepend=-1) - 1  # words of each; the last of a text ends in it
    sentences_of = np.split(of_sentence, np.cumsum(np.bincount(owner[ends], minlength=len(rows))))
    of_text = [[n for n in found.tolist() if n] for found in sentences_of[: len(rows)]]
    is_word = codes != _Codes.end
    n_words = np.bincount(owner[is_word], minlength=len(rows))
    return Reading(
        words=codes[is_word].astype(np.uint32),
        offsets=np.concatenate([[0], np.cumsum(n_words)]).astype(np.int64),
        sentences=np.array([len(found) for found in of_text], dtype=np.int64),
        sentence_spread=np.array([_spread(found) for found in of_text], dtype=np.float64),
        characters=np.array([r.characters for r in rows], dtype=np.int64),
        layout=np.array([r.layout for r in rows], dtype=np.int64).reshape(len(rows), len(LAYOUT)),
        marks=np.array([_counts(t) for t in texts], dtype=np.int64).reshape(len(rows), len(MARKS)),
        emoji=np.array(
            [0 if t.isascii() else len(EMOJI.findall(t)) for t in texts], dtype=np.int64
        ),
        ends=tuple(_ends(t) for t in texts),
    )


class _Row(NamedTuple):
    words: list[str]  # with _END wherever a sentence ends, and at the end
    characters: int  # in words
    layout: list[int]


def _row(text: str) -> _Row:
    plain, at_lines = _without_layout(text)
    found = [*_words_and_ends(text, plain), _END]
    counts = _layout(text, at_lines)
    return _Row(found, len("".join(found)) - found.count(_END), [counts[k] for k in LAYOUT])


def _spread(lengths: Sequence[int]) -> float:
    """Standard deviation; 0 where there is one sentence or none."""
    if len(lengths) < 2:
        return 0.0
    mean = sum(lengths) / len(lengths)
    return float((sum((x - mean) ** 2 for x in lengths) / len(lengths)) ** 0.5)


def _counts(text: str) -> list[int]:
    if text.isascii():
        return [text.count(marks[0]) for marks in MARKS.values()]
    return [sum(text.count(m) for m in marks) for marks in MARKS.values()]


def _ends(text: str) -> str:
    """The character after the first word and the last one of the text, "_" for a letter, digit, space or none."""
    stripped = text.strip()
    first = _pattern_for(stripped).search(stripped)
    after = stripped[first.end() : first.end() + 1] if first else ""
    return "".join(
        "_" if not c or c.isalnum() or c.isspace() else c for c in (after, stripped[-1:])
    )


def _without_layout(text: str) -> tuple[str, dict[str, int]]:
    """The text without marks of layout at the starts of lines, and how many of each there were."""
    counts = {}
    for name, pattern, sign in _LAYOUT:
        text, counts[name] = pattern.subn("", text) if sign in text else (text, 0)
    return text, counts


def _pattern_for(text: str) -> re.Pattern[str]:
    return _ASCII_WORD if text.isascii() else _word_pattern()


@cache
def _word_or_end_pattern() -> re.Pattern[str]:
    return re.compile(rf"{_word_pattern().pattern}|\n")


@cache
def _word_pattern() -> re.Pattern[str]:
    """A run of letters and digits with marks and inner apostrophes; or one character where there are no spaces."""
    marks, letter = _combining_marks(), rf"[^\W_{_ALONE}]"
    emoji = f"[{_EMOJI}][\ufe0f\U0001f3fb-\U0001f3ff]*"
    return re.compile(
        rf"{letter}+(?:{letter}+|[{marks}]+|['’](?={letter}))*|[{_ALONE}][{marks}]*|{emoji}(?:\u200d{emoji})*"
    )


def _combining_marks() -> str:
    """All combining marks as ranges of a character class."""
    points = [i for i in range(0x300, 0x10000) if unicodedata.category(chr(i)).startswith("M")]
    points += [
        i
        for i in range(0x10000, min(0x20000, sys.maxunicode))
        if unicodedata.category(chr(i)).startswith("M")
    ]
    starts = [p for p, q in zip(points, [-2, *points], strict=False) if p != q + 1]
    stops = [p for p, q in zip(points, [*points[1:], -2], strict=True) if q != p + 1]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, stops, strict=True))
