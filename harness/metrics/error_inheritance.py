"""Error inheritance: the teacher's wrong answers, given again beyond what their popularity explains.

Source: our own. Some wrong options are popular with every model, so the chance of sharing one is estimated from
models that are wrong on the same prompt, never taken as 1 / (options - 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.choices import AlignedChoices, Mask, align_choices_with_gold
from harness.panel.controls import lineage_means
from harness.panel.panel import Looks, Panel, View
from harness.panel.topics import Column
from harness.stats.controls import prediction_interval_regression
from harness.types import Better, Finding, Floats, Given, Ints, Mean, Unavailable

_CONTROLS = 6  # fewest models from which the popularity of an option is estimated
_WRONG = 100  # fewest prompts on which both are wrong


class Inheritance(NamedTuple):
    """One model's wrong answers compared with the teacher's, on the prompts where both are wrong."""

    rows: Mask  # (P,) both answered and wrong; the others hold one entry for each of these
    same: Floats  # (I,) 1 = the teacher's wrong option
    # (I,) share of the models wrong on this prompt that chose the teacher's option
    expected: Floats

    @property
    def excess(self) -> float:
        """mean(same - expected): 0 = as an unrelated model."""
        return float((self.same - self.expected).mean())


def inheritance(
    chosen: Ints, wrong: Mask, student: int, controls: Sequence[int], lineages: Sequence[str]
) -> Inheritance:
    """How a model's wrong answers coincide with the teacher's; row 1 of chosen, wrong (models, P) is the teacher's.

    expected_i = the mean over lineages of the share of their models wrong on i that chose the teacher's option; a
    lineage counts where one of its models is wrong. Lineages are those of {student} and controls, given for every row.
    The student is one of them, as any of them might be the one that was taught.
    """
    rows = wrong[student] & wrong[1]
    same = (chosen == chosen[1])[:, rows]
    crowd = [student, *(c for c in controls if c != student)]
    families = [lineages[c] for c in crowd]
    is_wrong = wrong[crowd][:, rows]
    with_teacher = lineage_means((is_wrong & same[crowd]).astype(np.float64), families)
    any_wrong = lineage_means(is_wrong.astype(np.float64), families)
    counts = any_wrong > 0
    shares = np.divide(with_teacher, any_wrong, out=np.zeros(counts.shape), where=counts)
    return Inheritance(
        rows, same[student].astype(np.float64), shares.sum(axis=0) / counts.sum(axis=0)
    )


class LineageExcess(NamedTuple):
    """Excess of control lineages, siblings averaged so that they count once; sorted by lineage."""

    accuracies: Floats  # (m, 1)
    excesses: Floats  # (m,)


def lineage_excess(everyone: AlignedChoices) -> LineageExcess:
    """The excess of every control in the student's place, its own lineage left out of what is expected of it.

    A control that is wrong together with the teacher on too few prompts is left out.
    """
    wrong, accuracy = everyone.wrong, everyone.right.mean(axis=1)
    points, lineages = [], []
    for c in everyone.controls:
        lineage = everyone.lineages[c]
        crowd = [k for k in everyone.controls if everyone.lineages[k] != lineage]
        if (wrong[c] & wrong[1]).sum() >= _WRONG:
            excess = inheritance(everyone.chosen, wrong, c, crowd, everyone.lineages).excess
            points.append(np.array([accuracy[c], excess]))
            lineages.append(lineage)
    means = lineage_means(points, lineages).reshape(-1, 2)
    return LineageExcess(means[:, :1], means[:, 1])


@dataclass(frozen=True)
class ErrorInheritance(AbstractMetric):
    """Whether the student makes its teacher's mistakes."""

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "none"
    looks_at: ClassVar[Looks] = Looks((View.CHOICES,), needs=("teacher",), also=("controls",))
    explanation: ClassVar[str] = (
        "Where student and teacher are both wrong: how often with the same wrong option (shared_wrong), how often "
        "that is to be expected because other models fall for it too (expected), and the difference (excess, above 0 "
        "= inherited). Its interval is over these prompts, where nearly every pair of models differs; "
        "excess_vs_controls asks whether a model that the teacher never taught would look like this, and only that "
        "one counts. Unanswered prompts are left out."
    )
    leaderboard: ClassVar = (Column(4, "Inherited errors", "excess share", "excess_vs_controls"),)
    topics: ClassVar = {"inherited_errors": ("excess_vs_controls",)}

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """shared_wrong and uniform_chance, then expected, excess and excess_vs_controls where there are controls."""
        everyone = align_choices_with_gold(panels[0])
        lineages, m = everyone.lineages, len(everyone.controls)
        mine = inheritance(everyone.chosen, everyone.wrong, 0, everyone.controls, lineages)
        if mine.rows.sum() < _WRONG:
            raise Unavailable(
                f"both are wrong on {mine.rows.sum()} prompts; at least {_WRONG} are needed"
            )
        kept = everyone.where(mine.rows)
        findings = [
            _mean("shared_wrong", mine.same, kept),
            _mean("uniform_chance", 1 / (kept.n_options - 1), kept),
        ]
        if m < _CONTROLS:
            reason = reasons.few(
                m, "controls of other lineages that answered nine in ten of the prompts", _CONTROLS
            )
            parts = ("expected", "excess", "excess_vs_controls")
            return [*findings, *(Finding(reason, name) for name in parts)]
        return [
            *findings,
            _mean("expected", mine.expected, kept),
            replace(_mean("excess", mine.same - mine.expected, kept), better="higher"),
            Finding(_vs_controls(mine.excess, everyone), "excess_vs_controls", better="higher"),
        ]


def _mean(name: str, values: Floats, rows: AlignedChoices) -> Finding:
    return Finding(Mean(values, rows.ids, rows.clusters), name)


def _vs_controls(excess: float, everyone: AlignedChoices) -> Given | str:
    """The excess minus its prediction from accuracy over control lineages; its interval is a prediction interval."""
    points = lineage_excess(everyone)
    accuracy = everyone.right[0].mean(keepdims=True)
    n = len(points.excesses)
    try:
        expected = prediction_interval_regression(points.accuracies, points.excesses, accuracy)
    except Unavailable as error:
        return f"{n} control lineages: {error}"
    low, high = excess - expected.high, excess - expected.low
    return Given(excess - expected.predicted, low, high, n, "models")
