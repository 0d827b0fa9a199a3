"""The location of an lm-eval task's data, and its fingerprint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.files.hashes import file_sha256
from harness.store.looks import read_before
from harness.tasks._lm_eval_index import FunctionTag, Leaf
from harness.types import DistillbenchError, Paths

_FILE_BUILDERS = frozenset({"json", "csv", "parquet", "text", "arrow", "pandas"})
_DATA_SUFFIXES = frozenset({".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt", ".arrow"})


@dataclass(frozen=True)
class TaskData:
    """What the leaves of a task read."""

    root: Path | None  # folder to be in while the task loads; None = anywhere
    prints: tuple[tuple[str, ...], ...]  # one fingerprint per leaf
    faults: tuple[str, ...]


def task_data(leaves: Sequence[Leaf], paths: Paths) -> TaskData:
    """Place and fingerprint of the data of all leaves.

    Local data is searched for in paths.datasets, beside the YAML file, in the folders of tasks and in those above them.
    """
    roots = _roots(leaves, paths)
    root = max(
        roots, key=lambda r: sum(_local(leaf, r) is not None for leaf in leaves), default=None
    )
    prints, faults = [], []
    found_any = False
    for leaf in leaves:
        files = _local(leaf, root) if root is not None else None
        found_any = found_any or files is not None
        if files is not None and root is not None:
            prints.append(_local_print(leaf, files, root, paths.cache))
            continue
        fault = _missing(leaf, paths.datasets)
        if fault:
            faults.append(fault)
        prints.append(_hub_print(leaf, paths.cache))
    return TaskData(root if found_any else None, tuple(prints), tuple(dict.fromkeys(faults)))


def _roots(leaves: Sequence[Leaf], paths: Paths) -> list[Path]:
    named = [paths.datasets] if paths.datasets else []
    beside = [leaf.folder for leaf in leaves]
    return list(dict.fromkeys([*named, *beside, *paths.tasks, *(t.parent for t in paths.tasks)]))


def _local(leaf: Leaf, root: Path) -> list[Path] | None:
    """Files that the leaf reads under `root`; None where they are not there."""
    path = leaf.config.get("dataset_path")
    if path in _FILE_BUILDERS:
        files = [root / name for name in _data_files(leaf)]
        for file in files:
            read_before(file)
        return files if files and all(f.is_file() for f in files) else None
    if not isinstance(path, str):
        return None
    if not (root / path).is_dir():
        read_before(root / path)  # one that comes later would be taken
        return None
    folder = root / path
    part = folder / str(leaf.config.get("dataset_name"))
    inside = part if leaf.config.get("dataset_name") and part.is_dir() else folder
    files = [f for f in inside.rglob("*") if f.is_file() and f.suffix in _DATA_SUFFIXES]
    card = folder / "README.md"  # may say which file is which split
    return [*files, card] if card.is_file() else files


def _data_files(leaf: Leaf) -> list[str]:
    given = (leaf.config.get("dataset_kwargs") or {}).get("data_files") or []
    return list(_texts(given))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _local_print(leaf: Leaf, files: Sequence[Path], root: Path, cache: Path) -> tuple[str, ...]:
    named = sorted((_name_in(root, f), f) for f in files)
    return (leaf.name, *(f"{name} {file_sha256(file, cache)}" for name, file in named))


def _name_in(root: Path, file: Path) -> str:
    """What a file is called there; of one that lies elsewhere its own name, wherever that is."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def _hub_print(leaf: Leaf, cache: Path) -> tuple[str, ...]:
    """Fingerprint of a data set that is not local; for one made by a function, of its code and the files beside it."""
    config = leaf.config
    if isinstance(config.get("custom_dataset"), FunctionTag):
        beside = sorted(f for f in leaf.folder.iterdir() if f.suffix in _DATA_SUFFIXES)
        return (leaf.name, "custom", *(f"{f.name} {file_sha256(f, cache)}" for f in beside))
    revision = (config.get("dataset_kwargs") or {}).get("revision", "main")
    return (
        leaf.name,
        "hub",
        str(config.get("dataset_path")),
        str(config.get("dataset_name")),
        str(revision),
    )


def _missing(leaf: Leaf, datasets: Path | None) -> str:
    """The fault of data that must be local but is missing; "" if there is none."""
    path = leaf.config.get("dataset_path")
    if path in _FILE_BUILDERS:
        names = [n for n in _data_files(leaf) if "://" not in n and not Path(n).is_absolute()]
        place = datasets or leaf.folder
        return (
            f"{leaf.name}: expected its data file {names[0]} in {place}, got none" if names else ""
        )
    if (
        datasets is None
        or not isinstance(path, str)
        or isinstance(leaf.config.get("custom_dataset"), FunctionTag)
    ):
        return ""
    return (
        f"{leaf.name}: expected a copy of data set {path} in {datasets / path} because paths.datasets is given, got "
        "none; put it there, or leave paths.datasets out to fetch it from the hub"
    )


def require_no_faults(data: TaskData) -> None:
    """Raises DistillbenchError with all faults of the data."""
    if data.faults:
        raise DistillbenchError("\n".join(data.faults))
