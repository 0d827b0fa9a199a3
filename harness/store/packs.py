"""Many small tables in few files: what was made together lies together, and every row bears its own key.

    packs/<sha256 of the file>.parquet      rows of several keys, which are the units of reuse

A pack never changes. Where two hold the same key, either is right: a key is made from all that its rows depend on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_KEY = "key"  # the column with the key of each row
_KEYS = b"keys"  # metadata: every key of the pack, those without rows too


class _Place(NamedTuple):
    """Where the rows of a key lie."""

    pack: str
    first: int
    rows: int


@dataclass
class Packs:
    """The packs under `root` (the results folder); listed once, when something is first asked for."""

    root: Path
    _listed: bool = False
    _places: dict[str, _Place] = field(default_factory=dict, repr=False)
    _packs: set[str] = field(default_factory=set, repr=False)
    _read: dict[str, pa.Table] = field(default_factory=dict, repr=False)

    def has(self, key: str) -> bool:
        """Whether the rows of a key are there."""
        if not self._listed:
            self.refresh()
        return key in self._places

    def table(self, key: str) -> pa.Table:
        """The rows of a key; raises KeyError where they are not there."""
        if not self.has(key):
            raise KeyError(key)
        place = self._places[key]
        if place.pack not in self._read:
            self._read[place.pack] = pq.read_table(self._folder / f"{place.pack}.parquet")
        rows = self._read[place.pack].slice(place.first, place.rows)
        own = rows.filter(pc.equal(rows.column(_KEY), key))
        if own.num_rows != place.rows:
            raise KeyError(key)
        return own.drop_columns([_KEY])

    def put(self, tables: Mapping[str, pa.Table]) -> None:
        """Publishes the rows of several keys as one pack: temporary name, fsync, rename."""
        parts = [
            t.append_column(_KEY, pa.array([key] * t.num_rows, pa.string()))
            for key, t in tables.items()
        ]
        whole = pa.concat_tables(parts).combine_chunks()
        sizes = [[key, t.num_rows] for key, t in tables.items()]
        whole = whole.replace_schema_metadata({_KEYS: json.dumps(sizes).encode()})
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{os.getpid()}.tmp"
        pq.write_table(whole, draft, compression="zstd")
        with draft.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        os.replace(draft, self._folder / f"{name}.parquet")
        self._note(name, sizes)

    @property
    def _folder(self) -> Path:
        return self.root / "packs"

    def refresh(self) -> None:
        """Takes note of packs that other processes have added."""
        self._listed = True
        for path in sorted(self._folder.glob("*.parquet")):
            if path.stem not in self._packs and (sizes := self._sizes(path)) is not None:
                self._note(path.stem, sizes)

    def _sizes(self, path: Path) -> list[list[str | int]] | None:
        """What a pack holds; a damaged one (its bytes are not those that it is named by) is set aside."""
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == path.stem:
            metadata = pq.read_schema(pa.BufferReader(content)).metadata or {}
            return list(json.loads(metadata[_KEYS]))
        (self.root / "damaged").mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # somebody else was faster
            os.replace(path, self.root / "damaged" / path.name)
        return None

    def _note(self, pack: str, sizes: list[list[str | int]]) -> None:
        self._packs.add(pack)
        first = 0
        for key, rows in sizes:
            self._places.setdefault(str(key), _Place(pack, first, int(rows)))
            first += int(rows)
