"""Stamps of folders: whether anything in them was written, moved or removed, without reading a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from harness.keys import digest

_MADE_BY_PYTHON = "__pycache__"


def stamp(places: Iterable[Path]) -> str:
    """Digest of name, place on the disk, size and times of every file under some folders, or of single files.

    Equal where nobody touched them since; a copy has another one. What is absent counts as empty.
    """
    return digest([[str(place), sorted(_files(str(place)))] for place in places])


def _files(place: str) -> list[tuple[str | int, ...]]:
    """A row for every file under a folder; one for a file."""
    if not os.path.isdir(place):
        return [("", *row(os.stat(place)))] if os.path.exists(place) else []
    rows, folders = list[tuple[str | int, ...]](), [place]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if not entry.is_dir():
                    rows.append((entry.path, *row(entry.stat(follow_symlinks=entry.is_file()))))
                elif entry.name != _MADE_BY_PYTHON:
                    folders.append(entry.path)
    return rows


def row(seen: os.stat_result) -> tuple[int, ...]:
    """Place on the disk, size and times: equal where nobody touched a file, or the names in a folder, since."""
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
