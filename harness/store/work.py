"""A collection in progress: its batches and its answers, which survive a kill.

plan.json           the batches; written first, used again on resume (another cut would change floats)
facts.json          what the model said of itself beside the first answers
000007.parquet      a piece: one finished batch, named by the first of its requests
answers.jsonl       or a journal: one answer a line (see journal.py)
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from harness.console.secrets import redacted
from harness.store.packs import read_parquet

_WALL = b"wall_s"  # in a piece's metadata: seconds that it took


class Stored(NamedTuple):
    """The answers that are there."""

    tables: tuple[pa.Table, ...] = ()  # as `outputs_to_table` makes them, in no order
    timings: tuple[tuple[float, int], ...] = ()  # (seconds, requests) of what was answered together
    told: tuple[Mapping[str, Any], ...] = ()  # what servers said beside single answers


@dataclass(frozen=True)
class Work:
    """The folder of one collection that is being made."""

    key: str
    folder: Path

    def batches(self, decide: Callable[[], list[list[int]]]) -> list[list[int]]:
        """The batches that the work was begun with; those of `decide` where it begins now."""
        path = self.folder / "plan.json"
        if not path.exists():
            write_whole(path, json.dumps({"batches": decide()}, sort_keys=True).encode())
        return [[int(i) for i in batch] for batch in json.loads(path.read_text("utf-8"))["batches"]]

    def facts(self) -> dict[str, Any] | None:
        """What the model said of itself beside the first answers; None before them."""
        path = self.folder / "facts.json"
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else None

    def note_facts(self, tell: Callable[[], Mapping[str, Any]]) -> None:
        """Stores the model's facts, unless some are stored already."""
        path = self.folder / "facts.json"
        if not path.exists():
            write_whole(path, json.dumps(redacted(dict(tell())), sort_keys=True).encode())

    def drop(self) -> None:
        """Removes everything after the key is published."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder.parent / f"{self.key}.lock").unlink(missing_ok=True)


@dataclass(frozen=True)
class Pieces:
    """Answers as one Parquet file for every batch that was finished."""

    folder: Path

    def read(self) -> Stored:
        """All pieces; a torn one (a disk that lied) is dropped."""
        pieces = [
            p for path in sorted(self.folder.glob("*.parquet")) if (p := _piece(path)) is not None
        ]
        timings = tuple((float(p.schema.metadata[_WALL]), len(p)) for p in pieces)
        return Stored(tuple(pieces), timings)

    def add(self, answers: pa.Table, wall_s: float) -> None:
        """Stores a finished batch: temporary name, fsync, rename."""
        path = self.folder / f"{min(answers.column('request').to_pylist()):06d}.parquet"
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        metadata = {**(answers.schema.metadata or {}), _WALL: repr(wall_s).encode()}
        pq.write_table(answers.replace_schema_metadata(metadata), temporary, compression="zstd")
        sync(temporary)
        os.replace(temporary, path)


def _piece(path: Path) -> pa.Table | None:
    try:
        return read_parquet(path)
    except pa.ArrowInvalid:
        path.unlink()
        return None


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file atomically."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    sync(temporary)
    os.replace(temporary, path)


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
