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
from harness.metrics._population import Population, population, unrelated
from harness.panel.choices import AlignedChoices, Mask
from harness.panel.panel import Sides
from harness.stats.controls import prediction_interval_regression
from harness.types import Better, Column, Floats, Found, Given, Ints, Mean, Unavailable

_CONTROLS = 6  # fewest models from which the popularity of an option is estimated
_WRONG = 100  # fewest prompts on which both are wrong


class Inheritance(NamedTuple):
    """One model's wrong answers against the teacher's, on the prompts where both are wrong."""

    rows: Mask  # (P,) both answered and wrong; the others hold one entry for each of these
    same: Floats  # (I,) 1 = the teacher's wrong option
    # (I,) share of the models wrong on this prompt that chose the teacher's option
    expected: Floats

    @property
    def excess(self) -> float:
        """mean(same - expected): 0 = as an unrelated model."""
        return float((self.same - self.expected).mean())


def inheritance(chosen: Ints, wrong: Mask, student: int, controls: Sequence[int]) -> Inheritance:
    """How a model's wrong answers go with the teacher's; row 1 of chosen, wrong (models, P) is the teacher's.

    expected_i = m_i / |W_i|, W_i = the models among {student} and controls that are wrong on i, m_i = those of them
    with the teacher's option. The student is one of them, as any of them might be the one that was taught.
    """
    rows = wrong[student] & wrong[1]
    same = (chosen == chosen[1])[:, rows]
    crowd = [student, *(c for c in controls if c != student)]
    is_wrong = wrong[crowd][:, rows]
    popular = (is_wrong & same[crowd]).sum(axis=0) / is_wrong.sum(axis=0)
    return Inheritance(
        rows, same[student].astype(np.float64), np.asarray(popular, dtype=np.float64)
    )


class LineageExcess(NamedTuple):
    """Excess of control lineages, siblings averaged so that they count once; sorted by lineage."""

    accuracies: Floats  # (m, 1)
    excesses: Floats  # (m,)


def lineage_excess(found: Population) -> LineageExcess:
    """The excess of every control in the student's place, its own lineage left out of what is expected of it.

    A control that is wrong together with the teacher on too few prompts is left out.
    """
    choices, lineages = found.choices, np.array(found.lineages)
    wrong, accuracy = choices.wrong, choices.right.mean(axis=1)
    points: dict[str, list[tuple[float, float]]] = {}
    for c, lineage in enumerate(found.lineages):
        crowd = (np.flatnonzero(lineages != lineage) + 2).tolist()
        if (wrong[c + 2] & wrong[1]).sum() >= _WRONG:
            excess = inheritance(choices.chosen, wrong, c + 2, crowd).excess
            points.setdefault(lineage, []).append((float(accuracy[c + 2]), excess))
    means = np.array(
        [np.mean(points[name], axis=0) for name in sorted(points)], dtype=np.float64
    ).reshape(-1, 2)
    return LineageExcess(means[:, :1], means[:, 1])


@dataclass(frozen=True)
class ErrorInheritance(AbstractMetric):
    """Whether the student makes its teacher's mistakes."""

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "none"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "choices"})
    explanation: ClassVar[str] = (
        "Where student and teacher are both wrong: how often with the same wrong option (shared_wrong), how often "
        "that is to be expected because other models fall for it too (expected), and the difference (excess, above 0 "
        "= inherited). Its interval is over these prompts, where nearly every pair of models differs; "
        "excess_vs_controls asks whether a model that the teacher never taught would look like this, and only that "
        "one counts. Unanswered prompts are left out."
    )
    leaderboard: ClassVar = (Column(4, "Inherited errors", "excess share", "excess"),)
    topics: ClassVar = {"inherited_errors": ("excess_vs_controls",)}

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """shared_wrong and uniform_chance, then expected, excess and excess_vs_controls where there are controls."""
        reference = population(sides[0], unrelated(sides[0], sides[0].controls))
        choices, m = reference.choices, len(reference.models)
        mine = inheritance(choices.chosen, choices.wrong, 0, range(2, 2 + m))
        if mine.rows.sum() < _WRONG:
            raise Unavailable(
                f"both are wrong on {mine.rows.sum()} prompts; at least {_WRONG} are needed"
            )
        kept = choices.where(mine.rows)
        found = [
            _mean("shared_wrong", mine.same, kept),
            _mean("uniform_chance", 1 / (kept.n_options - 1), kept),
        ]
        if m < _CONTROLS:
            reason = f"{m} controls of other lineages than student and teacher; at least {_CONTROLS} are needed"
            return [
                *found,
                *(Found(name, "", reason) for name in ("expected", "excess", "excess_vs_controls")),
            ]
        found += [
            _mean("expected", mine.expected, kept),
            _mean("excess", mine.same - mine.expected, kept),
        ]
        found[-1] = replace(found[-1], better="higher")
        return [*found, _against_controls(mine.excess, reference)]


def _mean(name: str, values: Floats, rows: AlignedChoices) -> Found:
    return Found(name, "", Mean(values, rows.ids, rows.clusters))


def _against_controls(excess: float, reference: Population) -> Found:
    """The excess minus its prediction from accuracy over control lineages; its interval is a prediction interval."""
    name, points = "excess_vs_controls", lineage_excess(reference)
    accuracy = reference.choices.right[0].mean(keepdims=True)
    try:
        found = prediction_interval_regression(points.accuracies, points.excesses, accuracy)
    except Unavailable as error:
        return Found(name, "", f"{len(points.excesses)} control lineages: {error}", better="higher")
    given = Given(
        excess - found.predicted,
        excess - found.high,
        excess - found.low,
        len(points.excesses),
        "models",
    )
    return Found(name, "", given, better="higher")
