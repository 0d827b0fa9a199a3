"""What is damaged, or in the way, is set aside under `damaged/`, and said in one line: it is made again."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

from harness.console.progress import say
from harness.types import DistillbenchError

# of reading where something else lies in a file's place; what a failing disk or a missing permission raises cannot be
# cured by making it again
_ELSEWHERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)


CHANGED = "not what was written"


class Damaged(DistillbenchError):
    """Something stored is not what was stored, and is set aside by now."""

    def __init__(self, said: str) -> None:
        super().__init__(f"{said}; run again, and what it held is made again")
        self.said = said


def read_intact(path: Path) -> bytes | None:
    """The bytes of a file; None where there is no file that could be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno in _ELSEWHERE:
            return None
        raise


def read_object(content: bytes | None) -> dict[str, Any]:
    """The object that a JSON text of ours spells; an empty one where it spells something else."""
    try:
        value = json.loads(content or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def sealed(value: Any) -> bytes:
    """A value as JSON beside its digest."""
    value = json.loads(json.dumps(value))  # keys as they will be read
    return json.dumps({"sha256": _digest(value), "value": value}, sort_keys=True).encode()


def unsealed(path: Path) -> Any | None:
    """The value of a sealed file; None where it is damaged or absent."""
    stored = read_object(read_intact(path))
    value = stored.get("value")
    return value if stored.get("sha256") == _digest(value) else None


def made_folder(folder: Path, root: Path) -> Path:
    """The folder below the results folder, made where it is absent; a file in its place is set aside."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        blocked = next((p for p in (*folder.parents, folder) if is_blocked(p)), None)
        if blocked is None or root not in blocked.parents:
            raise
        put_aside(blocked, root, "a file where a folder belongs")
        return made_folder(folder, root)
    return folder


def is_blocked(folder: Path) -> bool:
    """Whether a file lies where a folder belongs; a link may lead to a disk that is not there at the moment."""
    return os.path.lexists(folder) and not folder.is_dir() and not folder.is_symlink()


def put_aside(path: Path, root: Path, why: str) -> None:
    """Moves what is damaged to `damaged/` under the results folder, and says so."""
    say(f"warning: {moved_aside(path, root, why)}; what it held is made again")


def moved_aside(path: Path, root: Path, why: str) -> str:
    """What was damaged and where it lies now, after it was moved to `damaged/`."""
    name = f"{path.name}.{uuid.uuid4().hex[:8]}"
    place = root / name if path == root / "damaged" else made_folder(root / "damaged", root) / name
    with contextlib.suppress(FileNotFoundError):  # somebody else was faster
        os.replace(path, place)
    return f"{path}: damaged ({why}); set aside as {place}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
