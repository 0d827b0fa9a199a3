"""sha256 of files, remembered by path, size and time of change, so that a warm run reads no weights.

The memo is a cache folder with one small JSON file per hashed file; deleting it costs only time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISREG

from harness.console.progress import stage
from harness.keys import digest
from harness.store.damage import sealed, unsealed
from harness.store.drafts import write_whole
from harness.store.looks import read_before
from harness.types import DistillbenchError

# a file younger than this may change again within one tick of the file system's clock
_SETTLED_NS = 2_000_000_000


def file_sha256(path: Path, cache: Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits; `cache` is the configuration's cache folder."""
    path = path.absolute()
    read_before(path)
    try:
        stat = path.stat()
        if not S_ISREG(stat.st_mode):  # a pipe would be waited for
            raise DistillbenchError(f"{path}: expected a file, found a folder, a pipe or a device")
        stamp = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        memo = cache / "filehash" / f"{digest(str(path))}.json"
        known = unsealed(memo) or {}
        if known.get("stamp") == stamp:
            return str(known["sha256"])
        with path.open("rb") as file, stage(f"reading {path.name} ({stat.st_size / 1e9:.1f} GB)"):
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:  # ValueError: a name that no disk could hold
        why = getattr(error, "strerror", None) or error
        raise DistillbenchError(f"{path}: expected a readable file, got: {why}") from None
    if time.time_ns() - stat.st_mtime_ns > _SETTLED_NS:
        memo.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memo, sealed({"stamp": stamp, "sha256": sha256}))
    return sha256


def files_sha256(files: Iterable[Path], folder: Path, cache: Path) -> str:
    """One digest over files of a folder: their contents and their names inside it, never the folder's place."""
    return digest(
        [[f.relative_to(folder).as_posix(), file_sha256(f, cache)] for f in sorted(files)]
    )
