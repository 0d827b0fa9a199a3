"""What a model has loaded and the next one shares: kept between their sessions, one at a time in a process."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

_kept: dict[Hashable, Any] = {}  # at most one
_wanted = [False]


@contextmanager
def keeping(more: bool) -> Iterator[None]:
    """Inside, what a session gives back when it is closed is kept; behind it, only where `more` models share it."""
    before, _wanted[0] = _wanted[0], more
    try:
        yield
    finally:
        _wanted[0] = before
        if not more:
            _kept.clear()


def taken(place: Hashable) -> Any | None:
    """What was kept of this place; None where there is nothing. What is of another place is freed."""
    found = _kept.pop(place, None)
    _kept.clear()
    return found


def give_back(place: Hashable, thing: Any) -> None:
    """Keeps a thing for the next model that asks for this place, where one is expected."""
    if _wanted[0]:
        _kept.clear()
        _kept[place] = thing
