"""Separated values (CSV, TSV) as rows: every cell a text as it stands between its marks."""

from __future__ import annotations

import csv
import io
import re
import sys
from pathlib import Path
from typing import Any

from harness.types import DistillbenchError

_MARKS = (",", ";", "\t", "|")
# a first line by which Excel tells itself the mark
_SAID = re.compile(r'"?sep=([^\r\n"])"?[,;\t ]*\r?\n', re.IGNORECASE)


def separated_rows(path: Path, text: str) -> list[dict[str, Any]]:
    """Rows of a table with a header; the mark between cells is the one that its header has most of.

    A first line `sep=;` states the separator, and is not a header.

    A blank cell is a text of no characters: this format cannot tell it from a missing one.
    Raises DistillbenchError for a damaged table.
    """
    csv.field_size_limit(sys.maxsize)  # the library's own limit is 131,072 characters a cell
    said = _SAID.match(text)
    mark, table = (said[1], text[said.end() :]) if said else (_mark(path, text), text)
    reader = csv.reader(io.StringIO(table, newline=""), delimiter=mark, strict=True)
    try:
        header = next((cells for cells in reader if cells), [])
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise DistillbenchError(
                f"{path}: expected different names of columns, got {twice[0]!r} twice; rename one"
            )
        rows = []
        for cells in reader:
            if not cells and len(header) > 1:
                continue  # an empty line
            if len(cells) > len(header) or (len(cells) < len(header) and len(header) > 1):
                raise DistillbenchError(
                    f"{path}: line {reader.line_num + bool(said)}: expected a table with {len(header)} cells a row as "
                    f"in its header, got {len(cells)}: the table is damaged, or a text with {mark!r} is not in quotes"
                )
            rows.append(dict(zip(header, cells or [""], strict=True)))
    except csv.Error as error:
        raise DistillbenchError(
            f"{path}: line {reader.line_num + bool(said)}: expected a table of separated values, got a damaged one "
            f"({error}); "
            'a text with a quotation mark in it is written "in ""quotes"""'
        ) from None
    return rows


def _mark(path: Path, text: str) -> str:
    """The mark that cuts the header into most cells; of equals, the one that the file's name says."""
    usual = "\t" if ".tsv" in path.suffixes else ","
    counts = {mark: _cells_of_header(text, mark) for mark in _MARKS}
    return max(_MARKS, key=lambda mark: (counts[mark], mark == usual))


def _cells_of_header(text: str, mark: str) -> int:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        return len(next((cells for cells in reader if cells), []))
    except csv.Error:
        return 0
