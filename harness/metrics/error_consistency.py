"""Error consistency: Cohen's kappa of being right and wrong on the same prompts.

Source: Geirhos, Meding and Wichmann 2020, Beyond accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.choices import unanswered
from harness.panel.grades import SHARES, AlignedValues, each_leaf
from harness.panel.panel import Looks, Panel, View
from harness.panel.tallies import First
from harness.stats.ratios import quotient
from harness.types import Finding, Floats, Mean, Smooth, Unavailable


def consistency_parts(first: Floats, second: Floats) -> Floats:
    """(P, 3) both right or both wrong, first right, second right; first, second: (P,) 1 = right, 0 = wrong."""
    return np.asarray(np.stack([first == second, first, second], axis=1), dtype=np.float64)


def consistency(means: Floats) -> Floats:
    """(observed - expected) / (1 - expected) from means (..., 3) of consistency_parts; NaN where expected is 1."""
    observed, right1, right2 = np.moveaxis(np.asarray(means), -1, 0)
    expected = right1 * right2 + (1 - right1) * (1 - right2)
    return quotient(observed - expected, 1 - expected)


def error_consistency(first: Floats, second: Floats) -> float:
    """Kappa of right and wrong (P,): 1 = on the same prompts, 0 = as independent models so accurate would be."""
    return float(consistency(consistency_parts(first, second).mean(axis=0)))


def consistency_statistic(aligned: AlignedValues) -> Smooth:
    """The same with what its interval needs; rows of `aligned` are student, teacher."""
    if not np.isin(aligned.values, (0.0, 1.0)).all():
        raise Unavailable("grades that are not just right or wrong")
    parts = consistency_parts(*aligned.values)
    if not np.isfinite(consistency(parts.mean(axis=0))):
        raise Unavailable(
            "both models are right on every prompt, or wrong on every one: consistency is not defined"
        )
    right = np.array([1.0, 0.0])
    kinds = np.concatenate([consistency_parts(np.full(2, first), right) for first in right])
    return Smooth(parts, consistency, aligned.ids, aligned.clusters, kinds)


@dataclass(frozen=True)
class ErrorConsistency(AbstractMetric):
    """Whether student and teacher find the same prompts hard."""

    # "metric" or "metric,filter": the first that a task has is used
    columns: tuple[str, ...] = SHARES

    unit = "kappa"
    better = "higher"
    looks_at = Looks((View.GRADES,), needs=("teacher",))
    explanation = (
        "Whether student and teacher are right and wrong on the same prompts, beyond what their accuracies alone "
        "would give: 0 = chance, 1 = always. Prompts differ in how hard they are, so unrelated models are above 0 "
        "too: compare with the controls. Prompts that one of them left unanswered are left out, as in CAPA."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Kappa for the task and the leaves of a group, and the share of prompts left out where there are any."""
        panel = panels[0]
        silent = unanswered(panel.student) | unanswered(panel.teacher)

        def statistic(aligned: AlignedValues) -> Smooth:
            """Kappa over the prompts that both answered; raises Unavailable where they are too few."""
            answered = aligned.at([i for i, name in enumerate(aligned.ids) if name not in silent])
            reasons.require(
                len(answered.prompts), panel.minimum, "prompts answered by both", len(aligned.ids)
            )
            return consistency_statistic(answered)

        def left_out(aligned: AlignedValues) -> Mean:
            """The share of prompts that one of the two left unanswered."""
            missing = np.array([float(name in silent) for name in aligned.ids])
            return Mean(missing, aligned.ids, aligned.clusters)

        findings = each_leaf(panel, self.columns, statistic, First())
        if silent:
            share = each_leaf(panel, self.columns, left_out, First())[0]
            findings.append(replace(share, name="unanswered", unit="share", better="none"))
        return findings
