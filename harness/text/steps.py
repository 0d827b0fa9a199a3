"""Steps of what a model thought aloud: its paragraphs, and how each of them opens."""

from __future__ import annotations

import re
from collections import Counter

_BLANK = re.compile(r"\n[ \t]*\n")
# marks of lists and headings, then a word with the mark behind it
_OPENING = re.compile(r"[\W\d_]*?([^\W\d_]+(?:['’][^\W\d_]+)?)([,.:;!?…—]?)")


def steps(trace: str) -> list[str]:
    """The steps of a trace: paragraphs, or lines where there is only one paragraph."""
    blocks = [b for b in _BLANK.split(trace) if b.strip()]
    return blocks if len(blocks) > 1 else [line for line in trace.splitlines() if line.strip()]


def openings(trace: str) -> Counter[str]:
    """First words of the steps, each with the mark behind it ("Wait,"), and how often they occur."""
    matches = (_OPENING.match(step) for step in steps(trace))
    return Counter(f"{m[1]}{m[2]}" for m in matches if m)
