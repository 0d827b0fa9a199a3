"""Links from measures to the page: leaderboard columns, and topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What the page speaks of, whichever measure it reads it from: the two headlines, the share of replies
# that are too short to show a style, length alone, agreement, mistakes taken over, a model's own score, how often it
# calls itself by its teacher's name.
Topic = Literal[
    "capability",
    "style",
    "unrelated_style",
    "short_replies",
    "length",
    "agreement",
    "inherited_errors",
    "own_score",
    "teacher_names",
]


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard that a measure fills."""

    order: int  # place among the columns
    title: str
    note: str  # below the title: in what it is counted
    part: str = ""  # the part of the measure in this column; "" = the measure itself
    from_base: bool = False  # 0 is the base's level, so an interval above 0 is "above the base"
    alone: bool = False  # a number of the model itself, whoever its teacher is: it is not ranked
