"""Stamps of folders: whether anything in them was written, moved or removed, without reading a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.keys import digest

_MADE_BY_PYTHON = "__pycache__"


def stamp(places: Iterable[Path]) -> str:
    """Digest of name, place on the disk, size and times of every file under some folders, or of single files.

    Equal where nobody touched them since; a copy has another one. What is absent counts as empty.
    """
    return digest([[str(place), sorted(_files(str(place)))] for place in places])


def _files(place: str) -> Iterator[list[str | int]]:
    """A row for a file, or for every file under a folder."""
    try:
        entries = os.scandir(place)
    except NotADirectoryError:
        yield ["", *_times(os.stat(place))]
        return
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != _MADE_BY_PYTHON:
                    yield from _files(entry.path)
            else:
                yield [entry.path, *_times(entry.stat(follow_symlinks=entry.is_file()))]


def _times(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
