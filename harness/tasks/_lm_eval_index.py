"""The files that make up an lm-eval task, determined from YAML alone, without importing lm-eval.

A key must be ready in milliseconds, and importing lm-eval takes seconds. The rules are those of lm-eval's own index:
the first file of a name wins inside a folder tree, a later tree overrides an earlier one, `include` is merged under
the file's own keys. The index of lm-eval's 14,000 stock files takes some seconds once and is then kept per version.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, cast

import yaml

from harness.store.damage import sealed, unsealed
from harness.store.drafts import write_whole
from harness.types import DistillbenchError

_SCHEMA = 1


@dataclass(frozen=True)
class FunctionTag:
    """A `!function module.name` of a YAML file."""

    folder: Path  # of the YAML file that holds the tag
    spec: str


@dataclass(frozen=True)
class Entry:
    """What a name stands for."""

    kind: Literal["task", "group", "tag"]
    file: str  # "" for tags
    members: tuple[str, ...] = ()  # tags only


@dataclass(frozen=True)
class Leaf:
    """One task with its merged configuration, functions unresolved."""

    name: str
    config: Mapping[str, Any]
    folder: Path  # of its YAML file


@dataclass(frozen=True)
class TaskFiles:
    """Everything that a name of lm-eval needs."""

    leaves: tuple[Leaf, ...]
    files: tuple[Path, ...]  # YAML and Python, sorted
    folders: tuple[Path, ...]  # to be indexed by lm-eval, later ones override earlier ones


def installed_version() -> str:
    """lm-eval's version; raises DistillbenchError where it is not installed."""
    try:
        return importlib.metadata.version("lm_eval")
    except importlib.metadata.PackageNotFoundError:
        raise DistillbenchError(
            "lm-eval is not installed; expected `pip install lm-eval`"
        ) from None


def task_files(name: str, folders: Sequence[Path], memo: Path) -> TaskFiles:
    """Leaves and files of a task, group or tag; `folders` override lm-eval's own, the last one most.

    `memo` is a folder for the index of lm-eval's own tasks. Raises DistillbenchError for an unknown name.
    """
    index = _Index([*folders], memo)
    if index.get(name) is None:
        raise DistillbenchError(_unknown(name, index))
    leaves, yamls = list[Leaf](), set[Path]()
    try:
        _collect(name, index, leaves, yamls)
        python = {p for y in yamls for p in _python_files(_parsed(y))}
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise DistillbenchError(
            f"{name}: a YAML file that it needs cannot be read: {error}"
        ) from None
    stock = [f for f in _outermost({y.parent for y in yamls}) if _stock_folder() in f.parents]
    own = [f for f in folders if any(f in y.parents for y in yamls)]
    return TaskFiles(
        tuple(leaves), tuple(sorted(yamls | python)), (*sorted(stock, reverse=True), *own)
    )


