"""Files of a results folder as they travel between machines that share none: Arrow's bytes, never a pickle.

A table has the columns `path`, below the results folder, and `content`. What is stored keeps its bytes, so that its own
digests still hold where it arrives.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import pyarrow as pa

from harness.store.drafts import write_whole
from harness.store.store import Store
from harness.types import DistillbenchError

_SCHEMA = pa.schema([("path", pa.string()), ("content", pa.large_binary())])
# folders of a results folder whose files travel; those of a stored key arrive together
_STORED, _WORK, _OTHERS = "store", "work", ("packs", "failures")
_PLACES = re.compile(r"(store/[^/]+/[^/]+|work/[^/]+|packs|failures)/[^/]+")


def parcel(files: Mapping[str, bytes]) -> bytes:
    """Files by their paths as the bytes of an Arrow stream."""
    table = pa.table({"path": list(files), "content": list(files.values())}, schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def opened(content: bytes) -> dict[str, bytes]:
    """The inverse of parcel. Raises DistillbenchError for a path that leads out of the results folder."""
    with pa.ipc.open_stream(pa.BufferReader(content)) as stream:
        rows = stream.read_all().to_pylist()
    for row in rows:
        path = row["path"]
        if not _PLACES.fullmatch(path) or ".." in PurePosixPath(path).parts:
            raise DistillbenchError(f"a worker sent {path!r}: no file of a results folder")
    return {row["path"]: row["content"] for row in rows}


def needed(keys: Iterable[str], store: Store) -> dict[str, bytes]:
    """The files of stored keys, and of those that are in progress."""
    files: dict[str, bytes] = {}
    for key in keys:
        place = store.folder(key).relative_to(store.root).as_posix()
        files |= {f"{place}/{name}": content for name, content in store.files(key).items()}
        begun = _whole(store.root / _WORK / key)
        files |= {p.relative_to(store.root).as_posix(): p.read_bytes() for p in begun}
    return files


def receive(files: Mapping[str, bytes], store: Store) -> None:
    """Puts files into a results folder; a stored key appears whole, and what is there already stays."""
    entries: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        parts = PurePosixPath(path).parts
        if parts[0] == _STORED:
            entries.setdefault(parts[-2], {})[parts[-1]] = content
            continue
        place = store.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, content)
    for key, entry in entries.items():
        store.adopt(key, entry)


class Watch:
    """A results folder in which a worker writes: what is new in it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, tuple[int, int]] = {}

    def news(self) -> dict[str, bytes]:
        """Files that came or changed since the last call; a stored key once it is whole."""
        files: dict[str, bytes] = {}
        for path in self._files():
            name = path.relative_to(self._root).as_posix()
            with contextlib.suppress(FileNotFoundError):  # dropped after its key was published
                state = (path.stat().st_size, path.stat().st_mtime_ns)
                if self._seen.get(name) != state:
                    files[name] = path.read_bytes()
                    self._seen[name] = state
        return files

    def _files(self) -> Iterator[Path]:
        for first in (_STORED, _WORK, *_OTHERS):
            for folder, _, _ in os.walk(self._root / first):
                if not folder.endswith(".draft"):
                    yield from _whole(Path(folder))


def _whole(folder: Path) -> list[Path]:
    """Files of a folder that are not drafts."""
    if not folder.is_dir():
        return []
    return sorted(
        p for p in folder.iterdir() if p.is_file() and p.suffix not in (".draft", ".lock")
    )
