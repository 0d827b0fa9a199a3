"""How each role looks: Okabe and Ito's colours, and a symbol of its own, so that nothing depends on colour alone."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

QUIET = "#6B6B6B"  # text and lines in the background
FAINT = "#C9C9C9"  # guide lines


class Look(NamedTuple):
    """Colour, plotly symbol and word of a role."""

    colour: str
    symbol: str
    word: str
    outline: float = 1.8  # pixels


OTHER = Look(QUIET, "x-open", "other")
LOOKS: dict[str, Look] = {
    "teacher": Look("#D55E00", "diamond", "teacher"),
    "student": Look("#0072B2", "circle", "student"),
    "base": Look(QUIET, "square", "base"),
    "control": Look("#009E73", "triangle-up-open", "control"),
    "ceiling": Look("#D55E00", "diamond-open", "another version of the teacher"),
    "expected": Look(QUIET, "line-ns-open", "expected", 2.5),
}

_INVISIBLE = (
    *(c for c in range(32) if c not in (9, 10)),
    0x7F,
    0x061C,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
_SPELLED = {c: f"\u27e6U+{c:04X}\u27e7" for c in _INVISIBLE}


def visible(text: str) -> str:
    """The text with control and direction characters spelled out; tabs and line ends stay."""
    return text.replace("\r\n", "\n").translate(_SPELLED)


def escaped(text: str) -> str:
    """Text as plotly shows it as it is, with its line ends."""
    return escape(text, quote=False).replace("\n", "<br>")
