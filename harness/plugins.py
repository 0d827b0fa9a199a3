"""Plug-ins: from a name in a configuration to a class.

Every configured thing is a flat frozen dataclass in a file of its own, in a folder whose `__init__.py` is the contract:
`kind: hf` in a model's YAML is the one final subclass of AbstractModel in `harness/models/hf.py`.

A user's own plug-ins are in folders with the same names (`DIR/metrics/NAME.py`) and are searched after ours:
`use_folders` makes each of these folders a part of our package, so that such a file is `harness.metrics.NAME` for this
process, for keys and for workers alike.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.keys import forget_code
from harness.schema import build_dataclass, unknown
from harness.types import DistillbenchError

PACKAGES = ("models", "tasks", "metrics", "verdicts", "figures", "exports", "trackers", "executors")
# what a file with mistakes raises when it is imported
_AT_IMPORT = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError,
)  # fmt: skip


@cache
def contract(package: str) -> type[Any]:
    """The abstract class in harness/<package>/__init__.py that every plug-in of the folder implements."""
    module = _package(package)
    (base,) = (
        c
        for name, c in vars(module).items()
        if name.startswith("Abstract") and c.__module__ == module.__name__
    )
    assert isinstance(base, type)
    return base


def kinds(package: str) -> list[str]:
    """Names of the plug-ins in harness/<package> and in the user's own folders."""
    modules = pkgutil.iter_modules(_package(package).__path__)
    return sorted(m.name for m in modules if not m.name.startswith("_"))


def outside_kinds(package: str) -> list[str]:
    """Names of the plug-ins in the user's own folders."""
    names = {name for folder in _outside(package) for name in _modules(folder)}
    return [kind for kind in kinds(package) if kind in names]


@cache
def plugin_class(package: str, kind: str) -> type[Any]:
    """The one class that <package>/<kind>.py defines.

    Raises DistillbenchError where there is no such file, or one of the user's that cannot be used.
    """
    if kind not in kinds(package):
        raise DistillbenchError(f"kind: {unknown(kind, kinds(package))}")
    module, base = _imported(package, kind), contract(package)
    classes = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, base) and c.__module__ == module.__name__
    ]
    if len(classes) != 1:
        names = ", ".join(c.__name__ for c in classes) or "none"
        raise DistillbenchError(
            f"{module.__file__}: expected one subclass of {base.__name__}, got {names}; each stands in a file of its "
            "own, helpers in files whose names begin with _"
        )
    lacking = list(_lacking(classes[0], base))
    if lacking:
        raise DistillbenchError(
            f"{module.__file__}: {classes[0].__name__} lacks {', '.join(lacking)}; {base.__name__} says what each is"
        )
    return classes[0]


def build(package: str, name: str, fields: Mapping[str, Any]) -> Any:
    """The plug-in that a YAML describes; every unknown key, wrong type or missing value is one clear error."""
    where = f"{package[:-1]} {name}"
    kind = fields.get("kind")
    if not isinstance(kind, str):
        raise DistillbenchError(
            f"{where}: expected a key `kind`, one of {', '.join(kinds(package))}; got {kind!r}"
        )
    try:
        cls = plugin_class(package, kind)
    except DistillbenchError as error:
        raise DistillbenchError(f"{where}: {error}") from None
    return build_dataclass(cls, {**fields, "name": name}, where)


# --- a user's own folders -------------------------------------------------------------------------


def use_folders(outside: Sequence[Path]) -> None:
    """Makes the plug-ins in these absolute folders, and in no others, available beside ours in this process.

    Raises DistillbenchError, one line a fault, where a folder is missing or a name is taken.
    """
    chosen = {f.resolve(): f for f in outside}.values()
    paths = {p: [f / p for f in chosen if (f / p).is_dir()] for p in PACKAGES}
    faults = [line for folder in chosen for line in _folder_faults(folder)]
    faults += [line for name in PACKAGES for line in _taken(name, paths[name])]
    if faults:
        raise DistillbenchError("\n".join(faults))
    if all(_outside(name) == paths[name] for name in PACKAGES):
        return
    for name in PACKAGES:
        _package(name).__path__[1:] = map(str, paths[name])
        _forget_others(name)
    importlib.invalidate_caches()
    plugin_class.cache_clear()
    forget_code()


