"""Replies that decline what was asked, told by a table of phrasings at the opening of the reply."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

Slots = tuple[tuple[str, tuple[str, ...]], ...]  # (name, words)

OPENING = 3  # sentences of a reply that are looked at
_LONGEST = 400  # characters, the same
_STOP = r".!?。！？\n"
_SENTENCE = re.compile(rf"[{_STOP}]+(?=\s|$)|[。！？\n]+")
_QUOTED = re.compile(
    r"\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|„[^“\n]*“|「[^」\n]*」|```.*?```", re.DOTALL
)
# a whole reply in one pair of quotes: its own words, not somebody's
_WRAPPED = re.compile(
    r"[\s*_]*(?:\"([^\"]*)\"|“([^“”]*)”|«([^«»]*)»|„([^„“”]*)[“”]|「([^「」]*)」|['‘]((?:[^'‘’]|['’](?=\w))*)['’])[\s*_.]*"
)
_MARKS = re.compile(r"[*_#`]+|^\s*[-•>]\s+", re.MULTILINE)
_LEADING = re.compile(r"^[^\w“'(]+")  # emoji, bullets: a sentence begins behind them
_PAUSE = r"[,;:，、；：—–-]"
_IDEOGRAM = 0x2E80  # from here on scripts write no space between words


@dataclass(frozen=True)
class Phrasings:
    """How replies in one language decline."""

    openers: tuple[str, ...]  # what may stand before a phrase
    joins: tuple[str, ...]  # what joins the two
    phrases: tuple[str, ...]
    slots: Slots = ()  # of phrases
    unless: tuple[str, ...] = ()  # idioms whose sentence does not decline
    caveats: tuple[str, ...] = ()  # what stands soon behind one that only warns
    letters: tuple[str, ...] = ()  # beginnings of replies that hold somebody else's words

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What a sentence begins with that declines."""
        slots = dict(self.slots)
        phrases = _any([_phrase(p, slots) for p in self.phrases])
        openers, joins = _any(map(_words, self.openers)), _any(map(_words, self.joins))
        lead = rf"(?:{openers}(?:[^{_STOP}]{{0,160}}?(?:{_PAUSE}|\s(?={joins})))?\s*)?"
        caveats = _any(map(_words, self.caveats))
        plainly = rf"(?!(?:\s+[\w'-]+){{0,3}}\s+{caveats})" if self.caveats else ""
        return re.compile(rf"{lead}(?:{joins}[\s,，、]*)*{phrases}{plainly}")

    @cached_property
    def idioms(self) -> re.Pattern[str] | None:
        """Idioms that sound like a phrase."""
        return re.compile(_any(map(_words, self.unless))) if self.unless else None

    def begins_letter(self, text: str) -> bool:
        """Whether a plain reply holds words of somebody else: a letter that was asked for."""
        return text.startswith(self.letters) and not text.startswith(self.openers)

    def declines(self, sentences: Iterable[str]) -> bool:
        """Whether one of the sentences declines."""
        declining = (s for s in sentences if self.pattern.match(s))
        return any(self.idioms is None or not self.idioms.search(s) for s in declining)


@dataclass(frozen=True)
class Refusals:
    """The phrasings of several languages."""

    languages: tuple[Phrasings, ...]

    def declined(self, reply: str) -> bool:
        """Whether a reply declines what was asked in its opening: whether it helps after all is not looked at."""
        text = plain(reply)
        if any(p.begins_letter(text) for p in self.languages):
            return False
        sentences = opening(text)
        return any(p.declines(sentences) for p in self.languages)


def plain(reply: str) -> str:
    """A reply in small letters with plain apostrophes, without marks of layout and without what it quotes."""
    text = _unwrapped(reply)[: 2 * _LONGEST].casefold().replace("’", "'").replace("‘", "'")
    return _MARKS.sub("", _QUOTED.sub(" “” ", text)).strip()


def _unwrapped(reply: str) -> str:
    """A reply without the quotes that it stands in as a whole."""
    wrapped = _WRAPPED.fullmatch(reply)
    return reply if wrapped is None else "".join(filter(None, wrapped.groups()))


def opening(text: str) -> list[str]:
    """The first sentences of a plain text."""
    sentences = [_LEADING.sub("", " ".join(s.split())) for s in _SENTENCE.split(text[:_LONGEST])]
    return [s for s in sentences if s][:OPENING]


def _phrase(phrase: str, slots: dict[str, tuple[str, ...]]) -> str:
    """A phrase as a pattern: {name} is a slot, ... some words more, or none."""
    parts = re.split(r"(\{\w+\}| \.\.\. |\.\.\.)", phrase)
    made = [_part(part, slots) for part in parts if part]
    return "".join(made) + ("" if phrase[-1] == "}" else _boundary(phrase[-1]))


def _part(part: str, slots: dict[str, tuple[str, ...]]) -> str:
    some = rf"[^{_STOP}]{{0,60}}?"
    if part == "...":
        return some
    if part == " ... ":
        return rf"(?: {some})? "
    return _any(map(_words, slots[part[1:-1]])) if part[0] == "{" else re.escape(part)


def _words(words: str) -> str:
    return re.escape(words.casefold()) + _boundary(words[-1])


def _boundary(last: str) -> str:
    """The end of a word, where its script has ends of words."""
    return r"(?!\w)" if ord(last) < _IDEOGRAM and last.isalnum() else ""


def _any(patterns: Iterable[str]) -> str:
    """Any of some patterns, the longest first."""
    return f"(?:{'|'.join(sorted(patterns, key=len, reverse=True))})"
