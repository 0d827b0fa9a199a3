"""Labels of options: letters and numbers become the index of an option, by one rule for answers and predictions.

Numbers may be counted from 0 or from 1, and only all of them together can tell: 0 occurs, so they are from 0; the
number of the options occurs, so they are from 1; neither or both, and nobody can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"\(?(\d+)(?:\.0+)?[).:]?")  # "2.0": whole numbers in a column with gaps
_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
SAY = "say it in the task: `labels: from_0` or `labels: from_1`"


@dataclass(frozen=True)
class Label:
    """What names one option of a question."""

    text: str  # a capital letter, or digits
    n_options: int

    @property
    def number(self) -> int | None:
        """The number that it is; None for a letter."""
        return int(self.text) if self.text.isdecimal() else None

    def option(self, first: int | None) -> int | None:
        """Index of the option, numbers being counted from `first`; None where there is no such option."""
        if self.number is None:
            index = ord(self.text) - ord("A")
        elif first is None:
            return None
        else:
            index = self.number - first
        return index if 0 <= index < self.n_options else None


def label_text(cell: Any) -> str | None:
    """A cell as a label, "B" or "2"; None where it is empty.

    Raises ValueError where it is neither a letter nor a number.
    """
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = "" if cell is None else str(cell).strip()
    if not text:
        return None
    if match := _NUMBER.fullmatch(text):
        return str(int(match[1]))
    if match := _LETTER.fullmatch(text):
        return match[1].upper()
    raise ValueError(f"expected a letter or a number, got {text[:40]!r}")


def first_number(labels: Iterable[Label]) -> int | None:
    """0 or 1: the number of the first option; None where no label is a number.

    Raises ValueError where the labels do not tell.
    """
    numbers = {(label.number, label.n_options) for label in labels if label.number is not None}
    if not numbers:
        return None
    zero, last = any(n == 0 for n, _ in numbers), any(n == k for n, k in numbers)
    if zero != last:
        return int(last)
    occur = (
        "both 0 and the number of the options occur"
        if zero
        else "neither 0 nor the number of the options occurs"
    )
    shown = _range(n for n, _ in numbers)
    raise ValueError(f"{shown}: {occur}, so they may be counted from 0 or from 1; {SAY}")


def in_words(labels: Sequence[Label]) -> str:
    """Which labels occur: "1-4 and A-D"."""
    numbers = [label.number for label in labels if label.number is not None]
    letters = sorted({label.text for label in labels if label.number is None})
    parts = [_range(numbers)] if numbers else []
    parts += ["-".join(dict.fromkeys((letters[0], letters[-1])))] if letters else []
    return " and ".join(parts)


def _range(numbers: Iterable[int | None]) -> str:
    known = sorted({n for n in numbers if n is not None})
    return "-".join(map(str, dict.fromkeys((known[0], known[-1]))))