def folders() -> tuple[Path, ...]:
    """The user's own plug-in folders of this process."""
    return tuple(dict.fromkeys(p.parent for name in PACKAGES for p in _outside(name)))


def check_outside(*packages: str) -> None:
    """Raises DistillbenchError with a line for every plug-in of the user's that cannot be used."""
    faults = []
    names = [(p, kind) for p in packages for folder in _outside(p) for kind in _modules(folder)]
    for package, kind in names:
        try:
            if not kind.startswith("_"):
                plugin_class(package, kind)
        except DistillbenchError as error:
            faults.append(str(error))
    if faults:
        raise DistillbenchError("\n".join(faults))


def outside_place(error: BaseException) -> str:
    """The last file and line of a user's own plug-ins that an exception came through; "" where it came through none."""
    own = folders()
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{f.filename}, line {f.lineno}"
        for f in frames
        if any(folder in Path(f.filename).parents for folder in own)
    ]
    return places[-1] if places else ""


def _package(name: str) -> Any:
    return importlib.import_module(f"harness.{name}")


def _outside(package: str) -> list[Path]:
    return [Path(p) for p in _package(package).__path__[1:]]


def _imported(package: str, kind: str) -> Any:
    try:
        return importlib.import_module(f"harness.{package}.{kind}")
    except _AT_IMPORT as error:
        files = [m[kind] for m in map(_modules, _outside(package)) if kind in m]
        if not files:
            raise
        place = outside_place(error)
        where = "" if isinstance(error, SyntaxError) or not place else f" ({place})"
        raise DistillbenchError(
            f"{files[0]}: cannot be imported: {type(error).__name__}: {error}{where}; correct it, or take its "
            "folder out of paths.plugins"
        ) from error


def _lacking(cls: Any, base: Any) -> Iterator[str]:
    """Class variables and methods that the contract asks for and the class does not have."""
    for name, hint in inspect.get_annotations(base).items():
        if "ClassVar" in str(hint) and not hasattr(cls, name):
            yield name
    yield from sorted(cls.__abstractmethods__)


def _modules(folder: Path) -> dict[str, Path]:
    """Name -> file, or folder, of every module in a folder."""
    if not folder.is_dir():
        return {}
    modules = [p for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()]
    return {p.stem: p for p in sorted(modules) if p.stem != "__init__"}


def _folder_faults(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        yield f"paths: key plugins: {folder}: expected a folder, there is none; correct the path"
    elif not any((folder / name).is_dir() for name in PACKAGES):
        yield (
            f"paths: key plugins: {folder}: expected folders in it named as in the package ({', '.join(PACKAGES)}), "
            "there are none; name the folder that they stand in"
        )


def _taken(package: str, paths: Sequence[Path]) -> Iterator[str]:
    """A line for every module of the user's whose name is taken, helpers included."""
    known = _modules(Path(_package(package).__path__[0]))
    for path in paths:
        for name, file in _modules(path).items():
            if name in known:
                yield f"{file}: the name {name} is taken by {known[name]}; rename one of them"
            known.setdefault(name, file)


def _forget_others(package: str) -> None:
    """Removes modules of folders that are no longer used from `sys.modules`."""
    paths = [Path(p) for p in _package(package).__path__]
    inside = {n: m for n, m in sys.modules.items() if n.startswith(f"harness.{package}.")}
    for name, module in inside.items():
        parents = Path(getattr(module, "__file__", None) or "").parents
        if not any(p in parents for p in paths):
            del sys.modules[name]
