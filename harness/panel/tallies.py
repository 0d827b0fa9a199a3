"""What becomes of the grades of several answers to one prompt: their mean, the first, a vote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol


class Draws(NamedTuple):
    """The graded answers of one model to one prompt."""

    values: tuple[float, ...]  # (samples,)
    # (samples,) what was graded, equal where the grader takes it for the same; None = none could be extracted
    answers: tuple[str | None, ...]  # () = not known


class Tally(Protocol):
    """One number of a prompt, made from its graded answers."""

    @property
    def prompts(self) -> str:
        """The prompts that have this number, for reasons."""

    def __call__(self, draws: Draws) -> float | None:
        """The number; None where this prompt has none."""


def prompts_with(least: int) -> str:
    """Prompts with so many graded answers, in words."""
    return "graded prompts" if least == 1 else f"prompts with {least} graded answers or more"


@dataclass(frozen=True)
class Average:
    """The mean: of right and wrong, the chance that one answer is right (pass@1)."""

    least: int = 1  # prompts with fewer answers have none

    @property
    def prompts(self) -> str:
        """Prompts with enough answers."""
        return prompts_with(self.least)

    def __call__(self, draws: Draws) -> float | None:
        """The mean."""
        n = len(draws.values)
        return sum(draws.values) / n if n >= self.least else None


@dataclass(frozen=True)
class First:
    """The first answer alone, for measures of right and wrong that a mean is neither of."""

    prompts: ClassVar[str] = prompts_with(1)

    def __call__(self, draws: Draws) -> float:
        """The first."""
        return draws.values[0]


def joined(first: Draws, second: Draws) -> Draws:
    """The answers of two samples to one prompt; they are known where both are."""
    known = bool(first.answers and second.answers)
    return Draws(first.values + second.values, first.answers + second.answers if known else ())
