"""What a student gained or lost against its base and its teacher, in words. Decided by `claims`, worded here only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.board.claims import outcome, told_apart
from harness.board.numerals import estimate, fixed, number, percent
from harness.board.record import Change, Facts

SMALL = 0.1  # a loss of a share that prompts should be able to show; else they are too few
SHARE = "share"


@dataclass(frozen=True)
class SaidChange:
    """A change with its words."""

    change: Change
    domain: str  # of its task: "inside", "outside" of what was distilled, or ""
    words: str  # "lost 12 points [8, 16]", "no loss seen; 6 points or more would have shown" ...


def said_changes(changes: Iterable[Change], tasks: Mapping[str, Facts]) -> list[SaidChange]:
    """Changes with their words, in order."""
    return [
        SaidChange(c, str(tasks.get(c.task, {}).get("domain", "")), in_words(c)) for c in changes
    ]


def too_few(change: Change) -> bool:
    """Whether a loss that matters could have been overlooked."""
    if change.detectable is None:
        return True
    return _is_share(change) and change.detectable > SMALL


def by_outcome(said: Iterable[SaidChange]) -> tuple[list[SaidChange], list[SaidChange]]:
    """What differs, losses first, then gains, then what is neither; and what shows no difference."""
    every = list(said)
    told = [s for s in every if told_apart(s.change)]
    told.sort(key=lambda s: ("worse", "better", "not told apart").index(outcome(s.change)))
    return told, [s for s in every if not told_apart(s.change)]


def in_words(change: Change) -> str:
    """What the prompts say of a change: gained, lost, no loss seen, or too few prompts to see one.

    Where neither end of a measure is better: higher, lower, or no difference seen.
    """
    said, ways = outcome(change), ("gained", "lost", "loss")
    if change.better == "none":
        ways = ("higher by", "lower by", "difference")
    if told_apart(change):
        up = change.difference > 0
        how = ways[0] if (up if change.better == "none" else said == "better") else ways[1]
        ends = (change.low, change.high) if up else (-change.high, -change.low)
        return f"{how} {_amount(change, abs(change.difference), *ends)}"
    if change.detectable is None or (_is_share(change) and change.detectable >= 1):
        return f"too few prompts to see any {ways[2]}"
    least = _amount(change, change.detectable)
    if _is_share(change) and change.detectable > SMALL:
        return f"too few prompts to see a {ways[2]} below {least}"
    return f"no {ways[2]} seen; {least} or more would have shown"


def _is_share(change: Change) -> bool:
    """Whether a measure is a share, of whatever: "share", "share of replies"."""
    return change.unit.split(" of ")[0] == SHARE


def _amount(
    change: Change, value: float, low: float | None = None, high: float | None = None
) -> str:
    if not _is_share(change):
        return f"{estimate(value, low, high)} {change.unit}"
    if low is None or high is None:
        return f"{number(100 * value)} points"
    return f"{percent(value).removesuffix(chr(0xA0) + '%')} points [{fixed(100 * low, 0)}, {fixed(100 * high, 0)}]"
