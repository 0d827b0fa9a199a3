"""The user's YAML files, read so that every fault names its file."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.types import DistillbenchError

HEADER = "# @package _global_"


def read(path: Path, *, resolve: bool = False) -> dict[str, Any]:
    """The mapping that a YAML file holds; `resolve` = with its ${...} filled in.

    Raises DistillbenchError, one line with the path, where it cannot be read, is not UTF-8, not YAML or not a mapping.
    """
    text = _text(path)
    try:
        content = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)), resolve=resolve)
    except yaml.YAMLError as error:
        raise DistillbenchError(
            f"{path}: expected YAML, got a damaged file: {_place(error)}"
        ) from None
    except RecursionError:
        raise DistillbenchError(
            f"{path}: expected a few levels, got a value that holds itself or is too deep"
        ) from None
    except OmegaConfBaseException as error:
        raise DistillbenchError(f"{path}: {_joined(error)}") from None
    except OSError:  # OmegaConf's word for a file that holds one number
        content = None
    if not isinstance(content, dict) or (len(content) == 1 and text.strip() in content):
        raise DistillbenchError(f"{path}: expected a mapping (key: value), got something else")
    return {str(k): v for k, v in content.items()}


def is_global(path: Path) -> bool:
    """Whether the file's keys go to the top of the configuration: Hydra reads this from its very first lines."""
    for line in _text(path).splitlines():
        if re.fullmatch(r"\s*#\s*@package\s+_global_\s*", line):
            return True
        if line.strip() and not re.match(r"\s*#\s*@", line):
            return False
    return False


def not_global(path: Path) -> str:
    """The line about a matrix file whose keys do not go to the top of the configuration."""
    mark = (
        " (without the byte order mark that an editor put there)"
        if path.read_bytes()[:3] == b"\xef\xbb\xbf"
        else ""
    )
    return (
        f"{path}: expected `{HEADER}` as its first line{mark}; without it nothing that the file says stands where "
        "a run looks"
    )


def find(folders: Sequence[Path], group: str, name: str) -> Path | None:
    """The file of a name in a group, in the first folder that has one; links to nowhere and folders count too."""
    paths = (folder / group / f"{name.removesuffix('.yaml')}.yaml" for folder in folders)
    return next((p for p in paths if p.exists() or p.is_symlink()), None)


def elsewhere(group: str, name: str) -> str:
    """Words about a file of this group and name in the current folder or one inside it, which only Hydra's search
    path lacks; "" where there is none."""
    with contextlib.suppress(OSError):
        folders = [Path(), *sorted(p for p in Path().iterdir() if not p.name.startswith("."))]
        path = find(folders, group, name)
        if path is not None and path.is_file() and path.parent.name == group:
            return f"; {path} is there: add --config-dir {shlex.quote(str(path.parents[1]))}"
    return ""


def first_fault(
    folders: Sequence[Path], group: str, name: str, trail: tuple[tuple[str, str], ...] = ()
) -> str:
    """One line about the first fault of a file or of those that its `defaults` name; "" where there is none."""
    path = find(folders, group, name)
    if path is None:
        return ""
    if (group, name) in trail:
        circle = " -> ".join("/".join(step) for step in (*trail, (group, name)))
        return f"{path}: its `defaults` go in a circle: {circle}"
    try:
        content = read(path)
    except DistillbenchError as error:
        return str(error)
    defaults = content.get("defaults") or []
    if not isinstance(defaults, list):
        return f"{path}: defaults: expected a list, got {defaults!r}"
    named = (
        first_fault(folders, *entry, (*trail, (group, name))) for entry in _entries(defaults, group)
    )
    lost = not_global(path) if group == "matrix" and not trail and not is_global(path) else ""
    return next((fault for fault in named if fault), lost)


def _entries(defaults: Sequence[Any], group: str) -> Iterator[tuple[str, str]]:
    """(group, name) of everything that a defaults list names."""
    for entry in defaults:
        if isinstance(entry, Mapping):
            for key, names in entry.items():
                inner = re.sub(r"@.*", "", str(key).split(" ")[-1])
                where = inner.lstrip("/") if inner.startswith("/") else f"{group}/{inner}"
                yield from (
                    (where, str(name)) for name in (names if isinstance(names, list) else [names])
                )
        elif entry != "_self_":
            word = re.sub(r"@.*", "", str(entry))
            full = word.lstrip("/") if word.startswith("/") else f"{group}/{word}"
            yield full.rpartition("/")[0], full.rpartition("/")[2]


def _text(path: Path) -> str:
    """A file's text. Raises DistillbenchError where there is none to read."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise DistillbenchError(
            f"{path}: expected a readable file, got: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DistillbenchError(
            f"{path}: expected UTF-8, got byte 0x{byte:02x} at byte offset {error.start}; save the file as UTF-8"
        ) from None


def _place(error: yaml.YAMLError) -> str:
    """The fault of a YAML file and its position, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return _joined(error)


def _joined(error: Exception) -> str:
    """An error of several lines in one."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def refuse_missing(config: Mapping[str, Any]) -> None:
    """Raises DistillbenchError with a line for every value that a file leaves to whoever uses it: `path: ???`."""
    if lacking := list(_lacking(config, "")):
        lines = (f"{key}: a value is missing; add {key}=VALUE" for key in lacking)
        raise DistillbenchError("\n".join(lines))


def _lacking(value: Any, key: str) -> Iterator[str]:
    if value == MISSING:
        yield key
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _lacking(part, f"{key}.{name}" if key else str(name))
