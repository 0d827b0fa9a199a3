"""The models of a board, job by job of a sweep, as folders and files may be called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.board.board import Board
from harness.board.record import RunRecord, named
from harness.console.invisible import as_escapes
from harness.types import Score

_LONGEST = 100  # characters of a name of a file, before it is made unique


@dataclass(frozen=True)
class Exported:
    """A model under one setting of a sweep; a run alone has one setting."""

    model: str
    title: str  # the model with its swept values
    file: str  # the same as a name of a file or folder, unlike all others
    run: RunRecord  # of its job

    def scores(self) -> list[Score]:
        """Its numbers that have a value, whoever it is compared with."""
        return [s for s in self.run.scores if s.student == self.model and s.value is not None]


def exported(board: Board) -> Iterator[Exported]:
    """Every model of the run, of a sweep once per job."""
    taken: set[str] = set()
    for variant, run in board.record.runs().items():
        for model in run.models:
            title = named(model, variant)
            file = unlike(file_name(title), taken)
            yield Exported(model, title, file, run)


def file_name(title: str) -> str:
    """A title as a name that every file system takes."""
    return re.sub(r"[^\w.=+@-]+|^\.+", "__", title)[:_LONGEST] or "__"


def unlike(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken; it is taken afterwards. Case does not tell names apart."""
    made, n = name, 2
    while made.casefold() in taken:
        made, n = f"{name}-{n}", n + 1
    taken.add(made.casefold())
    return made


def write_json(value: Any, path: Path) -> None:
    """Writes a value as JSON for readers; half a character is replaced."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_bytes(f"{as_escapes(text)}\n".encode("utf-8", "replace"))
