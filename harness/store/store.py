"""Content-addressed results: finished work stays, interrupted work is resumed.

    work/<key>/                    what is done of a collection in progress (see work.py)
    work/<key>.lock                who works on it (see locks.py); it only saves double work
    store/ab/<key>/                a finished entry, of two files (see entries.py): published whole
    packs/                         scores (see packs.py), and entries that were packed (see archives.py)
    in_use.lock                    held by every run, so that nothing is removed from under it
    damaged/                       what was not as it was written (see damage.py): it is made again

The first to publish a key wins; a second one drops its own. No file is ever changed in place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.console.foreign import NO_SPACE
from harness.console.progress import say
from harness.console.secrets import redacted
from harness.store.archives import Archives
from harness.store.damage import (
    CHANGED,
    Damaged,
    made_folder,
    moved_aside,
    put_aside,
    read_intact,
)
from harness.store.drafts import draft_of, remove_drafts, sync, write_whole
from harness.store.entries import ENTRY, KEY, ROWS, Entry, entry_of, files_of
from harness.store.locks import Holder, Pulse, alone, holder_of, last_sign_of, lock_file, shared
from harness.store.packs import Packs, read_parquet
from harness.store.work import Work
from harness.types import DistillbenchError

_USE = "in_use.lock"  # held together by all runs, alone by who removes results
_UNKNOWN = f"{ENTRY} is absent or {CHANGED}"


@dataclass
class Store:
    """The store under `root` (the results folder). Keys known to be finished are not checked again."""

    root: Path
    # False for file systems without flock: every process then works in a folder of its own
    lock: bool = True
    # True = every entry is read before it counts as finished: something stored was damaged
    closely: bool = False
    packs: Packs = field(init=False, repr=False)
    archives: Archives = field(init=False, repr=False)
    _pulse: Pulse = field(default_factory=Pulse, init=False, repr=False)
    _finished: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        self.packs, self.archives = Packs(self.root), Archives(self.root)

    def __reduce__(self) -> tuple[type[Store], tuple[Path, bool, bool]]:
        return type(self), (self.root, self.lock, self.closely)  # another process looks for itself

    def folder(self, key: str) -> Path:
        """The folder of a finished key."""
        return self.root / "store" / key[:2] / key

    def has(self, key: str) -> bool:
        """Whether a key is finished. A damaged entry is set aside and counts as missing."""
        if key in self._finished:
            return True
        if not os.path.lexists(f"{self.root}/store/{key[:2]}/{key}"):  # asked of very many keys
            return self._has_archived(key)
        folder = self.folder(key)
        fault = self._fault(key)
        if fault:
            put_aside(folder, self.root, fault)
        else:
            self._finished.add(key)
        return not fault

    def _has_archived(self, key: str) -> bool:
        """Whether an archive holds a key; whoever reads an entry checks it."""
        if not self.archives.has(key):
            return False
        if self.closely and (fault := self._fault(key)):
            say(f"warning: packed entry {key}: damaged ({fault}); what it held is made again")
            return False
        self._finished.add(key)
        return True

    def loose(self) -> list[str]:
        """The keys that have a folder of their own, in order."""
        folders = (self.root / "store").glob("??/*")
        return sorted(p.name for p in folders if KEY.fullmatch(p.name) and p == self.folder(p.name))

    def entry(self, key: str) -> Entry | None:
        """What a finished key says of itself, wherever it lies; None where it is not as it was written."""
        return entry_of(key, lambda name: self._read(key, name))

    def files(self, key: str) -> dict[str, bytes]:
        """The files of a finished key, wherever it lies, for `adopt` and for archives; the rows are not checked."""
        entry = self.entry(key)
        contents = {name: self._read(key, name) for name in sorted(entry.names if entry else ())}
        return {name: content for name, content in contents.items() if content is not None}

    def table(self, key: str) -> pa.Table:
        """Rows of a finished key, checked against their digest."""
        return read_parquet(pa.BufferReader(self._rows(key)))

    def spec(self, key: str) -> dict[str, Any]:
        """What the key was made from."""
        return self._intact(key).spec

    def provenance(self, key: str) -> dict[str, Any]:
        """How the key was made: seconds, memory, versions; not part of any promise of equal bytes."""
        return self._intact(key).provenance

    def promised(self, key: str) -> tuple[bytes, bytes]:
        """What is promised to be the same bytes wherever a key is made: its rows and its specification."""
        return self._rows(key), json.dumps(self.spec(key), sort_keys=True).encode()

    def put(
        self, key: str, table: pa.Table, spec: Mapping[str, Any], provenance: Mapping[str, Any]
    ) -> None:
        """Publishes a key whole; a key that is there already stays as it is."""
        self._publish(key, files_of(key, table, spec, provenance))

    def adopt(self, key: str, files: Mapping[str, bytes]) -> None:
        """Publishes a key that was made in another store, byte for byte, and drops what is in progress of it here.

        Raises DistillbenchError where these are not the files of a key, or not the bytes of their digests.
        """
        entry = entry_of(key, files.get)
        if entry is None or files.keys() != entry.names or not entry.are_rows(files[ROWS]):
            raise DistillbenchError(
                f"key {key}: damaged on its way from another machine; run again"
            )
        self._publish(key, files)
        shutil.rmtree(self.root / "work" / key, ignore_errors=True)

    def _publish(self, key: str, files: Mapping[str, bytes]) -> None:
        """Writes the files of a key; they get its name together, unless somebody was faster."""
        building = self._made(draft_of(self.root / "work" / key))
        try:
            for name, content in files.items():
                (building / name).write_bytes(content)
                sync(building / name)
            final = self.folder(key)
            self._made(final.parent)
            try:
                os.rename(building, final)
            except OSError as error:
                if not self.has(key):  # else somebody published first: theirs is as good
                    raise OSError(error.errno, error.strerror, str(final)) from error
            sync(final.parent)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    @contextlib.contextmanager
    def work(self, key: str) -> Iterator[Work | None]:
        """The work in progress on a key, or None while another process holds it."""
        parent = self._made(self.root / "work")
        if not self.lock:
            yield Work(key, self._own_folder(key), self.root)
            return
        path = self._lock_path(key)
        if path.is_dir():
            put_aside(path, self.root, "a folder where a file belongs")
        with open(path, "a", encoding="utf-8") as handle:
            if lock_file(path, handle):
                with self._pulse.beating(path):
                    yield Work(key, self._made(parent / key), self.root)
            else:
                yield None

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Inside, nobody removes what is finished."""
        if not self.lock:
            yield
            return
        path = self._made(self.root) / _USE
        with shared(path, lambda: say(f"waiting: somebody removes results from {self.root}")):
            yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, no run uses these results; raises DistillbenchError where one does, or nobody can tell."""
        if not self.lock:
            raise DistillbenchError(
                "paths.lock: expected true, got false: without locks nobody can tell whether a run uses these results"
            )
        with alone(self.root / _USE) as ours:
            if not ours:
                raise DistillbenchError(
                    f"{self.root}: a run uses these results at the moment; wait until it has ended"
                )
            yield

    def drop(self, key: str) -> None:
        """Removes a finished key: from its place at once, so that no half of it is ever found there."""
        self._finished.discard(key)
        gone = draft_of(self._made(self.root / "work") / key)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.folder(key), gone)
        shutil.rmtree(gone, ignore_errors=True)

    def holder(self, key: str) -> Holder | None:
        """The process that works on a key, as far as it says who it is."""
        return holder_of(self._lock_path(key))

    def last_sign(self, key: str) -> tuple[str, int]:
        """Whatever changes while the process that works on a key lives."""
        return last_sign_of(self._lock_path(key))

    def tidy(self) -> None:
        """Removes what dead processes have left: drafts, and work on keys that are finished."""
        work = self.root / "work"
        for folder in (self.root, work, self.root / "packs", self.root / "failures"):
            remove_drafts(folder)
        for path in sorted(work.glob("*")):
            key, _, owner = path.name.partition(".")
            pid, _, host = owner.partition("@")
            if pid.isdigit():  # of a process that works without locks
                if Holder(host, int(pid)).is_dead and self.has(key):
                    shutil.rmtree(path, ignore_errors=True)
            elif self.lock and owner in ("", "lock") and (owner or self.has(key)):
                self._tidy_key(key)

    def _tidy_key(self, key: str) -> None:
        """Removes the work on a finished key, and a lock that nobody needs."""
        with self.work(key) as work:
            if work is None:
                return
            remove_drafts(work.folder)
            if self.has(key) or not any(work.folder.iterdir()):
                work.drop()

    def note_failure(self, key: str, reason: str, details: str = "") -> None:
        """Remembers why a key could not be made, for reports made later; `details` (a traceback) follow it."""
        text = redacted(f"{reason}\n\n{details}" if details else reason)
        self._made(self.root / "failures")
        write_whole(self._failure_path(key), text.encode("utf-8", "backslashreplace"))

    def failure(self, key: str) -> str | None:
        """Why a key could not be made the last time, in one line; None if it was never tried."""
        content = read_intact(self._failure_path(key))
        if content is None:
            return None
        return redacted(content.decode("utf-8", "replace")).partition("\n")[0]

    def forget_failure(self, key: str) -> None:
        """Drops a remembered failure once the key is made."""
        path = self._failure_path(key)
        if path.is_dir():
            put_aside(path, self.root, "a folder where a file belongs")
        elif os.path.lexists(path):
            path.unlink(missing_ok=True)

    def is_hindered_by(self, error: OSError) -> bool:
        """Whether nothing more can be stored: no room is left, or a folder of the store is out of reach."""
        if error.errno in NO_SPACE:
            return True
        own = [self.root / name for name in ("store", "work", "packs", "failures", "damaged")]
        place = Path(error.filename) if isinstance(error.filename, str) else None
        return place is not None and any(folder in (place, *place.parents) for folder in own)

    def _read(self, key: str, name: str) -> bytes | None:
        """The bytes of a file of a finished key, wherever it lies; None where there is none."""
        content = read_intact(self.folder(key) / name)
        if content is not None or os.path.lexists(self.folder(key)):
            return content
        return self.archives.read(key, name)

    def _fault(self, key: str) -> str:
        """What is wrong with an entry; "" where it is as it was published, as far as a quick look tells."""
        entry, path = self.entry(key), self.folder(key) / ROWS
        if entry is None:
            return _UNKNOWN
        if not self.closely:  # the rows may be many, and are checked where they are read
            there = path.is_file() and path.stat().st_size == entry.rows[0]
            return "" if there else f"{ROWS} is absent or has another size"
        return "" if entry.are_rows(self._read(key, ROWS)) else f"{ROWS} is {CHANGED}"

    def _intact(self, key: str) -> Entry:
        """What an entry says of itself; raises Damaged where that is not what was published."""
        entry = self.entry(key)
        if entry is None:
            raise self._damaged(key, _UNKNOWN)
        return entry

    def _rows(self, key: str) -> bytes:
        """The bytes of the rows of an entry; raises Damaged where they are not those that were published."""
        entry, content = self._intact(key), self._read(key, ROWS)
        if content is None or not entry.are_rows(content):
            raise self._damaged(key, f"{ROWS} is {CHANGED}")
        return content

    def _damaged(self, key: str, fault: str) -> Damaged:
        """The error for an entry that is not as it was published; its folder is set aside."""
        self._finished.discard(key)
        folder = self.folder(key)
        if self.archives.has(key) and not os.path.lexists(folder):
            return Damaged(f"packed entry {key}: damaged ({fault})")
        return Damaged(moved_aside(folder, self.root, fault))

    def _own_folder(self, key: str) -> Path:
        """The folder of this process without locks; it goes on with what a dead one has left."""
        me, work = Holder.here(), self.root / "work"
        own = work / f"{key}.{me.pid}@{me.host}"
        for left in sorted(work.glob(f"{key}.*@*")):
            pid, _, host = left.name.removeprefix(f"{key}.").partition("@")
            if pid.isdigit() and Holder(host, int(pid)).is_dead and not own.exists():
                with contextlib.suppress(OSError):  # another process was faster
                    os.rename(left, own)
        return self._made(own)

    def _lock_path(self, key: str) -> Path:
        return self.root / "work" / f"{key}.lock"

    def _failure_path(self, key: str) -> Path:
        return self.root / "failures" / f"{key}.txt"

    def _made(self, folder: Path) -> Path:
        return made_folder(folder, self.root)
