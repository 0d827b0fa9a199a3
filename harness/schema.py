"""From plain values to typed ones: every unknown key, wrong type or missing value is one clear error."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.types import DistillbenchError


def build_dataclass(cls: type[Any], fields: Mapping[str, Any], where: str) -> Any:
    """An instance of a flat frozen dataclass from plain values, checked key by key against its annotations."""
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls) if f.init}
    faults = [f"{where}: key {unknown(key, list(known))}" for key in fields if key not in known]
    values: dict[str, Any] = {}
    for key, spec in known.items():
        if key in fields:
            try:
                values[key] = _coerce(fields[key], hints[key])
            except TypeError as error:
                faults.append(f"{where}: key {key}: expected {error}, got {fields[key]!r}")
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            faults.append(f"{where}: key {key} is missing; expected {_spell(hints[key])}")
    if faults:
        raise DistillbenchError("\n".join(faults))
    try:
        return cls(**values)
    except DistillbenchError as error:
        raise DistillbenchError(f"{where}: {error}") from None


def unknown(got: str, known: Sequence[str]) -> str:
    """The words of an error about an unknown name, with the nearest known one."""
    near = difflib.get_close_matches(got, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{got!r} is unknown{hint} (known: {', '.join(sorted(known)) or 'none'})"


def _coerce(value: Any, hint: Any) -> Any:
    """`value` as the annotated type; raises TypeError with the expected type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        for option in args:
            try:
                return _coerce(value, option)
            except TypeError:
                continue
        raise TypeError(_spell(hint))
    if hint is type(None):
        if value is None:
            return None
    elif origin is Literal:
        if value in args:
            return value
    elif origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_coerce(v, args[0]) for v in value)
    elif origin in (dict, Mapping) or origin is getattr(typing, "Mapping", None):
        if isinstance(value, Mapping):
            return {_coerce(k, args[0]): _coerce(v, args[1]) for k, v in value.items()}
    elif hint is Any:
        return value
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif (
        isinstance(hint, type)
        and isinstance(value, hint)
        and not (hint is int and isinstance(value, bool))
    ):
        return value
    raise TypeError(_spell(hint))


def _spell(hint: Any) -> str:
    """A type in the words of a YAML author."""
    words = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        type(None): "null",
    }
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_spell(a) for a in args)
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin is tuple:
        return f"a list of {_spell(args[0])}"
    if origin is not None:
        return "a mapping"
    return words.get(hint, getattr(hint, "__name__", str(hint)))
