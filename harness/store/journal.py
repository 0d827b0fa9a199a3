"""Answers as they come, one a line, in a file that only grows: for servers, whose answers cost money.

    3fa1c09be2d47a60 {"answer": {"request": 17, "text": "tin", ...}, "told": {"prompt_tokens": 9}, "wall_s": 0.31}

Each line opens with the first digits of the sha256 of what follows. A line that a kill tore, or that is damaged, counts
as not there; of two answers to one request the first counts. Answers of every kind fit, with their tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.store.drafts import sync
from harness.store.tables import outputs_from_rows, outputs_to_rows
from harness.store.work import Stored

_DIGITS = 16


@dataclass(frozen=True)
class Journal:
    """The journal of one collection."""

    path: Path

    def read(self) -> Stored:
        """All answers that are whole."""
        records: dict[int, dict[str, Any]] = {}
        for line in self.path.read_bytes().split(b"\n") if self.path.exists() else ():
            record = _record(line)
            if record is not None:
                records.setdefault(record["answer"]["request"], record)
        if not records:
            return Stored()
        table = outputs_from_rows([record["answer"] for record in records.values()])
        timings = tuple((record["wall_s"], 1) for record in records.values())
        return Stored((table,), timings, tuple(r["told"] for r in records.values() if "told" in r))

    def add(self, answers: pa.Table, wall_s: float, told: Mapping[str, Any] | None = None) -> None:
        """Appends answers, with what was told beside each, and waits until they are on the disk."""
        rows = outputs_to_rows(answers)
        more = {"told": dict(told)} if told else {}
        lines = [_line({"answer": row, "wall_s": wall_s / len(rows), **more}) for row in rows]
        with self.path.open("a+b") as file:
            if file.tell() > 0:
                file.seek(-1, 2)
                if file.read() != b"\n":  # torn by a kill: what follows stands on a line of its own
                    lines.insert(0, b"\n")
            file.write(b"".join(lines))
        sync(self.path)


def _line(record: dict[str, Any]) -> bytes:
    content = json.dumps(record, sort_keys=True, allow_nan=False).encode()
    return _digest(content) + b" " + content + b"\n"


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line says; None where it is not whole."""
    digest, _, content = line.partition(b" ")
    return dict(json.loads(content)) if content and digest == _digest(content) else None


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:_DIGITS].encode()
