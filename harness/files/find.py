"""Files of our own tasks: how they are found, and their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import isfile  # False for a name that no disk could hold
from pathlib import Path
from typing import Any

from harness.files.cells import is_missing
from harness.files.hashes import file_sha256
from harness.files.hub import hub_path, on_hub
from harness.files.rows import read_rows
from harness.schema import unknown
from harness.types import DistillbenchError, Paths

_SMALL_BYTES = 4_000_000


def find_file(name: str, paths: Paths) -> Path:
    """The file on the hub, in the first folder of tasks that has it, or in paths.data; raises DistillbenchError."""
    if on_hub(name):
        return hub_path(name)
    for folder in (*paths.tasks, *([paths.data] if paths.data else [])):
        if isfile(folder / name):
            return folder / name
    if Path(name).is_absolute():
        raise DistillbenchError(f"file {name}: expected a file there, found none")
    # the last folder of tasks is that of the installation, where nobody puts files of their own
    searched = [*paths.tasks[:-1], *([paths.data] if paths.data else [])]
    if not searched:
        raise DistillbenchError(f"file {name}: {data_not_set(name)}")
    cure = "" if paths.data else f", and {data_not_set(name)}"
    raise DistillbenchError(
        f"file {name}: expected it in {', '.join(map(str, searched))}, found none{cure}"
    )


def data_not_set(name: str) -> str:
    """What to do about a file of recorded answers that is named without its folder."""
    return f"paths.data is not set; add paths.data={'.' if isfile(name) else 'DIR'}, the folder it lies in"


def file_faults(name: str, paths: Paths) -> list[str]:
    """One line where there is no such file."""
    try:
        find_file(name, paths)
    except DistillbenchError as error:
        return [str(error)]
    return []


def reads_at_once(name: str, paths: Paths) -> bool:
    """Whether the file lies on this machine and is so small that reading it takes no time worth speaking of."""
    return not on_hub(name) and find_file(name, paths).stat().st_size <= _SMALL_BYTES


def content_digest(name: str, paths: Paths) -> str:
    """sha256 of the file, wherever it lies."""
    return file_sha256(find_file(name, paths), paths.cache)


def columns_of(
    given: Mapping[str, str], known: Sequence[str], required: Sequence[str]
) -> dict[str, str]:
    """Our word -> the file's column; a required word that is not given means the column of that name."""
    for word in given:
        if word not in known:
            raise DistillbenchError(f"key columns: {unknown(word, list(known))}")
    return {**{word: word for word in required}, **given}


def rows_of(
    path: Path, where: Mapping[str, Any], columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of the file with our words as keys; a blank or missing cell is None, a whole number an int."""
    table = read_rows(path, where, list(columns.values()))
    return [
        {word: _cell(row.get(column)) for word, column in columns.items()} for row in table.rows
    ]


def _cell(value: Any) -> Any:
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value
