"""Keys: the same value gives the same hexadecimal name on every machine, and so does the same code.

A specification's key is made from all of its fields. A field that must not be in it has a mark::

    speed       how fast, never what: in no key
    place       where something is: the contents are in the key instead
    describes   about the thing, or read by others: in the keys of those who read it
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.util import resolve_name
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


def draw_seed(*parts: Any) -> str:
    """64 hexadecimal digits that seed a random stream; these bytes never change, whatever `digest` becomes."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def speed(default: Any = dataclasses.MISSING, **options: Any) -> Any:
    """A dataclass field that says how fast or on which device, not what comes out."""
    return _marked("speed", default, options)


def place(default: Any = dataclasses.MISSING, **options: Any) -> Any:
    """A dataclass field that says where something is, or what stands for another value; see `key_parts`."""
    return _marked("place", default, options)


def describes(default: Any = dataclasses.MISSING, **options: Any) -> Any:
    """A dataclass field that is in the keys of what reads it, not in the key of the specification."""
    return _marked("describes", default, options)


def key_parts(value: Any, contents: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the key of a frozen specification is made from: every field without a mark, by its name.

    `contents` has what stands for the fields marked *place*. A field at its default is left out, so that a new field
    moves no key. Raises TypeError where the contents of a place are missing, or are those of another field.
    """
    cls: Any = type(value)
    fields = [f for f in _fields(cls) if not _is_default(getattr(value, f.name), f.default)]
    given = dict(contents or {})
    places = {f.name for f in _fields(cls) if f.mark == "place"}
    missing = [f.name for f in fields if f.mark == "place" and f.name not in given]
    if missing or given.keys() - places:
        raise TypeError(
            f"{cls.__name__}: expected the contents of its places ({', '.join(sorted(places)) or 'none'}), "
            f"got those of {', '.join(given) or 'none'}"
        )
    return {**{f.name: getattr(value, f.name) for f in fields if not f.mark}, **given}


def source_digest(files: Iterable[Path]) -> str:
    """sha256 over the names and contents of source files, whatever their order."""
    total = hashlib.sha256()
    for path in sorted(files, key=lambda p: p.name):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def code_digest(*modules: str, alone: Sequence[str] = ()) -> str:
    """Digest of modules with all of ours that they import, and of those in `alone` without.

    A module counts as its syntax tree: comments, docstrings and layout change nothing. Plug-ins from other folders, and
    the helpers beside them, are modules of ours here; their location is not in the digest.
    Raises FileNotFoundError for a module that is not there.
    """
    names, waiting = set(alone), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in names or name in alone:
            names.add(name)
            waiting.extend(i for i in _read(name).imports if i not in names)
    return digest([[name, _read(name).digest] for name in sorted(names)])


def forget_code() -> None:
    """Clears the cache of modules, because their names now refer to other files."""
    _read.cache_clear()


def parsed_code() -> dict[str, list[Any]]:
    """What is known of sources that were parsed: whoever keeps it for another process spares that the work.

    Name, file and sha256 of a source -> digest of its tree, modules that it imports, and names that may be modules.
    """
    return _parsed


@dataclasses.dataclass(frozen=True)
class _Code:
    """A module as the keys see it."""

    digest: str
    imports: tuple[str, ...]  # modules of our own package


_ROOT = Path(__file__).parent
_parsed: dict[str, list[Any]] = {}


@cache
def _read(name: str) -> _Code:
    file = _file(name)
    source = file.read_bytes()
    place = f"{name} {file.name} {hashlib.sha256(source).hexdigest()}"
    if place not in _parsed:
        _parsed[place] = _parse(source, name)
    tree, imported, named = _parsed[place]
    return _Code(tree, tuple(sorted({*imported, *(n for n in named if _file(n).is_file())})))


def _parse(source: bytes, name: str) -> list[Any]:
    tree = ast.parse(source)
    imports = _imports(tree, name)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return [hashlib.sha256(ast.dump(tree).encode()).hexdigest(), *imports]


def _file(name: str) -> Path:
    """The file of a module: in the package, or in a folder that a package of plug-ins was extended by."""
    parts = name.split(".")[1:]
    package = sys.modules.get(".".join([_ROOT.name, *parts[:1]]))
    extended = [Path(p).parent for p in getattr(package, "__path__", ())[1:]]
    files = [_source(root.joinpath(*parts)) for root in (_ROOT, *extended)]
    return next((f for f in files if f.is_file()), files[0])


def _source(place: Path) -> Path:
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _imports(tree: ast.Module, name: str) -> tuple[list[str], list[str]]:
    """Modules of ours that a module imports, anywhere in its code, without the package; and names that may be some."""
    package = name if _file(name).stem == "__init__" else name.rpartition(".")[0]
    imported, named = set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            imported.add(base)
            named |= {f"{base}.{a.name}" for a in node.names}
    return sorted({n for n in imported if _is_ours(n)} - {_ROOT.name}), sorted(
        filter(_is_ours, named)
    )


def _is_ours(name: str) -> bool:
    return name.split(".")[0] == _ROOT.name


_MARK = "key"


def _marked(mark: str, default: Any, options: Mapping[str, Any]) -> Any:
    return dataclasses.field(default=default, metadata={_MARK: mark}, **options)


@dataclasses.dataclass(frozen=True)
class _Field:
    """A field of a specification as the keys see it."""

    name: str
    mark: str  # speed, place, describes; "" = it is in the key
    default: Any  # MISSING where there is none


@cache
def _fields(cls: Any) -> tuple[_Field, ...]:
    """The fields that are given where a specification is made; computed attributes are not part of it."""
    return tuple(
        _Field(
            f.name,
            f.metadata.get(_MARK, ""),
            f.default if f.default_factory is dataclasses.MISSING else f.default_factory(),
        )
        for f in dataclasses.fields(cls)
        if f.init
    )


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(v) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    raise TypeError(f"no canonical form for {type(value).__name__}: {value!r}")


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; raises JSONDecodeError for one too deep or with a number too long as well."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError(f"no UTF-8: {error.reason}", "", 0) from None
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
    except ValueError:  # digits beyond what Python reads
        raise json.JSONDecodeError("a number with too many digits", "", 0) from None
