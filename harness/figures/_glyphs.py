"""Widths of texts, from a table of glyphs: an upper bound for the usual fonts of screens."""

from __future__ import annotations

import unicodedata

LINE = 1.28  # height of a line of text, in sizes of the font
# advance widths in thousandths of the font's size of the characters from space to tilde: the wider of DejaVu Sans and
# Liberation Sans, as these fonts state them
_WIDTHS = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 556, 1015, 684, 686, 722, 770, 667, 611, 778, 752, 295, 500, 667, 557, 863,
    748, 787, 667, 787, 722, 667, 611, 732, 684, 989, 685, 667, 685, 390, 337, 390, 838, 556, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838,
)  # fmt: skip
_WIDE, _OTHER, _NARROW = (
    1000,
    840,
    330,
)  # ideographs; what is not in the table; points and thin spaces
_NARROW_ONES = frozenset("\u00a0\u00b7\u2019\u2018\u202f\u2009")
_BOLD = 1.14  # bold glyphs are at most so much wider, on average over a word
_ROUNDING = 2.0  # pixels


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels of the longest line of a text in a font of `size` pixels."""
    longest = max(sum(map(_thousandths, line)) for line in text.split("\n"))
    return longest * size / 1000 * (_BOLD if bold else 1.0) + _ROUNDING


def text_size(text: str, size: float) -> tuple[float, float]:
    """Width and height of a text in a font of `size` pixels."""
    return text_width(text, size), LINE * size * (text.count("\n") + 1)


def lines_within(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """The text in lines of at most `width` pixels, broken after spaces and separators where it can be."""
    lines: list[str] = []
    for line in text.split("\n"):
        rest = line
        while text_width(rest, size, bold=bold) > width and len(rest) > 1:
            fits = _fitting(rest, size, width, bold)
            lines.append(rest[:fits].rstrip())
            rest = rest[fits:].lstrip()
        lines.append(rest)
    return lines


def _fitting(text: str, size: float, width: float, bold: bool) -> int:
    """How many characters of the text come into a line that is too short for all of it; one at least."""
    room = (width - _ROUNDING) * 1000 / size / (_BOLD if bold else 1.0)
    fits = 0
    for character in text:
        room -= _thousandths(character)
        if room < 0:
            break
        fits += 1
    breaks = [i + 1 for i, c in enumerate(text[:fits]) if c in " -_/+·,:="]
    if breaks and breaks[-1] >= fits / 2:
        return breaks[-1]
    return max(1, fits)


def _thousandths(character: str) -> int:
    place = ord(character) - 32
    if 0 <= place < len(_WIDTHS):
        return _WIDTHS[place]
    if unicodedata.east_asian_width(character) in "WF":
        return _WIDE
    if unicodedata.combining(character):
        return 0
    if character in _NARROW_ONES:
        return _NARROW
    base = unicodedata.normalize("NFD", character)[0]
    return _thousandths(base) if base != character else _OTHER
