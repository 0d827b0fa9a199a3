"""The drawer that draws nothing: it lays out what a drawing is made of, for tests."""

from __future__ import annotations

from typing import TypeVar

from harness.figures import (
    Dot,
    Dots,
    Drawing,
)

M = TypeVar("M")


def of_type(drawing: Drawing, kind: type[M]) -> list[M]:
    """The drawing's marks of one kind, the lowest first."""
    return [mark for mark in drawing.marks if isinstance(mark, kind)]


def dots(drawing: Drawing, role: str) -> list[Dot]:
    """Every point of a role."""
    return [d for mark in of_type(drawing, Dots) if mark.role == role for d in mark.dots]
