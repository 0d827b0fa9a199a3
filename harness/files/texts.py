"""Texts of a training file, streamed, because such a file may be larger than the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from os.path import isfile  # False for a name that no disk could hold
from pathlib import Path
from typing import Any

from harness.keys import parse_json
from harness.schema import unknown
from harness.types import DistillbenchError, Paths

SUFFIXES = (".jsonl", ".json", ".parquet", ".csv", ".tsv", ".txt")
_ROWS = 2_000  # of a table at a time
_BLOCK = 1 << 20  # characters of plain text at a time
# characters of overlap between blocks, so that no passage is lost at a cut
_CARRY = 4_096


def training_file(name: str, paths: Paths) -> Path:
    """The file: absolute, in paths.data, or in the current folder; raises DistillbenchError."""
    folders = [*([paths.data] if paths.data else []), Path.cwd()]
    for folder in folders:
        if isfile(folder / name):
            return folder / name
    searched = (
        ", ".join(str(f) for f in folders)
        if not Path(name).is_absolute()
        else str(Path(name).parent)
    )
    raise DistillbenchError(f"expected a file {Path(name).name!r} in {searched}, found none")


def training_texts(path: Path, columns: Sequence[str]) -> Iterator[str]:
    """Every text of the file, in its order; of a table those in `columns`, or all where none are named.

    Raises DistillbenchError where the file cannot be read, or names no such column.
    """
    if path.suffix not in SUFFIXES:
        raise DistillbenchError(
            f"{path}: expected a file ending in {', '.join(SUFFIXES)}, got {path.suffix!r}"
        )
    if path.stat().st_size == 0:
        raise DistillbenchError(f"{path}: the file is empty (0 bytes); expected texts")
    if path.suffix == ".txt":
        if columns:
            raise DistillbenchError(f"{path}: a text file has no columns; delete training_columns")
        yield from _guarded(path, _blocks(path))
        return
    readers = {".jsonl": _json_lines, ".json": _json_rows, ".parquet": _parquet}
    yield from _guarded(
        path, _picked(path, readers.get(path.suffix, _separated)(path, columns), columns)
    )


def _guarded(path: Path, texts: Iterator[str]) -> Iterator[str]:
    """The texts; an encoding or a disk that fails becomes an error with the file's name."""
    try:
        yield from texts
    except UnicodeDecodeError as error:
        raise DistillbenchError(
            f"{path}: expected UTF-8, got byte 0x{error.object[error.start]:02x}"
        ) from None
    except OSError as error:
        raise DistillbenchError(
            f"{path}: expected a readable file, got: {error.strerror or error}"
        ) from None


def _picked(path: Path, rows: Iterator[Any], columns: Sequence[str]) -> Iterator[str]:
    for number, row in enumerate(rows, start=1):
        if not columns:
            yield from _leaves(row)
            continue
        for column in columns:
            if not isinstance(row, dict) or column not in row:
                known = [str(k) for k in row] if isinstance(row, dict) else []
                raise DistillbenchError(f"{path}: row {number}: column {unknown(column, known)}")
            yield from _leaves(row[column])


def _leaves(value: Any) -> Iterator[str]:
    """Every text inside a value: a conversation is a list of mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner)


def _json_lines(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield parse_json(line)
                except json.JSONDecodeError as error:
                    raise DistillbenchError(
                        f"{path}: line {number}: expected one JSON value per line ({error.msg}); "
                        "the file is truncated or no JSONL"
                    ) from None


def _json_rows(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Rows of a JSON list: the one format that has to be read whole."""
    try:
        rows = parse_json(path.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DistillbenchError(
            f"{path}: line {error.lineno}: expected a JSON list ({error.msg})"
        ) from None
    yield from rows if isinstance(rows, list) else [rows]


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            wanted = [c for c in columns if c in file.schema_arrow.names]
            for batch in file.iter_batches(
                _ROWS, columns=wanted if wanted and len(wanted) == len(columns) else None
            ):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise DistillbenchError(
            f"{path}: expected a Parquet file, got a damaged one ({reason})"
        ) from None


def _separated(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    import pandas as pd

    mark = "\t" if path.suffix == ".tsv" else ","
    try:
        with pd.read_csv(
            path, sep=mark, dtype=str, keep_default_na=False, chunksize=_ROWS, encoding="utf-8-sig"
        ) as parts:
            for part in parts:
                yield from part.to_dict("records")
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DistillbenchError(
            f"{path}: expected a table of separated values, got a damaged one ({reason})"
        ) from None


def _blocks(path: Path) -> Iterator[str]:
    """Plain text a block at a time; each begins with the last lines (or words) of the one before."""
    before = ""
    with path.open(encoding="utf-8-sig") as file:
        while block := file.read(_BLOCK):
            whole = before + block
            yield whole
            tail = whole[-_CARRY:]
            cut = tail.find("\n") if "\n" in tail[:-1] else tail.find(" ")
            before = tail[cut + 1 :]
