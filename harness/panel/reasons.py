"""Reasons that are shown where there is no number; they count what was left out beside what is left."""

from __future__ import annotations

from collections.abc import Sequence

from harness.panel.side import Side
from harness.types import Unavailable

NO_BASE = "this pair names no base"
NO_SECOND = "no second sample of the teacher"


def nobody(role: str) -> str:
    """The reason where no model has this role."""
    return f"this pair names no {role}"


def no_controls(
    left_out: Sequence[str], did: str = "answered nine in ten of the shared prompts"
) -> str:
    """The reason where no control is left; `left_out`: those of other lineages that did not do enough."""
    if left_out:
        return f"no control {did}: {', '.join(left_out)} did not"
    return "no control of another lineage than student and teacher has answers here"


def few(n: int, what: str, minimum: int, of: int | None = None) -> str:
    """The reason where there are fewer than the minimum of something; `of`: how many there are with the others."""
    return f"{n}{'' if of is None else f' of {of}'} {what}; at least {minimum} are needed"


def cut_off(n: int, of: int, model: str, n_guessed: int = 0) -> str:
    """The reason why nothing is said of lengths and endings where so many of a model's answers are cut.

    n_guessed: how many of the n only look cut.
    """
    which = "" if n_guessed == n else f"{n_guessed} "
    guess = f" ({which}guessed from how they end)" if n_guessed else ""
    return (
        f"{n} of {of} answers of {model} are cut off before their end{guess}: above one in five, nothing is said of "
        "lengths and endings"
    )


def require(n: int, minimum: int, what: str, of: int | None = None) -> None:
    """Raises Unavailable if there are fewer than `minimum`, or none."""
    if n < max(minimum, 1):
        raise Unavailable(few(n, what, max(minimum, 1), of))


def require_shared(
    n: int, minimum: int, sides: Sequence[Side], sizes: Sequence[int], what: str
) -> None:
    """Raises Unavailable if sides share too few prompts, naming the one that answered fewest (sizes)."""
    needed = max(minimum, 1)
    if n >= needed:
        return
    if len(sides) == 1:
        raise Unavailable(few(n, f"{what} answered by {sides[0].model}", needed))
    least = min(range(len(sides)), key=lambda i: sizes[i])
    everyone = f"{what} answered by all of {', '.join(s.model for s in sides)}"
    fewest = f"{sides[least].model} answered {sizes[least]}"
    others = "" if sizes[least] < needed else ", mostly other ones than the rest"
    raise Unavailable(f"{few(n, everyone, needed)} ({fewest}{others})")
