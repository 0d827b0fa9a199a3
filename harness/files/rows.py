"""Reading a table somebody else wrote, every cell as it stands in the file, with one clear line for every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from os.path import isfile  # False for a name that no disk could hold
from pathlib import Path
from typing import Any

from harness.files.archives import archive_rows
from harness.files.cells import is_missing, text_of
from harness.files.jsons import json_rows
from harness.files.packed import ENDINGS, ending, unpacked
from harness.files.parquets import parquet_head, parquet_names, parquet_rows
from harness.files.separated import separated_rows
from harness.schema import unknown
from harness.types import DistillbenchError

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".ndjson", ".eval")
_SEPARATED = (".csv", ".tsv")
_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"

_TURN = frozenset({"role", "from", "content", "value"})  # keys of a turn of a conversation

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows of a file."""

    path: Path
    rows: Sequence[Row]
    numbers: Sequence[int]  # of each row: its place in the file, from 1
    # whether a blank cell may stand for a missing one (CSV, TSV)
    blank_or_missing: bool = False


def is_table(path: Path) -> bool:
    """Whether a file's ending is one of those that are read."""
    return ending(path) in SUFFIXES


def read_rows(path: Path, where: Mapping[str, Any], columns: Sequence[str]) -> Table:
    """Rows that satisfy `where` (column -> value, or values), in the file's order.

    `columns` must be there; a Parquet file is read no further than these and the filter's, or whole where none are
    named. Raises DistillbenchError for a file that is missing, empty, truncated, wrongly encoded, or without a column
    or row.
    """
    needed = list(dict.fromkeys([*columns, *(where if columns else ())]))
    check_columns(path, columns, "; map it with `columns`")
    check_columns(path, list(where))
    read = tuple(needed) if starts_with(path, _PARQUET) else ()
    rows = _all_rows(path, stamp(path), read)
    if not rows:
        raise DistillbenchError(
            f"{path}: expected at least one row, got none; is it the right file?"
        )
    numbers = _selected(path, read, where)
    return Table(
        path, [rows[n - 1] for n in numbers], numbers, blank_or_missing=ending(path) in _SEPARATED
    )


def names_of(path: Path) -> list[str]:
    """Names of the columns: those of any row, in the order in which they come up."""
    if starts_with(path, _PARQUET):
        return parquet_names(path)
    return _names(path, stamp(path))


def first_row(path: Path) -> Row:
    """The first row; empty where there is none."""
    if starts_with(path, _PARQUET):
        return parquet_head(path)
    return next(iter(_all_rows(path, stamp(path), ())), {})


def check_columns(path: Path, names: Sequence[str], cure: str = "") -> None:
    """Raises DistillbenchError where no row of a file has such a column; `cure` ends the message."""
    known = names_of(path)
    missing = [name for name in names if known and name not in known]
    if not missing:
        return
    if inner := _inner_table(path):
        raise DistillbenchError(
            f"{path}: column {missing[0]!r} is unknown: expected a list of objects, or one object per line, got an "
            f"object with a list of them under {inner!r}; write that list alone to a file"
        )
    raise DistillbenchError(f"{path}: column {unknown(missing[0], known)}{cure}")


def stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does; zeros where there is none, which its reader then says."""
    if not isfile(path):
        return 0, 0
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def starts_with(path: Path, magic: bytes) -> bool:
    """Whether a file begins with these bytes; raises DistillbenchError for one that is missing or empty."""
    _check_exists(path)
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise DistillbenchError(
            f"{path}: expected a readable file, got: {error.strerror or error}"
        ) from None


@lru_cache(maxsize=3)
def _all_rows(path: Path, _stamp: tuple[int, int], columns: tuple[str, ...]) -> list[Row]:
    """All rows of a file: many models share one, so that it is read once and each takes its part."""
    if starts_with(path, _PARQUET):
        return [*parquet_rows(path, columns)]
    if ending(path) == ".parquet":
        raise DistillbenchError(
            f"{path}: expected a Parquet file, got one that is truncated or of another format; copy it again"
        )
    if starts_with(path, _ZIP):
        return [*archive_rows(path)]
    text = _text(path)
    if not text.strip():
        raise DistillbenchError(f"{path}: the file is empty but for white space; expected a table")
    if ending(path) in _SEPARATED:
        return [*separated_rows(path, text)]
    return _unwrapped(path, json_rows(path, text))


@lru_cache(maxsize=3)
def _names(path: Path, stamp: tuple[int, int]) -> list[str]:
    return [str(n) for n in dict.fromkeys(n for row in _all_rows(path, stamp, ()) for n in row)]


def _unwrapped(path: Path, rows: Sequence[Row]) -> list[Row]:
    """The samples of a log of Inspect in one JSON object, the entries of an API's pages; other rows as they are.

    Raises DistillbenchError for one object that holds a table by columns.
    """
    if rows and all(r.get("object") == "list" and isinstance(r.get("data"), list) for r in rows):
        return [entry for page in rows for entry in page["data"]]
    if len(rows) != 1:
        return list(rows)
    (whole,) = rows
    if isinstance(whole.get("samples"), list) and isinstance(whole.get("eval"), dict):
        return list(whole["samples"])
    if whole and all(isinstance(v, dict) and "0" in v for v in whole.values()):
        raise DistillbenchError(
            f"{path}: expected a list of objects, got one object of columns; write it with orient='records'"
        )
    return [whole]


def _inner_table(path: Path) -> str:
    """The name under which the one object of a file holds a table; "" where there is none, or only a conversation."""
    if starts_with(path, _PARQUET) or len(rows := _all_rows(path, stamp(path), ())) != 1:
        return ""
    lists = {n: v[0] for n, v in rows[0].items() if isinstance(v, list) and v}
    tables = (n for n, v in lists.items() if isinstance(v, dict) and not _TURN & v.keys())
    return next(tables, "")


def _text(path: Path) -> str:
    data = unpacked(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DistillbenchError(
            f"{path}: expected UTF-8, got byte 0x{error.object[error.start]:02x} at byte offset {error.start}; "
            "save the file as UTF-8"
        ) from None


def _check_exists(path: Path) -> None:
    if not isfile(path):
        near = (
            unknown(path.name, [p.name for p in path.parent.iterdir()])
            if path.parent.is_dir()
            else "no such folder"
        )
        raise DistillbenchError(f"{path}: expected a file, found none: {near}")
    if not is_table(path):
        raise DistillbenchError(
            f"{path}: expected a file ending in {', '.join(SUFFIXES)} (or one of these and {', '.join(ENDINGS)}), "
            f"got {path.suffix!r}"
        )
    if path.stat().st_size == 0:
        raise DistillbenchError(f"{path}: the file is empty (0 bytes); expected a table")


def _selected(path: Path, columns: tuple[str, ...], where: Mapping[str, Any]) -> list[int]:
    """Places, from 1, of the rows that satisfy `where`; raises DistillbenchError where there are none."""
    chosen = set(range(1, len(_all_rows(path, stamp(path), columns)) + 1))
    for column, value in where.items():
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        known = _places(path, stamp(path), columns, column)
        chosen &= {number for v in values for number in known.get(_compared(v), ())}
        if not chosen:
            criteria = ", ".join(f"{c}={v!r}" for c, v in where.items())
            near = unknown(_compared(values[0]) if values else "", list(known)[:200])
            raise DistillbenchError(f"{path}: no row has {criteria}; {column} {near}")
    return sorted(chosen)


@lru_cache(maxsize=8)
def _places(
    path: Path, stamp: tuple[int, int], columns: tuple[str, ...], column: str
) -> Mapping[str, Sequence[int]]:
    """What stands in a column -> the places, from 1, of the rows in which it does."""
    places: dict[str, list[int]] = {}
    for number, row in enumerate(_all_rows(path, stamp, columns), start=1):
        places.setdefault(_compared(row.get(column)), []).append(number)
    return places


def _compared(cell: Any) -> str:
    """A cell in one spelling for comparisons: 2 and "2" are equal, and so are true and "True"."""
    if isinstance(cell, str):
        return cell.lower() if cell in ("True", "False") else cell
    if is_missing(cell):
        return "null"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell) if isinstance(cell, (list, dict, bytes)) else str(text_of(cell))
