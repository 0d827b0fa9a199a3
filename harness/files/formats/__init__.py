"""Formats of recorded answers: one file each, found by its name, with one FORMAT.

To add one write `NAME.py` with a function that yields the answers of one row and one that recognises a row, and
`FORMAT = Format(...)`; `llama_factory.py` is the shortest example. Its test is a row in
`tests/files/test_formats.py`, where every format must recognise its own rows and nobody else's.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.files.answers import Answer
from harness.files.rows import Row

TABLE = "table"  # the format of rows that no other recognises
# columns that a user can name; the rest of a format's columns are its own
ROLES = ("prompt", "input", "id", "answer", "choice", "sample", "system", "stop", "trace")

# what reading a cell as another kind of value than it is raises; a generator's StopIteration is a RuntimeError
MISSHAPEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Asked:
    """What a file of requests says that was asked under an id."""

    context: str
    system: str | None


@dataclass(frozen=True)
class Reading:
    """How the rows of a file are read."""

    file: Path
    columns: Mapping[str, str]  # role -> column
    # id -> what was asked, from the prompts file; None = none is named
    asked: Mapping[str, Asked] | None = None
    prompts_file: Path | None = None


def no_columns(given: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    """For formats whose rows are read whole."""
    return {}


@dataclass(frozen=True)
class Format:
    """A format of answers."""

    title: str  # in messages: "this looks like TITLE"
    recognises: Callable[[Row], bool]
    answers: Callable[[Row, str, Reading], Iterator[Answer]]  # row, place for messages, reading
    # role -> column, from those that the user names and the names of all columns
    columns: Callable[[Mapping[str, str], Sequence[str]], Mapping[str, str]] = no_columns
    # patterns of the names that its files have in a folder, whatever else lies there
    files: Sequence[str] = field(default=())

    def fits(self, row: Row) -> bool:
        """Whether a row is one of this format; one whose cells are of other kinds is not."""
        try:
            return self.recognises(row)
        except MISSHAPEN:
            return False


@cache
def formats() -> Mapping[str, Format]:
    """Name -> format, for every file of this folder."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}").FORMAT for name in names}


def recognise(row: Row) -> str:
    """The name of the format that a row has."""
    others = (name for name in formats() if name != TABLE)
    return next((name for name in others if formats()[name].fits(row)), TABLE)
