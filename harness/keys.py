"""Keys: the same value gives the same hexadecimal name on every machine, and so does the same code."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any


def canonical(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces; dataclasses become mappings, tuples lists.

    Raises TypeError for anything that has no canonical form (paths, objects, NaN).
    """
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(*parts: Any) -> str:
    """sha256 of the canonical form of `parts`, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def source_digest(files: Iterable[Path]) -> str:
    """sha256 over the names and contents of source files, whatever their order."""
    total = hashlib.sha256()
    for path in sorted(files, key=lambda p: p.name):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def code_digest(*modules: str, alone: Sequence[str] = ()) -> str:
    """Digest of modules with all of ours that they import, and of those in `alone` without.

    A module counts as its syntax tree: comments, docstrings and layout change nothing.
    Raises FileNotFoundError for a module that is not there.
    """
    names, waiting = set(alone), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in names or name in alone:
            names.add(name)
            waiting.extend(i for i in _read(name).imports if i not in names)
    return digest([[name, _read(name).digest] for name in sorted(names)])


@dataclasses.dataclass(frozen=True)
class _Code:
    """A module as the keys see it."""

    digest: str
    imports: tuple[str, ...]  # modules of our own package


_ROOT = Path(__file__).parent


@cache
def _read(name: str) -> _Code:
    tree = ast.parse(_file(name).read_text(encoding="utf-8"))
    imports = tuple(sorted(_imports(tree)))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return _Code(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports)


def _file(name: str) -> Path:
    place = _ROOT.joinpath(*name.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _imports(tree: ast.Module) -> set[str]:
    """Our own modules that a module imports, wherever the statement stands; not the package itself."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.split(".")[0] == _ROOT.name}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == _ROOT.name:
            named = {f"{node.module}.{a.name}" for a in node.names}
            found |= {str(node.module)} | {name for name in named if _file(name).is_file()}
    return found - {_ROOT.name}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(v) for v in value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"no canonical form for {type(value).__name__}: {value!r}")
