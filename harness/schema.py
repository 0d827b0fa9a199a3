"""From plain values to typed ones: every unknown key, wrong type or missing value is one clear error."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from harness.types import DistillbenchError

_LARGEST = 2**63  # whole numbers from here on have no place in a table


class Bound(NamedTuple):
    """What an annotation asks beyond its type: `Annotated[int, Bound("1 or more", lambda n: n >= 1)]`."""

    words: str  # in errors, instead of the type's name
    holds: Callable[[Any], bool] = lambda value: True


def build_dataclass(cls: type[Any], fields: Mapping[str, Any], where: str) -> Any:
    """An instance of a frozen dataclass, and of those inside it, from plain values.

    Every key is checked against its annotation. Raises DistillbenchError with all faults, one a line.
    """
    faults: list[str] = []
    built = _record(cls, fields, where, faults)
    if faults:
        raise DistillbenchError("\n".join(faults))
    return built


def sound_fields(
    cls: type[Any], fields: Mapping[str, Any], where: str, faults: list[str]
) -> dict[str, Any]:
    """The typed values of those keys that are in order; a line for every other one is added to `faults`.

    `where` = what the lines begin with; "" = the configuration as a whole, whose sections are named by their keys.
    """
    place, hints = where or "configuration", typing.get_type_hints(cls, include_extras=True)
    known = {f.name: f for f in dataclasses.fields(cls) if f.init}
    faults += [
        f"{place}: key {unknown(str(key), list(known))}" for key in fields if key not in known
    ]
    sound: dict[str, Any] = {}
    for key, spec in known.items():
        before = len(faults)
        if key in fields:
            value = _value(fields[key], hints[key], _Spot(where, key), faults)
            if len(faults) == before:
                sound[key] = value
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            faults.append(f"{place}: key {key} is missing; expected {_spell(hints[key])}")
    return sound


def unknown(got: str, known: Sequence[str]) -> str:
    """The words of an error about an unknown name, with the nearest known one."""
    near = difflib.get_close_matches(got, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{got!r} is unknown{hint} (known: {', '.join(sorted(known)) or 'none'})"


class _Spot(NamedTuple):
    """The location of a value: `key` of what `where` names, with [index] or .name inside a list or a mapping."""

    where: str
    key: str

    def __str__(self) -> str:
        return f"{self.where or 'configuration'}: key {self.key}"

    def inside(self, step: str) -> _Spot:
        """The spot of a key or an item inside this one."""
        return _Spot(self.where, self.key + step)

    def section(self) -> str:
        """The words that messages begin with: the file and the key."""
        return f"{self.where}: {self.key}" if self.where else self.key


class _Mismatch(Exception):
    """A value as a whole is not of its type."""


def _record(cls: type[Any], fields: Mapping[str, Any], where: str, faults: list[str]) -> Any:
    """An instance of the dataclass; None where it is at fault."""
    before = len(faults)
    sound = sound_fields(cls, fields, where, faults)
    if len(faults) > before:
        return None
    try:
        return cls(**sound)
    except DistillbenchError as error:
        faults += [f"{where}: {line}" for line in str(error).splitlines()]
        return None


def _value(value: Any, hint: Any, spot: _Spot, faults: list[str]) -> Any:
    """`value` as the annotated type; what is wrong with it, or with a part of it, is added to `faults`."""
    try:
        return _typed(value, hint, spot, faults)
    except _Mismatch:
        faults.append(f"{spot}: expected {_spell(hint)}, got {value!r}")
        return None


def _typed(value: Any, hint: Any, spot: _Spot, faults: list[str]) -> Any:
    """The same; raises _Mismatch where the value as a whole is of another type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        before, typed = len(faults), _typed(value, args[0], spot, faults)
        if len(faults) == before and not args[1].holds(typed):
            raise _Mismatch
        return typed
    if origin in (types.UnionType, typing.Union):
        return _one_of(value, args, spot, faults)
    if origin is tuple:
        entries = _listed(value, args[0]) if args[-1] is Ellipsis else _several(value, len(args))
        hints = [args[0]] * len(entries) if args[-1] is Ellipsis else args
        return tuple(
            _value(v, h, spot.inside(f"[{i}]"), faults)
            for i, (v, h) in enumerate(zip(entries, hints, strict=True))
        )
    if isinstance(value, Mapping):
        if dataclasses.is_dataclass(hint):
            return _record(typing.cast(type[Any], hint), value, spot.section(), faults)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {
                str(k): _value(v, args[1], spot.inside(f".{k}"), faults) for k, v in value.items()
            }
    return _plain(value, hint)


def _one_of(value: Any, options: Sequence[Any], spot: _Spot, faults: list[str]) -> Any:
    """`value` as the first type that it fits; where it fits none but for its parts, their faults."""
    within: list[str] = []
    for option in options:
        inner: list[str] = []
        try:
            typed = _typed(value, option, spot, inner)
        except _Mismatch:
            continue
        if not inner:
            return typed
        within = within or inner
    if not within:
        raise _Mismatch
    faults += within
    return None


def _listed(value: Any, part: Any) -> Sequence[Any]:
    """The entries of a list; a single text is a list of one."""
    if isinstance(value, str) and not dataclasses.is_dataclass(part):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise _Mismatch
    return value


def _several(value: Any, n: int) -> Sequence[Any]:
    """The entries of a list of so many."""
    if not isinstance(value, (list, tuple)) or len(value) != n:
        raise _Mismatch
    return value


def _is_finite(value: Any) -> bool:
    """Whether no number in a value is NaN, infinite, or too large for a table: none has a meaning as a setting."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    if isinstance(value, int):
        return abs(value) < _LARGEST
    return not isinstance(value, float) or math.isfinite(value)


def _plain(value: Any, hint: Any) -> Any:
    """`value` as a type without parts; raises _Mismatch."""
    if not _is_finite(value):
        raise _Mismatch
    if hint is Any:
        return value
    if typing.get_origin(hint) is Literal:
        if value in typing.get_args(hint):
            return value
    elif hint is Path:
        if isinstance(value, str) and value.strip():
            return Path(value)
    elif isinstance(value, bool):
        if hint is bool:
            return value
    elif hint is float and isinstance(value, int):
        if abs(value) < 2**1023:  # what a float can hold
            return float(value)
    elif isinstance(hint, type) and isinstance(value, hint):
        return value
    raise _Mismatch


_WORDS = {
    Any: "finite numbers",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a folder",
    type(None): "null",
}


def _spell(hint: Any) -> str:
    """A type in the words of a YAML author."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return str(args[1].words)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_spell(a) for a in sorted(args, key=lambda a: a is not type(None)))
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin is tuple and args[-1] is not Ellipsis:
        return f"[{', '.join(map(_spell, args))}]"
    if origin is tuple:
        part = _spell(args[0])
        return f"a list of {part[2:] + 's' if part.startswith('a ') else part}"
    if origin is not None or dataclasses.is_dataclass(hint):
        return "a mapping"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def half_characters(value: Any, place: str) -> list[str]:
    """Where a text or a key has half a character ("\\ud800" in a YAML file), which no file and no page can show."""
    return sorted(set(_halves(value, place)))


def _halves(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            yield f"{place}: expected text, got half a character in {value!a}; take it out or write it whole"
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _halves(key, place)
            yield from _halves(
                part, f"{place}.{ascii(key)[1:-1]}" if isinstance(key, str) else place
            )
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _halves(part, place)
