"""pass@k: the chance that at least one of k answers to a prompt is right, and how much of a score's error is drawing.

Source: Chen et al. 2021, Evaluating large language models trained on code, section 2.1: of n answers c are right,
pass@k = 1 - C(n - c, k) / C(n, k), which is unbiased for every k up to n. The two parts of the error: Miller 2024,
Adding error bars to evals, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
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
from harness.panel.samples import require_draws, share_of
from harness.panel.tallies import Average, Draws, prompts_with
from harness.stats.means import mean_error
from harness.types import (
    DistillbenchError,
    Finding,
    Given,
    Unavailable,
)


def pass_at_k(n: int, right: int, k: int) -> float:
    """The unbiased estimate of pass@k from n answers of which some are right; 1 <= k <= n."""
    return 1.0 - comb(n - right, k) / comb(n, k)


@dataclass(frozen=True)
class Passed:
    """pass@k of one prompt."""

    k: int

    @property
    def prompts(self) -> str:
        """Prompts with at least k answers."""
        return prompts_with(self.k)

    def __call__(self, draws: Draws) -> float | None:
        """The estimate; None below k answers. Raises Unavailable where a grade is neither 0 nor 1."""
        if any(value not in (0.0, 1.0) for value in draws.values):
            raise Unavailable("grades that are not just right or wrong")
        n = len(draws.values)
        return pass_at_k(n, int(sum(draws.values)), self.k) if n >= self.k else None


@dataclass(frozen=True)
class Noise:
    """The variance of a prompt's mean that comes from drawing its answers: s^2 / n."""

    prompts: ClassVar[str] = prompts_with(2)

    def __call__(self, draws: Draws) -> float | None:
        """The unbiased estimate; None for one answer."""
        n = len(draws.values)
        return float(np.var(draws.values, ddof=1)) / n if n > 1 else None


@dataclass(frozen=True)
class PassAtK(AbstractMetric):
    """How often one of several answers is right."""

    k: tuple[int, ...] = ()  # () = 2, 4, 8 ... as far as most prompts have so many answers
    # "metric" or "metric,filter": the first that a task has is used
    columns: tuple[str, ...] = SHARES

    unit = "share"
    better = "higher"
    looks_at = Looks((View.GRADES,), also=("teacher", "base"))
    explanation = (
        "Tasks that were asked several times. The number k: chance that at least one of k answers is right (unbiased, "
        "k may be smaller than the number of answers); with one answer it is task_score, which then is the mean over "
        "all answers. k/gap: how far the student went in it from base (0) to teacher (1). A model that guesses among "
        "few options reaches 1 with many tries. between_samples: standard error of the score from drawing answers "
        "alone, which more answers to a prompt make smaller; between_prompts: from the choice of prompts, which they "
        "do not (0 where drawing alone explains all of it); the interval of the score holds both. samples: answers to "
        "a prompt."
    )

    def __post_init__(self) -> None:
        if any(k < 1 for k in self.k):
            raise DistillbenchError(f"key k: expected whole numbers of 1 or more, got {[*self.k]}")

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Of a model alone pass@k and the parts of the error; of a pair the gap in each pass@k."""
        panel = panels[0]
        counts = [len(d.values) for d in primary_draws(panel.student, self.columns)]
        require_draws(counts, panel.student.model)
        ks = self.k or _doubled(max(int(np.median(counts)), 2))
        if panel.get("teacher") is not None:
            return [f for k in ks for f in gap_findings(panel, self.columns, f"{k}/gap", Passed(k))]
        passed = [
            replace(f, name=str(k))
            for k in ks
            for f in each_leaf(panel, self.columns, share_of, Passed(k))
        ]
        return [*passed, *self._errors(panel, counts)]

    def _errors(self, panel: Panel, counts: Sequence[int]) -> list[Finding]:
        """The standard error of the score in its two parts, and how many answers prompts have."""
        parts = ("between_samples", "between_prompts")
        try:
            errors: Sequence[Given | str] = self._parts(panel)
        except Unavailable as error:
            errors = [str(error)] * len(parts)
        answers = Given(float(np.mean(counts)), None, None, len(counts), note="a count")
        return [
            *(
                Finding(error, name, unit="standard error", better="none")
                for name, error in zip(parts, errors, strict=True)
            ),
            Finding(answers, "samples", unit="answers per prompt", better="none"),
        ]

    def _parts(self, panel: Panel) -> list[Given]:
        """Standard errors of the score: from drawing answers, and from the choice of prompts."""
        means = pooled_values(panel, self.columns, Average(least=2))
        noise = pooled_values(panel, self.columns, Noise()).values[0]
        drawing = float(noise.sum()) / len(noise) ** 2
        whole = float(mean_error(means.values.T, means.clusters).covariance[0, 0])
        return [
            Given(float(np.sqrt(variance)), None, None, len(noise), note="a standard error")
            for variance in (drawing, max(whole - drawing, 0.0))
        ]


def _doubled(most: int) -> list[int]:
    return [2**i for i in range(1, most.bit_length()) if 2**i <= most]
