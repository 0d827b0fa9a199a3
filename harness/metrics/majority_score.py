"""Majority score: how often the answer that a model gives most often to a prompt is right (maj@k, self-consistency).

Source: Wang et al. 2023, Self-consistency improves chain of thought reasoning in language models. Ties: every answer
of a tie is as likely to be chosen, so the prompt counts the mean of their grades.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics.gap_recovered import gap_findings
from harness.panel.grades import (
    SHARES,
    each_leaf,
    pooled_values,
    primary_draws,
)
from harness.panel.panel import Looks, Panel, View
from harness.panel.samples import bootstrapped, require_draws, share_of
from harness.panel.tallies import Average, Draws, prompts_with
from harness.types import Finding, Unavailable

_UNKNOWN = (
    "the answers that were graded are not known: a vote needs an answer that is extracted before exact_match compares "
    "it, or a chosen option"
)


@dataclass(frozen=True)
class Vote:
    """The grade of the commonest answer; those from which none could be extracted do not vote."""

    prompts: ClassVar[str] = prompts_with(2)

    def __call__(self, draws: Draws) -> float | None:
        """The grade, in [0, 1]; wrong where no answer could be extracted from any; None for one answer.

        Raises Unavailable where the answers are not known.
        """
        if not draws.answers:
            raise Unavailable(_UNKNOWN)
        if len(draws.values) < 2:
            return None
        grades: dict[str, list[float]] = defaultdict(list)
        for answer, value in zip(draws.answers, draws.values, strict=True):
            if answer is not None:
                grades[answer].append(value)
        most = max((len(values) for values in grades.values()), default=0)
        tied = [float(np.mean(values)) for values in grades.values() if len(values) == most]
        return float(np.mean(tied)) if tied else 0.0


@dataclass(frozen=True)
class Unread:
    """The share of a prompt's answers from which no answer could be extracted."""

    prompts: ClassVar[str] = prompts_with(2)

    def __call__(self, draws: Draws) -> float | None:
        """The share; None for one answer."""
        missing = [answer is None for answer in draws.answers]
        return float(np.mean(missing)) if len(missing) > 1 else None


@dataclass(frozen=True)
class MajorityScore(AbstractMetric):
    """How good a model is when the majority of its answers counts."""

    # "metric" or "metric,filter": the first that a task has is used
    columns: tuple[str, ...] = SHARES

    unit = "share"
    better = "higher"
    looks_at = Looks((View.GRADES,), also=("teacher", "base"))
    explanation = (
        "Tasks that were asked several times: how often the commonest answer to a prompt is right, among answers that "
        "the grader takes for the same. Of a tie each answer counts equally; a reply without an extractable answer "
        "does not vote, and a prompt without any vote is wrong. over_single: minus the score of a single answer, on "
        "the same prompts: what voting gains. unread: share of replies that did not vote. gap: how far the student "
        "went from base (0) to teacher (1). More answers make a better vote: compare models that were asked equally "
        "often."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Of a model alone its score and what voting gains; of a pair the gap."""
        panel = panels[0]
        draws = primary_draws(panel.student, self.columns)
        require_draws([len(d.values) for d in draws], panel.student.model)
        if panel.get("teacher") is not None:
            return gap_findings(panel, self.columns, "gap", Vote())
        return [*each_leaf(panel, self.columns, share_of, Vote()), *self._beside(panel)]

    def _beside(self, panel: Panel) -> list[Finding]:
        """What voting gains, and how many replies did not vote."""
        try:
            voted = pooled_values(panel, self.columns, Vote())
        except Unavailable as error:
            return [Finding(str(error), name, better="none") for name in ("over_single", "unread")]
        single = pooled_values(panel, self.columns, Average(least=2))
        unread = pooled_values(panel, self.columns, Unread())
        gain = bootstrapped(voted.values[0] - single.values[0], voted)
        return [
            Finding(gain, "over_single"),
            Finding(share_of(unread), "unread", better="lower"),
        ]
