"""Rows as lines of text, one column under another."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from harness.console.invisible import in_one_line

_NARROWEST = 60  # columns of a terminal that says less


def in_columns(rows: Sequence[tuple[str, ...]], right: Sequence[int] = ()) -> list[str]:
    """A line per row, control characters spelled out; columns at the places `right` are flush right, others left."""
    rows = [tuple(map(in_one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def shortened(text: str, most: int) -> str:
    """The text, cut to so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def terminal_width() -> int:
    """Columns of the terminal, or of a page of a log."""
    return max(_NARROWEST, shutil.get_terminal_size((120, 40)).columns)
