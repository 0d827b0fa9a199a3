"""Drafts: what is written under a name that says whose it is, until it is whole and gets its own."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from harness.store.locks import Holder

_DRAFT = re.compile(r"^\..*\.(?P<pid>\d+)@(?P<host>.+)\.[0-9a-f]{8}\.draft$", re.DOTALL)
_OLD_S = 7 * 24 * 3600.0  # a draft of another machine, whose processes nobody can see from here


def draft_of(path: Path) -> Path:
    """Where this process writes what shall stand at `path`."""
    me = Holder.here()
    return path.with_name(f".{path.name}.{me.pid}@{me.host}.{uuid.uuid4().hex[:8]}.draft")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file atomically: its draft is on the disk before it gets its name."""
    draft = draft_of(path)
    try:
        draft.write_bytes(content)
        sync(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_drafts(folder: Path, now_s: Callable[[], float] = time.time) -> None:
    """Removes from a folder the drafts of processes that are dead, or of other machines and a week old."""
    for path in folder.glob(".*.draft"):
        owner = _DRAFT.match(path.name)
        if owner is None:
            continue
        holder = Holder(owner["host"], int(owner["pid"]))
        if holder.is_dead or (not holder.is_local and now_s() - path.stat().st_mtime > _OLD_S):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
