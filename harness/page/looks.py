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


def escaped(text: str) -> str:
    """Text as plotly shows it as it is, with its line ends."""
    return escape(text, quote=False).replace("\n", "<br>")
