"""Reasons that are shown where there is no number."""

from __future__ import annotations

from collections.abc import Sequence

from harness.panel.side import Side
from harness.types import Unavailable

NO_BASE = "this pair names no base"
NO_CONTROLS = "no controls of another lineage than student and teacher"
NO_SECOND = "no second sample of the teacher"


def nobody(role: str) -> str:
    """The reason where no model has this role."""
    return f"this pair names no {role}"


def few(n: int, what: str, minimum: int) -> str:
    """The reason where there are fewer than the minimum of something."""
    return f"{n} {what}; at least {minimum} are needed"


def require(n: int, minimum: int, what: str) -> None:
    """Raises Unavailable if there are fewer than `minimum`, or none."""
    if n < max(minimum, 1):
        raise Unavailable(few(n, what, max(minimum, 1)))


def require_shared(
    n: int, minimum: int, sides: Sequence[Side], sizes: Sequence[int], what: str
) -> None:
    """Raises Unavailable if sides share too few prompts, naming the one that answered fewest (sizes)."""
    if n < max(minimum, 1):
        least = min(range(len(sides)), key=lambda i: sizes[i])
        everyone = f"{what} answered by all of {', '.join(s.model for s in sides)}"
        fewest = f" ({sides[least].model} answered {sizes[least]})"
        raise Unavailable(few(n, everyone, max(minimum, 1)) + fewest)
