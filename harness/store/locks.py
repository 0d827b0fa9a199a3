"""Locks of keys: who holds one, and whether its holder still shows signs of life.

    work/<key>.lock       flock; its content says who holds it, its time of change is touched while it is held

The kernel drops a lock as its process dies, but not while the process is stopped, and a server of files may keep the
lock of a machine that is gone. Who waits therefore looks whether the file is still touched.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.types import DistillbenchError

BEAT_S = 2.0  # between two touches
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@dataclass(frozen=True)
class Holder:
    """A process, by its machine."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        return cls(os.uname().nodename, os.getpid())

    @property
    def is_local(self) -> bool:
        """Whether it ran on this machine."""
        return self.host == os.uname().nodename

    @property
    def is_dead(self) -> bool:
        """Whether it ran on this machine and runs no more."""
        if not self.is_local:
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:  # somebody else's
            return False
        return False


@dataclass
class Pulse:
    """Touches the files of all locks that this process holds, in a thread that ends with the last of them."""

    beat_s: float = BEAT_S
    _paths: set[Path] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event | None = None

    @contextlib.contextmanager
    def beating(self, path: Path) -> Iterator[None]:
        """Inside, the file is touched again and again."""
        with self._guard:
            self._paths.add(path)
            if self._over is None:
                self._over = threading.Event()
                threading.Thread(target=self._beat, args=(self._over,), daemon=True).start()
        try:
            yield
        finally:
            with self._guard:
                self._paths.discard(path)
                if not self._paths and self._over is not None:
                    self._over.set()
                    self._over = None

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(self.beat_s):
            with self._guard:
                paths = tuple(self._paths)
            for path in paths:
                with contextlib.suppress(OSError):  # removed with its work
                    os.utime(path)


def lock_file(path: Path, handle: IO[str]) -> bool:
    """Locks an open file and writes into it who holds it; False while another process does.

    Raises DistillbenchError where the file system has no locks.
    """
    if not _took(path, handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return False
    me = Holder.here()
    handle.truncate(0)
    handle.write(f"{me.pid} {me.host}\n")
    handle.flush()
    return True


@contextlib.contextmanager
def shared(path: Path, doing: Callable[[], None]) -> Iterator[None]:
    """Inside, nobody else has the file for themselves; `doing` is called where it has to be waited for."""
    with open(path, "a", encoding="utf-8") as handle:
        if not _took(path, handle, fcntl.LOCK_SH | fcntl.LOCK_NB):
            doing()
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody else holds the file; if so, nobody does inside."""
    with open(path, "a", encoding="utf-8") as handle:
        yield _took(path, handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def holder_of(path: Path) -> Holder | None:
    """Who holds a lock, as its file says; None where it says nothing."""
    try:
        pid, _, host = path.read_text("utf-8", errors="replace").strip().partition(" ")
    except OSError:
        return None
    return Holder(host, int(pid)) if pid.isascii() and pid.isdigit() and host else None


def last_sign_of(path: Path) -> tuple[str, int]:
    """Whatever changes while the holder of a lock lives: who it is, and when it last touched the file."""
    try:
        return str(holder_of(path)), path.stat().st_mtime_ns
    except OSError:
        return "", 0


def _took(path: Path, handle: IO[str], how: int) -> bool:
    """Whether an open file could be locked; raises DistillbenchError where the file system has no locks."""
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise DistillbenchError(
            f"{path}: {error.strerror}; this file system has no locks: set paths.lock=false"
        ) from error
    return True
