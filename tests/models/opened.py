"""Which files of folders are opened, by whatever code: Python's, or a library's in C or Rust (Linux only)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_OPEN, _IN_ISDIR, _NONBLOCK = 0x20, 0x40000000, 0o4000


@contextmanager
def opened_files(*folders: Path) -> Iterator[set[Path]]:
    """Inside, files that anybody opens are taken down; the set is full when the block is left."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(_NONBLOCK)
    assert watch >= 0, os.strerror(ctypes.get_errno())
    places = {
        libc.inotify_add_watch(watch, str(sub).encode(), _IN_OPEN): sub
        for folder in folders
        for sub in (folder, *(d for d in folder.rglob("*") if d.is_dir()))
    }
    opened: set[Path] = set()
    try:
        yield opened
        opened |= set(_events(watch, places))
    finally:
        os.close(watch)


def _events(watch: int, places: dict[int, Path]) -> Iterator[Path]:
    """Files of the events that wait. Source: man 7 inotify, struct inotify_event."""
    while True:
        try:
            data = os.read(watch, 1 << 16)
        except BlockingIOError:
            return
        while data:
            place, mask, _, length = struct.unpack_from("iIII", data)
            name = data[16 : 16 + length].rstrip(b"\0").decode()
            if name and not mask & _IN_ISDIR:
                yield places[place] / name
            data = data[16 + length :]
