"""Finished entries in few files: what `distillbench store pack` makes of folders that nobody works on.

    packs/<sha256 of the file>.arrow      an Arrow file; a batch for every key: the names and bytes of its files

An archive never changes. Whoever reads an entry checks it as in a folder (see entries.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from harness.store.damage import made_folder, put_aside
from harness.store.drafts import write_whole

Files = Mapping[str, bytes]  # name of a file -> its content
_LARGEST = 64 << 20  # bytes of an archive, about: what one unreadable file costs at most
_MOST = 4096  # entries of one
_KEYS = b"keys"  # metadata: the key of every batch, in order
_SCHEMA = pa.schema([("name", pa.string()), ("content", pa.large_binary())])


class _Place(NamedTuple):
    """Where an entry stands."""

    archive: str
    batch: int


@dataclass
class Archives:
    """The archives under `root` (the results folder); listed once, when something is first asked for."""

    root: Path
    _listed: bool = False
    _places: dict[str, _Place] = field(default_factory=dict, repr=False)
    _known: set[str] = field(default_factory=set, repr=False)
    _opened: dict[str, Any] = field(default_factory=dict, repr=False)

    def has(self, key: str) -> bool:
        """Whether an entry is there; another process may have packed it since the last look."""
        if not self._listed:
            self.refresh()
        return key in self._places

    def keys(self) -> list[str]:
        """All keys, in order."""
        self.refresh()
        return sorted(self._places)

    def read(self, key: str, name: str) -> bytes | None:
        """The bytes of a file of an entry; None where it is not there or cannot be read."""
        batch = self._batch(key)
        if batch is None or name not in (names := batch.column(0).to_pylist()):
            return None
        content: bytes = batch.column(1)[names.index(name)].as_py()
        return content

    def _batch(self, key: str) -> Any:
        """The batch of an entry; None where there is none that can be read."""
        if not self.has(key):
            return None
        place = self._places[key]
        try:
            batch = self._reader(place.archive).get_batch(place.batch)
            batch.validate(full=True)
        except (pa.ArrowInvalid, OSError):
            return None
        return batch if batch.schema.equals(_SCHEMA) else None

    def put(self, entries: Iterable[tuple[str, Files]]) -> Iterator[list[str]]:
        """Writes entries into as many archives as they need; the keys of each, once it is on the disk."""
        part: list[tuple[str, Files]] = []
        weight = 0
        for key, files in entries:
            part.append((key, files))
            weight += sum(map(len, files.values()))
            if weight >= _LARGEST or len(part) >= _MOST:
                yield self._publish(part)
                part, weight = [], 0
        if part:
            yield self._publish(part)

    def drop(self, keys: Collection[str]) -> None:
        """Removes entries: their archives are written again without them. Only where nobody else reads them."""
        self.refresh()
        old = {place.archive for key, place in self._places.items() if key in keys}
        for archive in sorted(old):
            kept = [k for k, p in self._places.items() if p.archive == archive and k not in keys]
            for _ in self.put((key, self._files(key)) for key in kept):
                pass
            (self._folder / f"{archive}.arrow").unlink(missing_ok=True)
        for known in (self._places, self._known, self._opened):
            known.clear()
        self.refresh()
        if any(key in self._places for key in keys):  # in a second archive, after a kill
            self.drop(keys)

    def _files(self, key: str) -> Files:
        """The files of an entry as they stand there; none where it cannot be read."""
        batch = self._batch(key)
        return {} if batch is None else dict(zip(*batch.to_pydict().values(), strict=True))

    def refresh(self) -> None:
        """Takes note of archives that are new."""
        self._listed = True
        for path in sorted(self._folder.glob("*.arrow")):
            if path.stem not in self._known:
                self._note(path.stem, self._keys(path))

    @property
    def _folder(self) -> Path:
        return self.root / "packs"

    def _publish(self, part: list[tuple[str, Files]]) -> list[str]:
        keys = [key for key, _ in part]
        schema = _SCHEMA.with_metadata({_KEYS: json.dumps(keys).encode()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema) as file:
            for _, files in part:
                file.write_batch(pa.record_batch([list(files), list(files.values())], schema))
        content = sink.getvalue()
        name = hashlib.sha256(content).hexdigest()
        made_folder(self._folder, self.root)
        write_whole(self._folder / f"{name}.arrow", content.to_pybytes())
        self._note(name, keys)
        return keys

    def _keys(self, path: Path) -> list[str]:
        """What an archive holds; one that cannot be opened is set aside."""
        with contextlib.suppress(pa.ArrowInvalid, OSError, ValueError, TypeError):
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            keys = json.loads((reader.schema.metadata or {}).get(_KEYS, b"null"))
            if len(keys) == reader.num_record_batches and reader.schema.equals(_SCHEMA):
                self._opened[path.stem] = reader
                return [str(key) for key in keys]
        put_aside(path, self.root, "no archive of ours")
        return []

    def _note(self, archive: str, keys: Iterable[str]) -> None:
        self._known.add(archive)
        for batch, key in enumerate(keys):
            self._places.setdefault(key, _Place(archive, batch))

    def _reader(self, archive: str) -> Any:
        if archive not in self._opened:
            path = self._folder / f"{archive}.arrow"
            self._opened[archive] = pa.ipc.open_file(pa.memory_map(str(path)))
        return self._opened[archive]
