"""Many small tables in few files: what was made together is stored together, and every row has its key.

    packs/<sha256 of the file>.parquet      rows of several keys, which are the units of reuse

A pack never changes. Where two hold the same key, either is right: a key is made from all that its rows depend on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.store.damage import made_folder, put_aside, read_intact
from harness.store.drafts import write_whole

_KEY = "key"  # the column with the key of each row
_KEYS = b"keys"  # metadata: every key of the pack, those without rows too


def read_parquet(source: Path | pa.NativeFile) -> pa.Table:
    """All rows of a file; `pyarrow.parquet.read_table` imports pandas for it, and takes four times as long."""
    with pq.ParquetFile(source) as file:
        return file.read(use_threads=False)


@dataclass
class Packs:
    """The packs under `root` (the results folder); listed once, when something is first asked for."""

    root: Path
    _listed: bool = False
    _places: dict[str, str] = field(default_factory=dict, repr=False)  # key -> pack
    _packs: set[str] = field(default_factory=set, repr=False)

    def has(self, key: str) -> bool:
        """Whether the rows of a key are there."""
        if not self._listed:
            self.refresh()
        return key in self._places

    def rows(self, keys: Iterable[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """The rows of keys, pack by pack, each pack read once; raises KeyError where a key is not there."""
        wanted: dict[str, list[str]] = {}
        for key in keys:
            if not self.has(key):
                raise KeyError(key)
            wanted.setdefault(self._places[key], []).append(key)
        for pack, own in wanted.items():
            rows: dict[str, list[dict[str, Any]]] = {key: [] for key in own}
            for row in read_parquet(self._folder / f"{pack}.parquet").to_pylist():
                if (key := row.pop(_KEY)) in rows:  # a row belongs to the key in this column
                    rows[key].append(row)
            yield from rows.items()

    def tables(self) -> Iterator[tuple[Path, list[str], pa.Table]]:
        """Every pack that is whole: its file, its keys, and its rows with the column `key`."""
        for path in sorted(self._folder.glob("*.parquet")):
            if (keys := self._keys(path)) is not None:
                yield path, keys, read_parquet(path)

    def drop(self, keys: Collection[str]) -> None:
        """Removes keys: a pack that holds some of them is written again without them, or goes whole."""
        for path, own, table in self.tables():
            left = [key for key in own if key not in keys]
            if len(left) == len(own):
                continue
            if left:
                rows = table.filter(pc.is_in(table[_KEY], pa.array(left, pa.string())))
                self._publish(rows, left)
            path.unlink(missing_ok=True)
        self._places.clear()
        self._packs.clear()
        self.refresh()

    def put(self, tables: Mapping[str, pa.Table]) -> None:
        """Publishes the rows of several keys as one pack."""
        parts = [
            t.append_column(_KEY, pa.array([key] * t.num_rows, pa.string()))
            for key, t in tables.items()
        ]
        self._publish(pa.concat_tables(parts), list(tables))

    def _publish(self, rows: pa.Table, keys: list[str]) -> None:
        """Writes a pack of rows that say whose they are; it is named by its content."""
        whole = rows.combine_chunks().replace_schema_metadata({_KEYS: json.dumps(keys).encode()})
        made_folder(self._folder, self.root)
        sink = pa.BufferOutputStream()
        pq.write_table(whole, sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        name = hashlib.sha256(content).hexdigest()
        write_whole(self._folder / f"{name}.parquet", content)
        self._note(name, keys)

    @property
    def _folder(self) -> Path:
        return self.root / "packs"

    def refresh(self) -> None:
        """Takes note of packs that other processes have added."""
        self._listed = True
        for path in sorted(self._folder.glob("*.parquet")):
            if path.stem not in self._packs and (keys := self._keys(path)) is not None:
                self._note(path.stem, keys)

    def _keys(self, path: Path) -> list[str] | None:
        """What a pack holds; one that is not the pack that it is named by is set aside."""
        content = read_intact(path)
        if content is not None and hashlib.sha256(content).hexdigest() == path.stem:
            with contextlib.suppress(pa.ArrowInvalid):  # no Parquet
                metadata = pq.read_schema(pa.BufferReader(content)).metadata or {}
                if _KEYS in metadata:
                    return list(json.loads(metadata[_KEYS]))
        put_aside(path, self.root, "not the pack that it is named by")
        return None

    def _note(self, pack: str, keys: Iterable[str]) -> None:
        self._packs.add(pack)
        for key in keys:
            self._places.setdefault(key, pack)
