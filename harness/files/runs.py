"""Several files in a folder: runs of one model, of which one is taken, or parts of one table; never a mixture.

The time of a run is the one in its file's name; never the file's own, which `cp` and `git clone` change.
"""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.files.rows import is_table
from harness.types import DistillbenchError

_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T_ ](?P<hour>\d\d)[-:.]?(?P<minute>\d\d)[-:.]?(?P<second>\d\d)(?P<part>\.\d+)?"
    r"(?P<zone>[+-]\d\d[-:]\d\d)?)?"
)
_SAMPLES = re.compile(r"samples_(?P<task>.+?)_(?=\d{4}-\d\d-\d\dT)")
_PART = re.compile(r"(?P<stem>.*?)-(?P<number>\d{5})-of-(?P<total>\d{5})\.\w+")
_SHOWN = 6  # names in a message


@dataclass(frozen=True)
class Chosen:
    """The files that a path stands for."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()  # what was chosen among several runs


def choose_files(path: Path, patterns: Sequence[str], run: str | None) -> Chosen:
    """The files of answers that a path stands for: itself, or one run of each task in the folder that it names.

    `patterns`: names of files that are looked for in the folder and those below, before any other table.
    `run`: a part of the names of the files to take. Raises DistillbenchError where it cannot be told which files count.
    """
    if not path.is_dir():
        if run is not None and run not in path.name:
            raise DistillbenchError(f"{path}: key run: expected a folder with runs, got one file")
        return Chosen((path,))
    files = _candidates(path, patterns)
    folders = sorted({f.parent for f in files})
    if len(folders) > 1 and not all(_TIME.fullmatch(f.name) for f in folders):
        names = _listed(str(f.relative_to(path)) or "." for f in folders)
        raise DistillbenchError(
            f"{path}: expected the files of one model, got {len(folders)} folders with answers: {names}; name one of "
            "them as `file`"
        )
    if run is not None:
        named = [f for f in files if run in f.name]
        if not named:
            raise DistillbenchError(
                f"{path}: no file has {run!r} (key run) in its name; got {_listed(f.name for f in files)}"
            )
        files = named
    if not files:
        raise DistillbenchError(
            f"{path}: expected {', '.join(patterns)} or one file of answers in this folder, got 0 files of answers; "
            "name the file"
        )
    if _are_parts(files):
        return Chosen(tuple(files))
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        groups[_series(file)].append(file)
    if len(groups) > 1 and not all(any(f.match(p) for p in patterns) for f in files):
        raise DistillbenchError(_undecided(path, files))
    return _newest(path, groups)


def task_of(path: Path) -> str:
    """The task whose samples lm-eval wrote to a file of this name; "" for other names."""
    match = _SAMPLES.match(path.name)
    return match["task"] if match else ""


def _candidates(path: Path, patterns: Sequence[str]) -> list[Path]:
    """Files with a pattern's name in the folder, else in those below it, else all tables in it.

    Hidden files and folders are what programs leave (`._answers.jsonl`, `.ipynb_checkpoints`): never answers.
    """
    for search in (path.glob, path.rglob):
        for pattern in patterns:
            files = sorted(p for p in search(pattern) if p.is_file() and not _is_hidden(p, path))
            if files:
                return files
    tables = (p for p in path.iterdir() if p.is_file() and is_table(p))
    return sorted(p for p in tables if not _is_hidden(p, path))


def _is_hidden(file: Path, path: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in file.relative_to(path).parts)


def _newest(path: Path, groups: Mapping[str, Sequence[Path]]) -> Chosen:
    """The newest file of every group, and which it is where there are several."""
    files, notes = [], []
    for group in groups.values():
        times = {file: _time(file) for file in group}
        last = max((t for t in times.values() if t is not None), default=None)
        newest = [f for f, t in times.items() if t == last]
        if len(group) > 1 and (None in times.values() or len(newest) > 1):
            raise DistillbenchError(_undecided(path, group))
        files += newest
        if len(group) > 1:
            notes.append(
                f"{len(group)} runs of {task_of(newest[0]) or _series(newest[0])} lie in {path.name}; read: "
                f"{newest[0].name}, the newest by its name (key run names another)"
            )
    return Chosen(tuple(sorted(files)), tuple(notes))


def _series(file: Path) -> str:
    """What runs of one thing have in common in their names: all but the time (and the id of Inspect's logs)."""
    stem = _TIME.sub("", file.name, count=1)
    return re.sub(r"_[A-Za-z0-9]{22}(?=\.)", "", stem)


def _time(file: Path) -> datetime.datetime | None:
    """The time in a file's name; None where there is none."""
    match = _TIME.search(file.name)
    if match is None:
        return None
    clock = [match[part] or "00" for part in ("hour", "minute", "second")]
    zone = match["zone"] or "+00:00"
    text = f"{match['day']}T{':'.join(clock)}{(match['part'] or '')[:7]}{zone[:3]}:{zone[-2:]}"
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _are_parts(files: Sequence[Path]) -> bool:
    """Whether the files are all parts of one table: STEM-00000-of-00003.parquet and its like."""
    matches = [_PART.fullmatch(f.name) for f in files]
    parts = {(m["stem"], m["total"], int(m["number"])) for m in matches if m is not None}
    if len(parts) != len(files) or len({(stem, total) for stem, total, _ in parts}) != 1:
        return False
    return {number for *_, number in parts} == set(range(len(files))) and all(
        int(total) == len(files) for _, total, _ in parts
    )


def _undecided(path: Path, files: Sequence[Path]) -> str:
    return (
        f"{path}: expected one file of answers, or runs with their times in their names, got {len(files)} files: "
        f"{_listed(f.name for f in files)}; name one as `file`, or by a part of its name: `run: {files[-1].name}`"
    )


def _listed(names: Iterator[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more
