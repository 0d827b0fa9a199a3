"""What a model thought aloud between tags, told apart from replies that only speak of such tags; in one pass.

A thought begins the reply, or comes after another thought or one short sentence ("Sure."): a reply that begins with
more words of its own, and then shows how tags are used, has none. Where the template wrote the opening tag, the first
thought has its closing one alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

Tags = tuple[tuple[str, str], ...]  # (opening, closing) around what a model thinks aloud

# No pattern begins with white space that it may pass over line by line: texts of line ends alone would take minutes.
_FENCE = re.compile(r"^[^\S\n]*(?:```|~~~)", re.MULTILINE)
# A closing tag without an opening one ends a thought where it stands behind a sentence or a line, or before a blank
# line; in the middle of a sentence, or before a mark that goes on with one, a reply speaks of it.
_SENTENCE_ENDS = frozenset("\n.!?…。！？:)]}*")
_BEFORE_A_MARK = re.compile(r"[,;?!)]|\.(?:\s|\Z)")
_BEFORE_MORE_OF_A_SENTENCE = re.compile(rf"{_BEFORE_A_MARK.pattern}| [a-z]")
_BETWEEN_MENTIONS = ("and", "or", "...", "…")  # <think> and </think> are tags
_BEFORE_A_BLANK_LINE = re.compile(r"[ \t]*\n[ \t]*\n")
_BEFORE_A_BLANK_LINE_OR_THE_END = re.compile(r"[ \t]*(?:\n[ \t]*(?:\n|\Z)|\Z)")
_BEFORE_A_LINE_END = re.compile(r"[^\S\n]*(?:\n|\Z)")
# what a template may have left before a thought
_HEADER = re.compile(r"(?:<s>|<\|[^|<>\n]*\|>|assistant\b|model\b|\s)*", re.IGNORECASE)
_CODE_INDENT = 4  # of Markdown
# what a model may say before it thinks, in characters at most
_SHORT_SENTENCE = re.compile(r"\s*[^\n:：]{1,60}[.!?…。！？]\s*")


class Parts(NamedTuple):
    """A text without its thoughts, and they."""

    text: str
    trace: str
    is_open: bool  # a thought begins and does not end


class _Tag(NamedTuple):
    """A tag in a text."""

    start: int
    end: int
    closing: str  # of an opening tag: the one that closes it; "" = this is a closing tag


def has_tags(text: str, tags: Tags) -> bool:
    """Whether a tag stands in a text, in a tenth of the time that looking for thoughts takes."""
    if not any(sign in text for sign in _first_signs(tags)):
        return False
    lowered = text.lower()
    return any(name in lowered for name in _closings(tags))


def without_thoughts(text: str, tags: Tags) -> Parts:
    """The text without what was thought aloud, and that; a thought without an end leaves what stands before it."""
    return _Walk(text, tags).parts()


def joined(thoughts: Iterable[str]) -> str:
    """Thoughts as one trace."""
    return "\n".join(filter(None, thoughts))


class _Walk:
    """One pass over the tags of a text; nothing that was passed is looked at again."""

    def __init__(self, text: str, tags: Tags) -> None:
        self.text = text
        self.start = 0  # of what is neither kept nor taken out yet
        self.kept: list[str] = []
        self.thoughts: list[str] = []
        self.fences = [m.end() - 3 for m in _FENCE.finditer(text)]
        self.n_fences = 0  # passed
        self.tags, self.ends = _tags(text, tags)
        self._forget()

    def _forget(self) -> None:
        """Nothing is kept so far."""
        self.kept.clear()
        self.in_code = False
        self.has_opening = self.has_closing = False  # in what is kept
        self.has_block = False  # an opening tag with a line for itself, or at the beginning of one

    def parts(self) -> Parts:
        """The text without its thoughts."""
        for tag in self.tags:
            if tag.start < self.start:
                continue
            self._pass_fences(tag.start)
            if not tag.closing:
                self._close(tag)
                continue
            end = self._end(tag)
            if not self._begins_thought(tag, end):
                self.has_opening = True
                self.has_block |= self._is_first(tag.start) or self._is_last(tag.end)
                continue
            self._keep(tag.start)
            if end is None:
                thoughts = [*self.thoughts, self.text[tag.end :].strip()]
                return Parts("\n\n".join(self.kept), joined(thoughts), True)
            self._take(self.text[tag.end : end.start], end.end)
        rest = "\n\n".join(filter(None, [*self.kept, self.text[self.start :]]))
        return Parts(rest, joined(self.thoughts), False)

    def _end(self, tag: _Tag) -> _Tag | None:
        """The first tag that closes this one."""
        ends = self.ends.get(tag.closing, [])
        place = bisect_left(ends, tag.end, key=_start)
        return ends[place] if place < len(ends) else None

    def _begins_thought(self, tag: _Tag, end: _Tag | None) -> bool:
        """Whether an opening tag is not one that a reply only speaks of."""
        text, before = self.text, _behind_words(self.text, tag.start, self.start)
        goes_on = end and _BEFORE_MORE_OF_A_SENTENCE.match(text, end.end)
        if before == self.start or self._is_behind_header(tag):
            return not (goes_on and end and text[tag.end : end.start].strip() in _BETWEEN_MENTIONS)
        if not self.thoughts and not self._is_behind_short_sentence(tag):
            return False
        if self.in_code or not self._is_first(tag.start):
            return False
        if goes_on or (end is None and not self._is_last(tag.end)):
            return False
        indent = text[text.rfind("\n", before, tag.start) + 1 : tag.start]
        return text[before - 1] not in ":：" and len(indent.expandtabs(4)) < _CODE_INDENT

    def _is_behind_header(self, tag: _Tag) -> bool:
        return self._is_first_tag() and _HEADER.fullmatch(self.text, 0, tag.start) is not None

    def _is_behind_short_sentence(self, tag: _Tag) -> bool:
        """Whether all that stands before a tag is one, and the tag has a line for itself."""
        if not self._is_first_tag() or not self._is_last(tag.end):
            return False
        return _SHORT_SENTENCE.fullmatch(self.text, 0, tag.start) is not None

    def _is_first_tag(self) -> bool:
        return not (self.start or self.has_opening or self.has_closing)

    def _close(self, tag: _Tag) -> None:
        """Ends the thought whose opening tag the template wrote, if this is its end."""
        if not (self._ends_sentence(tag) or (not self.has_block and self._is_alone(tag))):
            self.has_closing = True
            return
        before = "\n\n".join([*self.kept, self.text[self.start : tag.start]])
        self._forget()
        self._take(before, tag.end)

    def _ends_sentence(self, tag: _Tag) -> bool:
        """Whether a first tag stands where a thought may end."""
        if self.has_opening or self.has_closing or self.in_code:
            return False
        place = tag.start
        while place > self.start and self.text[place - 1] in " \t":
            place -= 1
        behind = place == self.start or self.text[place - 1] in _SENTENCE_ENDS
        if behind and not _BEFORE_A_MARK.match(self.text, tag.end):
            return True
        return _BEFORE_A_BLANK_LINE.match(self.text, tag.end) is not None

    def _is_alone(self, tag: _Tag) -> bool:
        """Whether a tag has a line for itself, and a blank one or the end follows."""
        follows = _BEFORE_A_BLANK_LINE_OR_THE_END.match(self.text, tag.end)
        return follows is not None and self._is_first(tag.start)

    def _is_first(self, place: int) -> bool:
        """Whether nothing but white space stands before a place in its line."""
        text = self.text
        while place > self.start and text[place - 1] != "\n" and text[place - 1].isspace():
            place -= 1
        return place == self.start or text[place - 1] == "\n"

    def _is_last(self, place: int) -> bool:
        return _BEFORE_A_LINE_END.match(self.text, place) is not None

    def _keep(self, end: int) -> None:
        """Keeps what stands before a thought, but for what a template left there."""
        header = not self.start and _HEADER.fullmatch(self.text, 0, end)
        piece = "" if header else self.text[self.start : end].rstrip()
        self.kept.extend(filter(None, [piece]))

    def _take(self, thought: str, end: int) -> None:
        """Takes out a thought that ends at a place; what follows begins a line."""
        self.thoughts.append(thought.strip())
        while end < len(self.text) and self.text[end].isspace():
            end += 1
        self.start, self.n_fences = end, bisect_left(self.fences, end)
        if (
            self.text.startswith(("```", "~~~"), end)
            and end not in self.fences[self.n_fences :][:1]
        ):
            self.in_code = not self.in_code

    def _pass_fences(self, place: int) -> None:
        """Whether a block of code is open at a place."""
        passed = bisect_left(self.fences, place)
        self.in_code ^= (passed - self.n_fences) % 2 == 1
        self.n_fences = passed


def _start(tag: _Tag) -> int:
    return tag.start


def _behind_words(text: str, place: int, least: int) -> int:
    """The place behind the last character before `place` that is not white space, at least `least`."""
    while place > least and text[place - 1].isspace():
        place -= 1
    return place


def _tags(text: str, tags: Tags) -> tuple[list[_Tag], dict[str, list[_Tag]]]:
    """The tags of a text in their order, and the closing ones by name."""
    closings, every = _closings(tags), []
    ends: dict[str, list[_Tag]] = {}
    for match in _pattern(tags).finditer(text):
        name = match.group().lower()
        every.append(_Tag(match.start(), match.end(), closings[name]))
        if not closings[name]:
            ends.setdefault(name, []).append(every[-1])
    return every, ends


@lru_cache(maxsize=16)
def _closings(tags: Tags) -> dict[str, str]:
    """Tag -> what closes it, both in small letters; "" for one that closes. The first of equal ones counts."""
    pairs = [(opening.lower(), closing.lower()) for opening, closing in reversed(tags)]
    return {**{closing: "" for _, closing in pairs}, **dict(pairs)}


@lru_cache(maxsize=16)
def _first_signs(tags: Tags) -> frozenset[str]:
    """What a tag may begin with, in small letters or large ones."""
    return frozenset(sign for tag in _closings(tags) for sign in (tag[0], tag[0].upper()))


@lru_cache(maxsize=16)
def _pattern(tags: Tags) -> re.Pattern[str]:
    """Any tag."""
    return re.compile("|".join(map(re.escape, _closings(tags))), re.IGNORECASE)
