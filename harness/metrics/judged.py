"""A judge's verdicts: win, tie and loss against the teacher, and the quality retained.

Source: Zheng et al. 2023, Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.judgements import Judgement, judgements
from harness.panel.panel import Looks, Panel, View
from harness.types import Better, Finding, Mean, Statistic, Unavailable


def win_rate(points: Sequence[float]) -> float:
    """Wins and half of the ties as a share, from points of 1, 0.5 and 0; 0.5 = as good as the other."""
    return sum(points) / len(points)


@dataclass(frozen=True)
class Judged(AbstractMetric):
    """How a judge likes the student's answers beside the teacher's and the base's."""

    unit = "share"
    better = "higher"
    looks_at = Looks((View.JUDGEMENTS,), needs=("teacher",), also=("base",))
    explanation = (
        "A judge model saw the student's and the teacher's answer to the same prompt, without names and in both "
        "orders; orders that disagree are a tie. `retention` is wins plus half of the ties against the teacher: 0.5 "
        "is as good as the teacher. `over_base` is the same against the base. `disagreement` is how often the order "
        "alone decided, `unreadable` the share of replies that were no verdict; where either is high the rest says "
        "little. A judge likes long answers and those that sound like its own."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Shares against the teacher, and the win rate against the base."""
        panel = panels[0]
        student, teacher = panel.student.model, panel.teacher.model
        against = judgements(panel.student, student, teacher)
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
        findings = [
            Finding(_mean(read, share, panel.minimum, len(against)), n, better=better)
            for n, share, better in shares
        ]
        findings.insert(1, Finding(_over_base(panel), "over_base"))
        return [
            *findings,
            Finding(
                _mean(against, lambda j: j.unread / 2, 1, len(against)),
                "unreadable",
                better="lower",
            ),
        ]


def _over_base(panel: Panel) -> Statistic | str:
    student, base = panel.student, panel.get("base")
    if base is None:
        return reasons.NO_BASE
    against = judgements(student, student.model, base.model)
    if not against:
        return f"the judge was not asked to compare {student.model} with {base.model}"
    read = [j for j in against if j.points is not None]
    return _mean(read, lambda j: j.points or 0.0, panel.minimum, len(against))


def _mean(
    judged: Sequence[Judgement], share: Callable[[Judgement], float], minimum: int, of: int
) -> Statistic | str:
    if len(judged) < max(minimum, 1):
        return reasons.few(len(judged), "prompts with a verdict", max(minimum, 1), of)
    prompts = [j.prompt for j in judged]
    values = np.array([share(j) for j in judged])
    return Mean(values, tuple(p.id for p in prompts), tuple(p.cluster for p in prompts))
