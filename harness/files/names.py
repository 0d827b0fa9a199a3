"""Tables of names and their aliases, as CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import harness
from harness.types import DistillbenchError


def read_names(file: str) -> tuple[tuple[str, str], ...]:
    """(name, alias) rows of a CSV file: one of ours by its name under tasks/, or any other by its path."""
    package = Path(harness.__file__).parent
    ours = (package / "data" / "tasks" / file, package.parent / "tasks" / file)
    places = [Path(file).expanduser(), *ours]
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        raise DistillbenchError(
            f"key file: expected a CSV file with columns name and alias, got none at {file}"
        )
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
