"""A finished entry: its rows, and one sealed file that says what they were made from, and how.

    rows.parquet      the rows
    entry.json        sealed (see damage.py): the key, size and sha256 of the rows, specification, provenance

Entries of four files, as they were written before, are read as well (see _four_files.py), in folders and in archives.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from harness.console.secrets import redacted
from harness.store import _four_files
from harness.store.damage import sealed

KEY = re.compile(r"[0-9a-f]{64}")
ROWS, ENTRY = "rows.parquet", "entry.json"
_FIELDS = {"key", "rows", "spec", "provenance"}
_SEALED = re.compile(rb'\{"sha256": "([0-9a-f]{64})", "value": (.*)\}', re.DOTALL)


class Entry(NamedTuple):
    """What an entry says of itself."""

    names: frozenset[str]  # of its files
    rows: tuple[int, str]  # size in bytes and sha256 of the table
    spec: dict[str, Any]  # what it was made from
    provenance: dict[str, Any]  # how it was made

    def are_rows(self, content: bytes | None) -> bool:
        """Whether these are the bytes of its table."""
        return content is not None and size_and_digest(content) == self.rows


def files_of(
    key: str, table: pa.Table, spec: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of a new entry by their names; the one that speaks of the other comes last."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    rows = sink.getvalue().to_pybytes()
    says = redacted({"spec": dict(spec), "provenance": dict(provenance)})
    return {ROWS: rows, ENTRY: sealed({"key": key, "rows": size_and_digest(rows), **says})}


def entry_of(key: str, read: Callable[[str], bytes | None]) -> Entry | None:
    """What the entry of a key says of itself, in either layout; None where it is not as it was written.

    `read` gives the bytes of a file by its name.
    """
    content = read(ENTRY)
    names = {ROWS, ENTRY} if content is not None else {ROWS, *_four_files.NAMES}
    says = _four_files.opened(key, ROWS, read) if content is None else _unsealed(content)
    if not isinstance(says, dict) or not says.keys() >= _FIELDS or says["key"] != key:
        return None
    size, digest = says["rows"]
    return Entry(frozenset(names), (size, digest), says["spec"], says["provenance"])


def size_and_digest(content: bytes) -> tuple[int, str]:
    """How many bytes, and their sha256."""
    return len(content), hashlib.sha256(content).hexdigest()


def _unsealed(content: bytes) -> Any | None:
    """The value of what `sealed` has made, by its bytes: nothing else is parsed."""
    seal = _SEALED.fullmatch(content)
    if seal is None or hashlib.sha256(seal[2]).hexdigest() != seal[1].decode():
        return None
    return json.loads(seal[2])
