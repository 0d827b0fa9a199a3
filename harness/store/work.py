"""A collection in progress: its batches and its answers, which survive a kill.

plan.json                            the batches; written first, used again on resume (another cut would change floats)
facts.json                           what the model said of itself beside the first answers
000007.3fa1c09be2d47a60.parquet      a piece: one finished batch, named by the first of its requests and its digest
answers.jsonl                        or a journal: one answer a line (see journal.py)
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from harness.console.secrets import redacted
from harness.store.damage import CHANGED, made_folder, put_aside, read_intact, sealed, unsealed
from harness.store.drafts import write_whole
from harness.store.packs import read_parquet

_WALL = b"wall_s"  # in a piece's metadata: seconds that it took
_DIGITS = 16
_JOURNAL = "answers.jsonl"


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
    root: Path  # the results folder

    def batches(self, decide: Callable[[], list[list[int]]]) -> list[list[int]]:
        """The batches that the work was begun with; those of `decide` where it begins now."""
        path = self.folder / "plan.json"
        begun = unsealed(path)
        if begun is not None and begun["key"] == self.key:
            return [[int(i) for i in batch] for batch in begun["batches"]]
        self._begin_anew(foreign=begun is not None)
        batches = decide()
        write_whole(path, sealed({"key": self.key, "batches": batches}))
        return batches

    def journal(self) -> Path:
        """The file of answers that came one by one; something else in its place is set aside."""
        path = self.folder / _JOURNAL
        if os.path.lexists(path) and not path.is_file():
            put_aside(path, self.root, "not a file")
        return path

    def facts(self) -> dict[str, Any] | None:
        """What the model said of itself beside the first answers; None before them."""
        path = self.folder / "facts.json"
        facts = unsealed(path)
        if facts is None and os.path.lexists(path):
            put_aside(path, self.root, CHANGED)
        return facts

    def note_facts(self, tell: Callable[[], Mapping[str, Any]]) -> None:
        """Stores the model's facts, unless some are stored already."""
        if self.facts() is None:
            write_whole(self.folder / "facts.json", sealed(redacted(dict(tell()))))

    def drop(self) -> None:
        """Removes everything after the key is published."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder.parent / f"{self.key}.lock").unlink(missing_ok=True)

    def _begin_anew(self, *, foreign: bool) -> None:
        """Sets aside what was made by a plan that is lost; a journal needs none, and stays unless it is foreign."""
        path = self.folder / "plan.json"
        if not foreign and (self.folder / _JOURNAL).exists():
            if os.path.lexists(path):
                put_aside(path, self.root, CHANGED)
        elif any(self.folder.iterdir()):
            why = "another collection's" if foreign else "the plan of its batches is lost"
            put_aside(self.folder, self.root, why)
            made_folder(self.folder, self.root)


@dataclass(frozen=True)
class Pieces:
    """Answers as one Parquet file for every batch that was finished."""

    work: Work

    def read(self) -> Stored:
        """All pieces; one that is damaged, or another collection's, is set aside."""
        paths = sorted(self.work.folder.glob("*.parquet"))
        pieces = [piece for path in paths if (piece := self._piece(path)) is not None]
        timings = tuple((float(p.schema.metadata[_WALL]), len(p)) for p in pieces)
        return Stored(tuple(pieces), timings)

    def add(self, answers: pa.Table, wall_s: float) -> None:
        """Stores a finished batch."""
        metadata = {**(answers.schema.metadata or {}), _WALL: repr(wall_s).encode()}
        sink = pa.BufferOutputStream()
        pq.write_table(answers.replace_schema_metadata(metadata), sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        first = min(answers.column("request").to_pylist())
        write_whole(self.work.folder / f"{first:06d}.{self._digest(content)}.parquet", content)

    def _piece(self, path: Path) -> pa.Table | None:
        content = read_intact(path)
        if content is not None and path.name.split(".")[1] == self._digest(content):
            return read_parquet(pa.BufferReader(content))
        put_aside(path, self.work.root, CHANGED)
        return None

    def _digest(self, content: bytes) -> str:
        """Of a piece and of the collection that it belongs to."""
        return hashlib.sha256(self.work.key.encode() + content).hexdigest()[:_DIGITS]
