"""Which files and folders of the machine a command has looked at, so that the same command can see that none changed.

Python tells of every file that is opened and every folder that is listed (PEP 578, "Python Runtime Audit Hooks"); of
files whose digest is remembered, who remembers it. Each is stamped as it was before it was read.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.console.progress import overhearing
from harness.keys import digest
from harness.store.stamps import row, stamp

_LISTED = ("os.listdir", "os.scandir")
_WRITING = os.O_WRONLY | os.O_RDWR
_OURS = str(Path(__file__).parents[1])
# read by every Python; another installation has other versions
_INSTALLED = tuple(
    {*map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")), _OURS}
)
_MACHINE = ("/proc", "/dev", "/sys")


@dataclass(frozen=True)
class Looks:
    """What a command looked at, and a digest of how it was."""

    asked: str  # digest of what was given to the command
    places: tuple[str, ...]  # files, and folders for the names in them
    folders: tuple[str, ...]  # with all that they hold, and single files
    seen: str

    def hold(self) -> bool:
        """Whether everything is as it was."""
        return self.seen == _seen({p: _row(p) for p in self.places}, self.folders)


@dataclass
class _Watch:
    """What was looked at so far."""

    asked: str
    rows: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    known: bool = True  # False = something was done that no stamp tells of
    said: list[str] = field(default_factory=list)  # lines that would have to be said again
    listening: ExitStack = field(default_factory=ExitStack)


_watches: list[_Watch] = []  # at most one
_hooked: list[bool] = []


def watch(asked: str) -> None:
    """From now on what this process looks at is noted, until `looks` is called; `asked` = what it was told."""
    watching = _Watch(asked)
    watching.listening.enter_context(overhearing(watching.said))
    _watches[:] = [watching]
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_heard)


def look_at(*folders: Path) -> None:
    """Notes folders of which every file may matter."""
    for watching in _watches:
        watching.folders += [os.path.abspath(f) for f in folders]


def give_up() -> None:
    """Something was done that has to be done again by the same command."""
    for watching in _watches:
        watching.known = False


def read_before(path: Path) -> None:
    """Notes a file whose contents are known from an earlier command."""
    for watching in _watches:
        _note(watching, str(path))


def looks(apart: Iterable[Path]) -> Looks | None:
    """What was looked at since `watch`, which ends; None where that was not called, or something was said or
    done that is not seen from files.

    apart: folders of what this program itself keeps, which count for nothing.
    """
    watching = _watches.pop() if _watches else None
    if watching is None:
        return None
    watching.listening.close()
    if watching.said or not watching.known:
        return None
    left = (*_INSTALLED, *_MACHINE, *(os.path.abspath(p) for p in apart))
    rows = {p: r for p, r in watching.rows.items() if not _inside(p, left)}
    for parent in {os.path.dirname(p) for p in rows}:  # where another file might have been found
        if not _inside(parent, left):
            rows.setdefault(parent, _row(parent))
    folders = tuple(dict.fromkeys(watching.folders))
    return Looks(watching.asked, tuple(rows), folders, _seen(rows, folders))


def _seen(rows: dict[str, tuple[int, ...] | None], folders: tuple[str, ...]) -> str:
    return digest(sorted(rows.items()), stamp(map(Path, folders)))


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watches or not (event == "open" or event in _LISTED):
        return
    place = arguments[0] if arguments[0] is not None else "."
    if isinstance(place, int) or (event == "open" and (arguments[2] or 0) & _WRITING):
        return
    _note(_watches[-1], os.fsdecode(place))


def _note(watching: _Watch, place: str) -> None:
    path = os.path.abspath(place)
    if path not in watching.rows:
        watching.rows[path] = _row(path)


def _row(path: str) -> tuple[int, ...] | None:
    try:
        return row(os.stat(path))
    except (OSError, ValueError):  # a name that no disk could hold
        return None


def _inside(path: str, folders: Iterable[str]) -> bool:
    return "__pycache__" in path or any(path == f or path.startswith(f + os.sep) for f in folders)
