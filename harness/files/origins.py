"""Tables of models whose training is documented: who learned from whom, as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from harness.types import DistillbenchError

COLUMNS = ("model", "role", "family", "also", "lineage", "confidence")
_NEEDED = ("model", "role", "family", "lineage")
_ROLES = ("student", "teacher", "control")  # any other counts as neither
_LEVELS = ("high", "medium", "low")
_SEPARATORS = str.maketrans({",": ";", "|": ";"})


class OriginRow(NamedTuple):
    """One row of a table."""

    model: str
    role: str
    family: str
    also: tuple[str, ...]
    lineage: str
    confidence: str


def read_origins(path: Path, columns: Mapping[str, str]) -> list[OriginRow]:
    """The rows of a CSV file; `columns`: our name of a column -> its name in the file.

    Raises DistillbenchError, one line a fault.
    """
    names = {name: columns.get(name, name) for name in COLUMNS}
    if path.exists() and not path.is_file():
        raise DistillbenchError(
            f"{path}: expected a CSV file with models, found a folder, a pipe or a device"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            semicolons = first.count(";") > first.count(",")
            reader = csv.DictReader(stream, delimiter=";" if semicolons else ",")
            heads, rows = list(reader.fieldnames or ()), list(reader)
    except UnicodeDecodeError:
        raise DistillbenchError(
            f"{path}: expected a CSV file in UTF-8, got other bytes; save it as CSV in UTF-8"
        ) from None
    except (OSError, csv.Error) as error:
        raise DistillbenchError(f"{path}: expected a CSV file with models, got {error}") from None
    lacking = [
        names[n] for n in COLUMNS if (n in _NEEDED or n in columns) and names[n] not in heads
    ]
    if lacking:
        raise DistillbenchError(
            f"{path}: expected columns {', '.join(lacking)}, got {', '.join(heads) or 'none'}; "
            "name them with `columns: {family: YOUR_COLUMN}`"
        )
    faults: list[str] = []
    made = [_row(row, names, f"{path}, line {i}", faults) for i, row in enumerate(rows, 2)]
    faults += _twice(made, path)
    if not rows:
        faults.append(f"{path}: expected a row for every model, got none")
    if faults:
        raise DistillbenchError("\n".join(faults))
    return made


def _row(
    row: Mapping[str, str | None], names: Mapping[str, str], where: str, faults: list[str]
) -> OriginRow:
    cell = {name: (row.get(column) or "").strip() for name, column in names.items()}
    level = cell["confidence"] or "high"
    role = cell["role"].lower()
    meant = get_close_matches(role, _ROLES, 1)
    if meant and role != meant[0]:
        faults.append(
            f"{where}: {names['role']}: {cell['role']!r} counts as neither; did you mean {meant[0]!r}? correct it"
        )
    if not cell["model"] or not role:
        faults.append(f"{where}: expected a model and its role, got an empty cell")
    if level not in _LEVELS:
        faults.append(
            f"{where}: {names['confidence']}: expected one of {', '.join(_LEVELS)}, got {level!r}"
        )
    if role == "teacher" and not cell["family"]:
        faults.append(
            f"{where}: {names['family']}: a teacher needs the family that it is a version of"
        )
    also = tuple(
        part.strip() for part in cell["also"].translate(_SEPARATORS).split(";") if part.strip()
    )
    lineage = cell["lineage"] or cell["model"]
    return OriginRow(cell["model"], role, cell["family"], also, lineage, level)


def _twice(rows: Sequence[OriginRow], path: Path) -> list[str]:
    names = [row.model for row in rows]
    again = sorted({n for i, n in enumerate(names) if n and n in names[:i]})
    return [f"{path}: {name} stands twice; delete one of its rows" for name in again]
