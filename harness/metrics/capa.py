"""CAPA, chance-adjusted probabilistic agreement (kappa_p).

Source: Goel et al. 2025, Great Models Think Alike and this Undermines AI Oversight; package lm-sim is the authors' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.agreement import kappa_p
from harness.panel.choices import AlignedChoices, align_choices
from harness.panel.panel import Looks, Panel, View
from harness.panel.topics import Column
from harness.types import Finding, Floats, Ints, Mean, Smooth, Unavailable


def capa_parts(first: Floats, second: Floats, gold: Ints, n_options: Ints) -> Floats:
    """(P, 4) agreement, both models' probability of the right option, 1 / (options - 1), for each prompt.

    first, second: probabilities (P, K), rows add up to 1 and are 0 beyond the prompt's options; gold, n_options (P,).
    """
    rows = np.arange(len(gold))
    agreement = (first * second).sum(axis=1)
    return np.stack([agreement, first[rows, gold], second[rows, gold], 1 / (n_options - 1)], axis=1)


def capa(first: Floats, second: Floats, gold: Ints, n_options: Ints) -> float:
    """kappa_p of two models: 1 = complete agreement, 0 = what two so accurate models show by chance. See capa_parts."""
    return float(kappa_p(capa_parts(first, second, gold, n_options).mean(axis=0)))


def both_answered(aligned: AlignedChoices, minimum: int) -> AlignedChoices:
    """The rows that have a right option and were answered by all models; raises Unavailable below `minimum`."""
    answered = aligned.where(np.all(aligned.answered, axis=0) & (aligned.gold >= 0))
    what, of = "prompts with a right option answered by both", len(aligned.prompts)
    reasons.require(len(answered.prompts), minimum, what, of)
    return answered


def left_unanswered(aligned: AlignedChoices) -> list[Finding]:
    """Share of prompts that a model left unanswered, and that are therefore left out; empty where there are none."""
    missing = np.asarray(~np.all(aligned.answered, axis=0), dtype=np.float64)
    share = Mean(missing, aligned.ids, aligned.clusters)
    return [Finding(share, "unanswered", unit="share", better="none")] if missing.any() else []


@dataclass(frozen=True)
class Capa(AbstractMetric):
    """Agreement in answers beyond chance."""

    unit = "kappa"
    better = "higher"
    looks_at = Looks((View.CHOICES,), needs=("teacher",))
    explanation = (
        "How far student and teacher share probability over the options beyond what their accuracies alone would "
        "give: 0 = chance, 1 = the same sure answers. It grows with capability for models that have nothing to do "
        "with each other, so judge it against the controls, or by its excess. Prompts that one of them left "
        "unanswered are left out."
    )
    leaderboard = (Column(3, "Agreement", "kappa"),)
    topics: ClassVar = {"agreement": ("",)}

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """kappa_p, and the share of prompts left out where there are any."""
        aligned = align_choices(panels[0])
        answered = both_answered(aligned, panels[0].minimum)
        parts = capa_parts(
            answered.probabilities[0], answered.probabilities[1], answered.gold, answered.n_options
        )
        if not np.isfinite(kappa_p(parts.mean(axis=0))):
            raise Unavailable(
                "both are right on every prompt: agreement beyond chance is not defined"
            )
        kappa = Smooth(parts, kappa_p, answered.ids, answered.clusters)
        return [Finding(kappa), *left_unanswered(aligned)]
