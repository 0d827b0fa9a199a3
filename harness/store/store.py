"""Content-addressed results: finished work stays, interrupted work is resumed.

    work/<key>/                    what is done of a collection in progress (see work.py)
    work/<key>.lock                who works on it (see locks.py); it only saves double work
    store/ab/<key>/                rows.parquet, spec.json, provenance.json, done.json (sizes, sha256): published whole
    packs/                         scores (see packs.py), and entries that were packed (see archives.py)
    in_use.lock                    held by every run, so that nothing is removed from under it
    damaged/                       what was not as it was written (see damage.py): it is made again

The first to publish a key wins; a second one drops its own. No file is ever changed in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
    read_object,
)
from harness.store.drafts import draft_of, remove_drafts, sync, write_whole
from harness.store.locks import Holder, Pulse, alone, holder_of, last_sign_of, lock_file, shared
from harness.store.packs import Packs, read_parquet
from harness.store.work import Work
from harness.types import DistillbenchError

_ROWS, _DONE = "rows.parquet", "done.json"
_USE = "in_use.lock"  # held together by all runs, alone by who removes results
_FILES = (_ROWS, "spec.json", "provenance.json")


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
        if self.closely and (fault := self._fault_of_archived(key)):
            say(f"warning: {fault}; what it held is made again")
            return False
        self._finished.add(key)
        return True

    def names(self, key: str) -> list[str]:
        """The files of a finished key."""
        folder = self.folder(key)
        return sorted(os.listdir(folder)) if folder.is_dir() else self.archives.names(key)

    def read(self, key: str, name: str) -> bytes | None:
        """The bytes of a file of a finished key, wherever it lies; None where there is none. Not checked."""
        content = read_intact(self.folder(key) / name)
        if content is not None or os.path.lexists(self.folder(key)):
            return content
        return self.archives.read(key, name)

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
            self._write(building, key, table, spec, provenance)

    def adopt(self, key: str, files: Mapping[str, bytes]) -> None:
        """Publishes a key that was made in another store, byte for byte, and drops what is in progress of it here.

        Raises DistillbenchError where these are not the files of a key, or not the bytes of their digests.
        """
        made = {n: list(_size_and_digest(c)) for n, c in files.items() if n in _FILES}
        stated = read_object(files.get("done.json"))
        if (
            stated.pop("key", key) != key
            or files.keys() != {*_FILES, "done.json"}
            or stated != made
        ):
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
        building = self._made(draft_of(self.root / "work" / key))
        try:
            yield building
            for path in building.iterdir():
                sync(path)
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

    def _write(
        self,
        folder: Path,
        key: str,
        table: pa.Table,
        spec: Mapping[str, Any],
        provenance: Mapping[str, Any],
    ) -> None:
        """The files of an entry."""
        pq.write_table(table, folder / "rows.parquet", compression="zstd")
        for name, value in (("spec.json", spec), ("provenance.json", provenance)):
            text = json.dumps(redacted(dict(value)), sort_keys=True, indent=1, ensure_ascii=False)
            (folder / name).write_text(text, "utf-8")
        done = {name: _size_and_digest((folder / name).read_bytes()) for name in _FILES}
        (folder / "done.json").write_text(json.dumps({**done, "key": key}, sort_keys=True), "utf-8")

    def _fault(self, key: str) -> str:
        """What is wrong with an entry; "" where it is as it was published, as far as a quick look tells."""
        done = self._done(key)
        if done is None:
            return "done.json does not say what belongs to it"
        for name, (size, digest) in done.items():
            path = self.folder(key) / name
            if not path.is_file() or path.stat().st_size != size:
                return f"{name} is absent or has another size"
            read = (
                self.closely or name != _ROWS
            )  # which may be large, and is checked where it is read
            if read and _digest(path.read_bytes()) != digest:
                return f"{name} is {CHANGED}"
        return ""

    def _done(self, key: str) -> dict[str, tuple[int, str]] | None:
        """Size and digest of each file of an entry; None where nothing of the kind is stated for this key."""
        stated = read_object(self.read(key, _DONE))
        files = [stated.get(name) for name in _FILES]
        if stated.pop("key", key) != key or not all(_is_size_and_digest(f) for f in files):
            return None
        return {name: (file[0], file[1]) for name, file in zip(_FILES, files, strict=True) if file}

    def _checked(self, key: str, name: str) -> bytes:
        """The bytes of a file of an entry; raises Damaged where they are not those that were published."""
        folder, done, content = self.folder(key), self._done(key), self.read(key, name)
        if content is None or done is None or _digest(content) != done[name][1]:
            self._finished.discard(key)
            if self.archives.has(key) and not os.path.lexists(folder):
                raise Damaged(self._fault_of_archived(key) or f"{key}: {name} could not be read")
            raise Damaged(moved_aside(folder, self.root, f"{name} is {CHANGED}"))
        return content

    def _fault_of_archived(self, key: str) -> str:
        """What is wrong with an entry in an archive; "" where it is as it was published."""
        done = self._done(key)
        if done is None:
            return f"packed entry {key}: damaged (done.json does not say what belongs to it)"
        for name, stated in done.items():
            content = self.read(key, name)
            if content is None or _size_and_digest(content) != stated:
                return f"packed entry {key}: damaged ({name} is {CHANGED})"
        return ""

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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _size_and_digest(content: bytes) -> tuple[int, str]:
    return len(content), _digest(content)


def _is_size_and_digest(value: Any) -> bool:
    return isinstance(value, list) and [type(v) for v in value] == [int, str]
