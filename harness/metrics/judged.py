"""A judge's verdicts: win, tie and loss against the teacher, and the quality that was kept.

Source: Zheng et al. 2023, Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._primary import required
from harness.panel.judgements import Judgement, judgements
from harness.panel.panel import Sides
from harness.types import Better, Found, Mean, Statistic, Unavailable


def win_rate(points: Sequence[float]) -> float:
    """Wins and half of the ties as a share, from points of 1, 0.5 and 0; 0.5 = as good as the other."""
    return sum(points) / len(points)


@dataclass(frozen=True)
class Judged(AbstractMetric):
    """How a judge likes the student's answers beside the teacher's and the base's."""

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "verdicts"})
    explanation: ClassVar[str] = (
        "A judge model saw the student's and the teacher's answer to the same prompt, without names and in both "
        "orders; orders that disagree are a tie. `retention` is wins plus half of the ties against the teacher: 0.5 "
        "is as good as the teacher. `over_base` is the same against the base. `disagreement` is how often the order "
        "alone decided, `unreadable` the share of replies that were no verdict; where either is high the rest says "
        "little. A judge likes long answers and those that sound like its own."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """Shares against the teacher, and the win rate against the base."""
        one = sides[0]
        student, teacher = one.student.model, required(one.teacher, "teacher").model
        against = judgements(one.student, student, teacher)
        if not against:
            raise Unavailable(f"the judge was not asked to compare {student} with {teacher}")
        shares: list[tuple[str, Callable[[Judgement], float], Better]] = [
            ("retention", lambda j: j.points or 0.0, "higher"),
            ("win", lambda j: float(j.points == 1), "higher"),
            ("tie", lambda j: float(j.points == 0.5), "none"),
            ("loss", lambda j: float(j.points == 0), "lower"),
            ("disagreement", lambda j: float(not j.agree), "none"),
        ]
        read = [j for j in against if j.points is not None]
        found = [
            Found(n, "", _mean(read, share, one.minimum), better=better)
            for n, share, better in shares
        ]
        found.insert(1, Found("over_base", "", _over_base(one)))
        return [
            *found,
            Found("unreadable", "", _mean(against, lambda j: j.unread / 2, 1), better="lower"),
        ]


def _over_base(one: Sides) -> Statistic | str:
    if one.base is None:
        return "this pair names no base"
    against = judgements(one.student, one.student.model, one.base.model)
    if not against:
        return f"the judge was not asked to compare {one.student.model} with {one.base.model}"
    return _mean(
        [j for j in against if j.points is not None], lambda j: j.points or 0.0, one.minimum
    )


def _mean(
    judged: Sequence[Judgement], share: Callable[[Judgement], float], minimum: int
) -> Statistic | str:
    if len(judged) < minimum:
        return f"{len(judged)} prompts with a verdict; at least {minimum} are needed"
    prompts = [j.prompt for j in judged]
    values = np.array([share(j) for j in judged])
    return Mean(values, tuple(p.id for p in prompts), tuple(p.cluster for p in prompts))
