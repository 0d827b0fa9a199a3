"""Parquet as rows, read no further than the columns that are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files.cells import is_missing
from harness.types import DistillbenchError

if TYPE_CHECKING:
    import pyarrow as pa


def parquet_names(path: Path) -> list[str]:
    """Names of the columns; raises DistillbenchError for a damaged file."""
    import pyarrow.parquet as pq

    with _guarded(path):
        return list(pq.read_schema(path).names)


def parquet_head(path: Path) -> dict[str, Any]:
    """The first row with all its columns; empty where there is none."""
    import pyarrow.parquet as pq

    with _guarded(path), pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(1), None)
        head = batch.to_pylist()[0] if batch is not None and batch.num_rows else {}
    return {name: _given(value) for name, value in head.items()}


def parquet_rows(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows with these columns, or with all where none are named.

    A column of floats that are all whole comes as whole numbers: so a table with a gap was written.
    """
    import pyarrow.parquet as pq

    with _guarded(path):
        table = pq.read_table(path, columns=list(columns) or None)
        cells = {name: _cells(table.column(name)) for name in table.column_names}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _cells(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    values: list[Any] = column.to_pylist()
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return [_decoded(v) for v in values]
    if pa.types.is_floating(column.type):
        present = [v for v in values if not is_missing(v)]
        if all(math.isfinite(v) and v == int(v) for v in present):
            return [None if is_missing(v) else int(v) for v in values]
    return [_given(v) for v in values] if pa.types.is_nested(column.type) else values


def _given(value: Any) -> Any:
    """A cell without the fields that Arrow adds to a mapping because others have them."""
    if isinstance(value, dict):
        return {name: _given(part) for name, part in value.items() if part is not None}
    return [_given(part) for part in value] if isinstance(value, list) else value


def _decoded(value: bytes | None) -> Any:
    """Text that a program stored as bytes; bytes where they are not text."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except UnicodeDecodeError as error:
        raise DistillbenchError(
            f"{path}: expected text in UTF-8, got bytes that are none ({error.reason}); write the file again"
        ) from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise DistillbenchError(
            f"{path}: expected a Parquet file, got one that is truncated or of another format ({reason}); copy it again"
        ) from None
