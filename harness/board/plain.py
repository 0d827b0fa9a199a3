"""Dataclasses as plain values for JSON, and back, by the annotations of their fields. Unchecked: for our own files."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """The value with dataclasses as dicts of their fields and tuples as lists."""
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(inner) for key, inner in value.items()}
    return [to_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def from_plain(cls: type[T], value: Mapping[str, Any]) -> T:
    """The inverse of `to_plain`: an instance of the dataclass; keys that are not fields are ignored."""
    built: T = _reader(typing.cast(Any, cls))(value)
    return built


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """A function from a plain value to one of the annotated type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        build = typing.cast(Callable[..., Any], hint)

        @cache  # made when first needed: a dataclass may hold others of its own kind
        def readers() -> dict[str, Callable[[Any], Any]]:
            """Field -> what reads its value."""
            return {f.name: _reader(hints[f.name]) for f in dataclasses.fields(hint)}

        return lambda value: build(
            **{k: read(value[k]) for k, read in readers().items() if k in value}
        )
    if origin is tuple:
        inner = _reader(args[0])
        return lambda value: tuple(map(inner, value))
    if origin in (types.UnionType, typing.Union):
        first = _reader(args[0])  # of `X | None`; the others are plain values
        return first if first is _same else lambda value: None if value is None else first(value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        entry = _reader(args[1])
        return dict if entry is _same else lambda value: {k: entry(v) for k, v in value.items()}
    return _same


def _same(value: Any) -> Any:
    return value
