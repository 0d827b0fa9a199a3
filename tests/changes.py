"""Other values for the fields of a specification, made from their annotations."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from harness import keys
from harness.types import DistillbenchError


def marks(cls: Any) -> dict[str, str]:
    """Field -> its mark, "" where it has none."""
    return {f.name: f.mark for f in keys._fields(cls)}


def defaults(cls: Any) -> dict[str, Any]:
    """Field that is in keys -> its default, for fields that have one."""
    return {
        f.name: f.default
        for f in keys._fields(cls)
        if not f.mark and f.default is not dataclasses.MISSING
    }


def changes(spec: Any, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(field, the specification with another value there), for every field that takes one.

    `values` has those that an annotation does not tell; a field is left out where no value fits its neighbours.
    """
    hints = typing.get_type_hints(type(spec))
    for name in marks(type(spec)):
        value = values[name] if name in values else other(getattr(spec, name), hints[name])
        try:
            yield name, dataclasses.replace(spec, **{name: value})
        except DistillbenchError:
            continue


def other(value: Any, hint: Any) -> Any:
    """A value of the annotated type that is not `value`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return other(value, next(a for a in args if a is not type(None)))
    if origin is Literal:
        return next(a for a in args if a != value)
    if origin is tuple:
        return (*(value or ()), other(None, args[0]))
    if origin is not None:  # a mapping
        return {**(value or {}), "other": "x"}
    if hint is bool:
        return not value
    if hint is int:
        return (value or 0) + 2
    return (value or 0.0) / 2 + 0.125 if hint is float else f"{value or ''}x"
