"""Options in other orders: which option a request asks about, and in which order, is told by its slot.

Slots from 0 on are lm-eval's own and stand for the task's own order. Below 0 lies one for each option of each further
order, whatever place it has there: a task that is asked in one order has none of them.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """An option in an order."""

    order: int  # 0 = the task's own
    option: int  # index in the task's own order


def slot_of(place: Place, n_options: int) -> int:
    """The slot of a request."""
    if not place.order:
        return place.option
    return -1 - (place.order - 1) * n_options - place.option


def place_of(slot: int, n_options: int) -> Place:
    """The inverse of slot_of."""
    if slot >= 0:
        return Place(0, slot)
    order, option = divmod(-1 - slot, n_options)
    return Place(order + 1, option)


def is_turned(slot: int) -> bool:
    """Whether the options stand in another order than the task's own."""
    return slot < 0
