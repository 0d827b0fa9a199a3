"""Content-addressed results: finished work stays, interrupted work is resumed.

    work/<key>/                    what is done of a collection in progress (see work.py)
    work/<key>.lock                flock; the kernel drops it when a process dies, it only saves double work
    store/ab/<key>/                rows.parquet, spec.json, provenance.json, done.json (sizes, sha256): published whole

The first to publish a key wins; a second one drops its own. No file is ever changed in place.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.console.secrets import redacted
from harness.store.packs import Packs, read_parquet
from harness.store.work import Work, sync, write_whole
from harness.types import DistillbenchError

_FILES = ("rows.parquet", "spec.json", "provenance.json")


@dataclass
class Store:
    """The store under `root` (the results folder). Keys known to be finished are not checked again."""

    root: Path
    # False for file systems without flock: every process then works in a folder of its own
    lock: bool = True
    packs: Packs = field(init=False, repr=False)
    _finished: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        self.packs = Packs(self.root)

    def __reduce__(self) -> tuple[type[Store], tuple[Path, bool]]:
        return type(self), (self.root, self.lock)  # another process looks for itself

    def folder(self, key: str) -> Path:
        """The folder of a finished key."""
        return self.root / "store" / key[:2] / key

    def has(self, key: str) -> bool:
        """Whether a key is finished. A damaged entry (files of another size) is set aside and counts as missing."""
        if key in self._finished:
            return True
        if not os.path.lexists(f"{self.root}/store/{key[:2]}/{key}"):  # asked of very many keys
            return False
        folder = self.folder(key)
        try:
            done = json.loads((folder / "done.json").read_text("utf-8"))
            intact = all((folder / name).stat().st_size == size for name, (size, _) in done.items())
        except FileNotFoundError:
            intact = False
            if not folder.exists():
                return False
        except (json.JSONDecodeError, AttributeError, ValueError):
            intact = False
        if not intact:
            os.replace(folder, self._made(self.root / "damaged") / f"{key}.{uuid.uuid4().hex[:8]}")
        else:
            self._finished.add(key)
        return intact

    def table(self, key: str) -> pa.Table:
        """Rows of a finished key, checked against their digest."""
        return read_parquet(pa.BufferReader(self._checked(key, "rows.parquet")))

    def spec(self, key: str) -> dict[str, Any]:
        """What the key was made from."""
        return dict(json.loads(self._checked(key, "spec.json")))

    def provenance(self, key: str) -> dict[str, Any]:
        """How the key was made: seconds, memory, versions; not part of any promise of equal bytes."""
        return dict(json.loads(self._checked(key, "provenance.json")))

    def put(
        self, key: str, table: pa.Table, spec: Mapping[str, Any], provenance: Mapping[str, Any]
    ) -> None:
        """Publishes a key whole; a key that is there already stays as it is."""
        with self._published(key) as building:
            pq.write_table(table, building / "rows.parquet", compression="zstd")
            for name, value in (("spec.json", spec), ("provenance.json", provenance)):
                text = json.dumps(
                    redacted(dict(value)), sort_keys=True, indent=1, ensure_ascii=False
                )
                (building / name).write_text(text, "utf-8")
            done = {name: _size_and_digest(building / name) for name in _FILES}
            (building / "done.json").write_text(json.dumps(done, sort_keys=True), "utf-8")

    def adopt(self, key: str, files: Mapping[str, bytes]) -> None:
        """Publishes a key that was made in another store, byte for byte, and drops what is in progress of it here.

        Raises DistillbenchError where these are not the files of a key, or not the bytes of their digests.
        """
        made = {n: [len(c), hashlib.sha256(c).hexdigest()] for n, c in files.items() if n in _FILES}
        if files.keys() != {*_FILES, "done.json"} or json.loads(files["done.json"]) != made:
            raise DistillbenchError(
                f"key {key}: damaged on its way from another machine; run again"
            )
        with self._published(key) as building:
            for name, content in files.items():
                (building / name).write_bytes(content)
        shutil.rmtree(self.root / "work" / key, ignore_errors=True)

    @contextlib.contextmanager
    def _published(self, key: str) -> Iterator[Path]:
        """A folder whose files become those of the key, unless somebody was faster."""
        building = self._made(
            self.root / "work" / f"{key}.{os.getpid()}.{uuid.uuid4().hex[:8]}.new"
        )
        try:
            yield building
            for path in building.iterdir():
                sync(path)
            final = self.folder(key)
            self._made(final.parent)
            with contextlib.suppress(OSError):  # somebody else published first: theirs is as good
                os.rename(building, final)
            sync(final.parent)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        if not self.folder(key).exists():
            raise DistillbenchError(
                f"{self.folder(key)}: could not be written; expected a writable folder"
            )

    @contextlib.contextmanager
    def work(self, key: str) -> Iterator[Work | None]:
        """The work in progress on a key, or None while another process holds it."""
        parent = self._made(self.root / "work")
        if not self.lock:
            yield Work(key, self._made(parent / f"{key}.{os.uname().nodename}.{os.getpid()}"))
            return
        with open(parent / f"{key}.lock", "w", encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield Work(key, self._made(parent / key))

    def note_failure(self, key: str, reason: str, details: str = "") -> None:
        """Remembers why a key could not be made, for reports made later; `details` (a traceback) follow it."""
        text = redacted(f"{reason}\n\n{details}" if details else reason)
        write_whole(self._made(self.root / "failures") / f"{key}.txt", text.encode())

    def failure(self, key: str) -> str | None:
        """Why a key could not be made the last time, in one line; None if it was never tried."""
        path = self.root / "failures" / f"{key}.txt"
        return redacted(path.read_text("utf-8")).partition("\n")[0] if path.exists() else None

    def forget_failure(self, key: str) -> None:
        """Drops a remembered failure once the key is made."""
        (self.root / "failures" / f"{key}.txt").unlink(missing_ok=True)

    def _checked(self, key: str, name: str) -> bytes:
        folder = self.folder(key)
        content = (folder / name).read_bytes()
        expected = json.loads((folder / "done.json").read_text("utf-8"))[name][1]
        if hashlib.sha256(content).hexdigest() != expected:
            raise DistillbenchError(
                f"{folder / name}: damaged; expected sha256 {expected[:12]}..., got another. "
                f"Delete {folder} and run again"
            )
        return content

    @staticmethod
    def _made(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _size_and_digest(path: Path) -> tuple[int, str]:
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()