class _Index:
    """Names in the given folders, then in lm-eval's; the latter is read only when a name is not in the former."""

    def __init__(self, folders: Sequence[Path], memo: Path) -> None:
        self._own: dict[str, Entry] = {}
        for folder in folders:
            self._own.update(_index_of(folder))
        self._memo = memo

    def get(self, name: str) -> Entry | None:
        """The entry of a task or group; None where the name is unknown."""
        return self._own.get(name) or _stock_index(self._memo).get(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted({*self._own, *_stock_index(self._memo)})


def _unknown(name: str, index: _Index) -> str:
    near = difflib.get_close_matches(name, index.names(), n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"lm-eval has no task, group or tag {name!r}{hint} (`lm-eval ls tasks` lists them all)"


def _collect(name: str, index: _Index, leaves: list[Leaf], yamls: set[Path]) -> None:
    """Adds the leaves and YAML files under `name`, in lm-eval's order."""
    entry = index.get(name)
    if entry is None:
        raise DistillbenchError(f"{name!r}, which a group names, is unknown to lm-eval")
    if entry.kind == "tag":
        for member in sorted(entry.members):
            _collect(member, index, leaves, yamls)
        return
    path = Path(entry.file)
    yamls.update(_with_includes(path))
    config = merged(path)
    if entry.kind == "task":
        leaves.append(Leaf(name, config, path.parent))
        return
    for member in _members(config):
        _collect_member(member, path, index, leaves, yamls)


def _collect_member(
    member: Any, path: Path, index: _Index, leaves: list[Leaf], yamls: set[Path]
) -> None:
    """A child of a group: a name, a name with changes, or a task or group written inside the group."""
    if isinstance(member, str):
        _collect(member, index, leaves, yamls)
        return
    name = str(member.get("group") or member.get("task"))
    if isinstance(member.get("task"), str) and index.get(name) is None:
        leaves.append(Leaf(name, member, path.parent))
    elif index.get(name) is not None:
        first = len(leaves)
        _collect(name, index, leaves, yamls)
        leaves[first:] = [
            Leaf(leaf.name, {**leaf.config, **member, "task": leaf.name}, leaf.folder)
            for leaf in leaves[first:]
        ]
    else:
        for inner in _members(member):
            _collect_member(inner, path, index, leaves, yamls)


def _members(config: Mapping[str, Any]) -> list[Any]:
    members = config.get("task") or []
    return [members] if isinstance(members, (str, dict)) else list(members)


# --- reading YAML --------------------------------------------------------------------------------


def merged(path: Path) -> dict[str, Any]:
    """A YAML file with its includes merged under its own keys."""
    own = dict(_parsed(path))
    whole: dict[str, Any] = {}
    for include in _includes(path, own):
        base = merged(include)
        base.pop("task_list", None)
        whole.update(base)
    own.pop("include", None)
    return {**whole, **own}


def _with_includes(path: Path) -> Iterator[Path]:
    yield path
    for include in _includes(path, _parsed(path)):
        yield from _with_includes(include)


def _includes(path: Path, config: Mapping[str, Any]) -> list[Path]:
    named = config.get("include") or []
    return [_place(path.parent, i) for i in ([named] if isinstance(named, str) else named)]


def _place(folder: Path, name: str) -> Path:
    """Where a file of a resolved folder stands. `Path.resolve` asks the disk at every level: a third of an index."""
    path = Path(os.path.normpath(folder / name))
    return real(path) if path.is_symlink() or os.pardir in Path(name).parts else path


def _parsed(path: Path) -> dict[str, Any]:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path}: expected a file, found a folder, a pipe or a device")
    return _parsed_once(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _parsed_once(path: Path, mtime_ns: int, size: int) -> dict[str, Any]:
    """One YAML file as it is written; its time and size only key the memo. Raises YAMLError or ValueError."""
    loader = _loader()(path.read_bytes())
    try:
        config = loader.get_single_data()
    finally:
        loader.dispose()
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected a mapping")
    return cast("dict[str, Any]", _placed(config, path.parent))


def _placed(value: Any, folder: Path) -> Any:
    """The value with the YAML file's folder set in every function tag."""
    if isinstance(value, FunctionTag):
        return FunctionTag(folder, value.spec)
    if isinstance(value, dict):
        return {k: _placed(v, folder) for k, v in value.items()}
    return [_placed(v, folder) for v in value] if isinstance(value, list) else value


@cache
def _loader() -> type[Any]:
    class Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
        """A YAML loader of its own, so that its constructors are nobody else's."""

        pass

    def function(loader: Any, node: Any) -> FunctionTag:
        """A `!function` tag as its text: nothing is imported."""
        return FunctionTag(Path(), str(loader.construct_scalar(node)))

    Loader.add_constructor("!function", function)
    return Loader


def _python_files(value: Any) -> Iterator[Path]:
    """Python files beside every function that a configuration names: the file itself may import its neighbours."""
    if isinstance(value, FunctionTag):
        module = value.spec.rpartition(".")[0].replace(".", "/") + ".py"
        places = [value.folder / module, _stock_folder().parent.parent / module]
        file = next((p for p in places if p.is_file()), None)
        if file is not None:
            yield from real(file).parent.glob("*.py")
    elif isinstance(value, dict):
        for part in value.values():
            yield from _python_files(part)
    elif isinstance(value, list):
        for part in value:
            yield from _python_files(part)


def is_foreign(path: Path) -> bool:
    """Whether a file came neither with lm-eval nor with distillbench."""
    package = Path(__file__).resolve().parents[1]
    beside = package / "data"
    homes = (_stock_folder(), (beside if beside.is_dir() else package.parent) / "tasks")
    return not any(home in path.resolve().parents for home in homes)


# --- the index -----------------------------------------------------------------------------------


@cache
def _stock_folder() -> Path:
    """lm-eval's own tasks; finding a top-level package does not import it."""
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise DistillbenchError("lm-eval is not installed; expected `pip install lm-eval`")
    return (Path(spec.submodule_search_locations[0]) / "tasks").resolve()


@cache
def _stock_index(memo: Path) -> dict[str, Entry]:
    """Names of lm-eval's own tasks, kept in a file per version and place of lm-eval."""
    folder = _stock_folder()
    path = memo / f"lm_eval_index_{installed_version()}.json"
    stored = unsealed(path) or {}
    if stored.get("schema") == _SCHEMA and stored["folder"] == str(folder):
        return {
            n: Entry(k, str(folder / f) if f else "", tuple(m))
            for n, (k, f, m) in stored["names"].items()
        }
    index = _index_of(folder)
    names = {
        n: (e.kind, os.path.relpath(e.file, folder) if e.file else "", e.members)
        for n, e in index.items()
    }
    memo.mkdir(parents=True, exist_ok=True)
    write_whole(path, sealed({"schema": _SCHEMA, "folder": str(folder), "names": names}))
    return index


def real(path: Path) -> Path:
    """The path without links, as far as they lead somewhere; Path.resolve raises RuntimeError for one to itself."""
    return Path(os.path.realpath(path))


def _index_of(folder: Path) -> dict[str, Entry]:
    """Names in one folder tree."""
    index: dict[str, Entry] = {}
    tags: dict[str, list[str]] = {}
    for given in sorted(real(folder).rglob("*.yaml"), key=lambda p: p.as_posix()):
        if {"__pycache__", ".ipynb_checkpoints"} & set(given.parts):
            continue
        path = _place(given.parent, given.name)
        try:
            config = merged(path)
        except (yaml.YAMLError, ValueError, OSError, RecursionError):
            # lm-eval skips such files too: templates and other people's YAML lie among the tasks
            continue
        kind, name = _kind(config)
        if not isinstance(name, str) or name in index:
            continue
        index[name] = Entry(kind, str(path))
        if kind == "task":
            for tag in _texts(config.get("tag")):
                tags.setdefault(tag, []).append(name)
    return {**{t: Entry("tag", "", tuple(m)) for t, m in tags.items()}, **index}


def _kind(config: Mapping[str, Any]) -> tuple[Literal["task", "group"], Any]:
    if "class" not in config and "group" in config:
        return "group", config["group"]
    return "task", config.get("task")


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """Folders that lie in none of the others: lm-eval indexes whole trees."""
    given = set(folders)
    return [f for f in given if not given & set(f.parents)]
