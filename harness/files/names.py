"""Tables of names and their aliases, as CSV files."""

from __future__ import annotations

import csv
from os.path import isfile  # False for a name that no disk could hold
from pathlib import Path

import harness
from harness.types import DistillbenchError


def located(file: str, what: str) -> Path:
    """A table of ours by its name under tasks/, or any other by its path; `what` says which kind is expected."""
    package = Path(harness.__file__).parent
    ours = (package / "data" / "tasks" / file, package.parent / "tasks" / file)
    path = next((p for p in (Path(file).expanduser(), *ours) if isfile(p)), None)
    if path is None:
        raise DistillbenchError(f"key file: expected {what}, got none at {file}")
    return path


def read_names(file: str) -> tuple[tuple[str, str], ...]:
    """(name, alias) rows of a CSV file: one of ours by its name under tasks/, or any other by its path."""
    path = located(file, "a CSV file with columns name and alias")
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if not {"name", "alias"} <= set(reader.fieldnames or ()):
            raise DistillbenchError(
                f"key file: {file}: expected columns name and alias, got {reader.fieldnames}"
            )
        rows = [((row["name"] or "").strip(), (row["alias"] or "").strip()) for row in reader]
    if not rows or not all(name and alias for name, alias in rows):
        raise DistillbenchError(
            f"key file: {file}: expected a name and an alias in every row, got an empty cell"
        )
    return tuple(rows)
