"""Reading a table somebody else wrote (JSONL, JSON, CSV, Parquet), with one clear line for every fault."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.schema import unknown
from harness.types import DistillbenchError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")


def read_table(path: Path, where: Mapping[str, Any], columns: Sequence[str]) -> pd.DataFrame:
    """Rows that satisfy `where` (column -> value, or list of values), in the file's order, renumbered from 0.

    `columns` are those that must be there; a Parquet file is read no further than these and the filter's.
    Raises DistillbenchError for a file that is missing, empty, truncated, wrongly encoded, without a column or row.
    """
    _exists(path)
    needed = list(dict.fromkeys([*columns, *where]))
    frame = _parquet(path, needed) if path.suffix == ".parquet" else _text_table(path)
    for name in needed:
        if name not in frame.columns:
            raise DistillbenchError(
                f"{path}: column {unknown(name, [str(c) for c in frame.columns])}"
            )
    if frame.empty:
        raise DistillbenchError(
            f"{path}: expected at least one row, got none; is it the right file?"
        )
    return _filtered(path, frame, where)


def _exists(path: Path) -> None:
    if not path.is_file():
        near = (
            unknown(path.name, [p.name for p in path.parent.iterdir()])
            if path.parent.is_dir()
            else "no such folder"
        )
        raise DistillbenchError(f"{path}: expected a file, found none: {near}")
    if path.suffix not in SUFFIXES:
        raise DistillbenchError(
            f"{path}: expected a file ending in {', '.join(SUFFIXES)}, got {path.suffix!r}"
        )
    if path.stat().st_size == 0:
        raise DistillbenchError(f"{path}: the file is empty (0 bytes); expected a table")


def _parquet(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        wanted = [n for n in needed if n in names]
        frame: pd.DataFrame = pq.read_table(
            path, columns=wanted if len(wanted) == len(needed) else None
        ).to_pandas()
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DistillbenchError(
            f"{path}: expected a Parquet file, got one that is truncated or of another format ({reason}); copy it again"
        ) from None
    return frame


def _text_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    text = read_text(path)
    if not text.strip():
        raise DistillbenchError(f"{path}: the file holds nothing but white space; expected a table")
    if path.suffix == ".jsonl":
        return pd.DataFrame(_json_lines(path, text))
    if path.suffix == ".json":
        return pd.DataFrame(_json_rows(path, text))
    return _separated(path, text)


def read_text(path: Path) -> str:
    """The file's text; raises DistillbenchError with the byte offset if it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DistillbenchError(
            f"{path}: expected UTF-8, got byte 0x{error.object[error.start]:02x} at byte offset {error.start}; "
            "save the file as UTF-8"
        ) from None


def _json_lines(path: Path, text: str) -> list[dict[str, Any]]:
    rows = []
    # str.splitlines would also cut at U+2028, which JSON allows inside a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DistillbenchError(
                f"{path}: line {number}: expected one JSON object per line, got {_cut(line)} ({error.msg}); "
                "the file is truncated or no JSONL"
            ) from None
        rows.append(_object(path, f"line {number}", row))
    return rows


def _json_rows(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise DistillbenchError(
            f"{path}: line {error.lineno}: expected a JSON list of objects ({error.msg}); it is truncated or no JSON"
        ) from None
    if not isinstance(rows, list):
        raise DistillbenchError(
            f"{path}: expected a JSON list of objects, got {type(rows).__name__}"
        )
    return [_object(path, f"entry {i}", row) for i, row in enumerate(rows, start=1)]


def _object(path: Path, where: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DistillbenchError(
            f"{path}: {where}: expected a JSON object, got {_cut(json.dumps(row))}"
        )
    return row


def _separated(path: Path, text: str) -> pd.DataFrame:
    import io

    import pandas as pd

    try:
        # Text as it is: "007" and "1e5" are answers, and so are "None" and "NA". Only the empty
        # field is missing.
        mark = "\t" if path.suffix == ".tsv" else ","
        return pd.read_csv(
            io.StringIO(text), sep=mark, keep_default_na=False, na_values=[""], dtype=str
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DistillbenchError(
            f"{path}: expected a table of separated values, got a damaged one ({reason})"
        ) from None


def _filtered(path: Path, frame: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    kept = frame
    for column, wanted in where.items():
        values = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        kept = kept[kept[column].map(str).isin([str(v) for v in values])]
    if kept.empty:
        criteria = ", ".join(f"{c}={v!r}" for c, v in where.items())
        first = next(iter(where))
        seen = [str(v) for v in frame[first].dropna().unique()[:200]]
        asked = (
            where[first][0]
            if isinstance(where[first], (list, tuple)) and where[first]
            else where[first]
        )
        raise DistillbenchError(
            f"{path}: no row has {criteria}; {first} {unknown(str(asked), seen[:200])}"
        )
    return kept.reset_index(drop=True)


def _cut(text: str, length: int = 40) -> str:
    return repr(text if len(text) <= length else text[: length - 1] + "…")
