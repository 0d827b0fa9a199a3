"""Error inheritance: the teacher's wrong answers, given again beyond what their popularity explains.

Source: our own. Some wrong options are popular with every model, so the chance of sharing one is estimated from
models that are wrong on the same prompt, never taken as 1 / (options - 1). Over models: `stats/round_robin`.
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
from harness.stats.round_robin import pair_excess
from harness.types import Finding, Floats, Given, Ints, Mean, Unavailable

_CONTROLS = 6  # fewest models from which the popularity of an option is estimated
_WRONG = 100  # fewest prompts on which both are wrong


class Inheritance(NamedTuple):
    """One model's wrong answers compared with the teacher's, on the prompts where both are wrong."""

    rows: Mask  # (P,) both answered and wrong; the others hold one entry for each of these
    same: Floats  # (I,) 1 = the teacher's wrong option
    # (I,) share of the models wrong on this prompt that chose the teacher's option
    expected: Floats


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


def shared_wrong(everyone: AlignedChoices) -> Floats:
    """(models, models) share with the same wrong option among prompts that both got wrong; NaN where these are few."""
    width = everyone.probabilities.shape[2]
    picked = [((everyone.chosen == k) & everyone.wrong).astype(np.float64) for k in range(width)]
    same = np.sum([wrong_option @ wrong_option.T for wrong_option in picked], axis=0)
    wrong = everyone.wrong.astype(np.float64)
    both = wrong @ wrong.T
    few = np.full(both.shape, np.nan)
    return np.asarray(np.divide(same, both, out=few, where=both >= _WRONG))


@dataclass(frozen=True)
class ErrorInheritance(AbstractMetric):
    """Whether the student makes its teacher's mistakes."""

    unit = "share"
    better = "none"
    looks_at = Looks((View.CHOICES,), needs=("teacher",), also=("controls",))
    explanation = (
        "Where student and teacher are both wrong: how often with the same wrong option (shared_wrong), how often "
        "that is to be expected because other models fall for it too (expected), and the difference (excess, above 0 "
        "= inherited). Its interval is over these prompts, where nearly every pair of models differs; "
        "excess_vs_controls asks whether a model that the teacher never taught would look like this, and only that "
        "one counts. Unanswered prompts are left out."
    )
    leaderboard = (Column(4, "Inherited errors", "excess share", "excess_vs_controls"),)
    topics: ClassVar = {"inherited_errors": ("excess_vs_controls",)}

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """shared_wrong, uniform_chance, and expected, excess and excess_vs_controls where there are controls."""
        everyone = align_choices_with_gold(panels[0])
        lineages, m = everyone.lineages, len(everyone.controls)
        mine = inheritance(everyone.chosen, everyone.wrong, 0, everyone.controls, lineages)
        if mine.rows.sum() < _WRONG:
            raise Unavailable(
                f"both are wrong on {mine.rows.sum()} prompts; at least {_WRONG} are needed"
            )
        both_wrong = everyone.where(mine.rows)
        findings = [
            _mean("shared_wrong", mine.same, both_wrong),
            _mean("uniform_chance", 1 / (both_wrong.n_options - 1), both_wrong),
        ]
        if m < _CONTROLS:
            what = "controls of other lineages that answered nine in ten of the prompts"
            reason = reasons.few(m, what, _CONTROLS)
            findings += [Finding(reason, name) for name in ("expected", "excess")]
        else:
            excess = _mean("excess", mine.same - mine.expected, both_wrong)
            findings += [
                _mean("expected", mine.expected, both_wrong),
                replace(excess, better="higher"),
            ]
        return [*findings, Finding(_vs_controls(everyone), "excess_vs_controls", better="higher")]


def _mean(name: str, values: Floats, rows: AlignedChoices) -> Finding:
    return Finding(Mean(values, rows.ids, rows.clusters), name)


def _vs_controls(everyone: AlignedChoices) -> Given | str:
    """shared_wrong minus what is expected of two unrelated models; its interval is a prediction interval."""
    try:
        excess = pair_excess(shared_wrong(everyone), everyone.right.mean(axis=1), everyone.lineages)
    except Unavailable as error:
        return str(error)
    return Given(excess.value, excess.low, excess.high, excess.lineages, "models")
