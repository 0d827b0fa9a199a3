"""Next-token agreement: how often student and teacher choose the same token after a short random context.

Source: after Nikolic et al. 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.controls import lineage_means
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import AlignedTexts, align_texts
from harness.types import Finding, Floats, Mean


def same_token(first: Sequence[str], second: Sequence[str]) -> Floats:
    """(P,) 1 where both wrote the same; first, second: one token each, as text."""
    return np.array([float(a == b) for a, b in zip(first, second, strict=True)])


@dataclass(frozen=True)
class NextTokenAgreement(AbstractMetric):
    """Share of contexts with the same greedy next token."""

    unit = "share"
    better = "higher"
    looks_at = Looks((View.NEXT_TOKEN,), needs=("teacher",), also=("controls",))
    explanation = (
        "After how many short random contexts student and teacher would write the same next token. Models of one kind "
        "agree often without any lineage: `over_controls` takes off the mean agreement of the controls with the "
        "teacher on the same contexts. Tokens are compared as text, so another tokenizer lowers it."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The share, and how far it is above the controls' mean."""
        pair = align_texts(panels[0].only("student", "teacher"))
        everyone = align_texts(panels[0])
        return [
            Finding(Mean(_agreement(pair), pair.ids, pair.clusters)),
            Finding(_over_controls(everyone), "over_controls"),
        ]


def _agreement(aligned: AlignedTexts) -> Floats:
    return same_token(aligned["student"].texts, aligned["teacher"].texts)


def _over_controls(everyone: AlignedTexts) -> Mean | str:
    if not everyone.controls:
        return reasons.no_controls(everyone.left_out)
    theirs = [same_token(c.texts, everyone["teacher"].texts) for c in everyone.controls.values()]
    chance = lineage_means(theirs, list(everyone.lineages.values())).mean(axis=0)
    return Mean(_agreement(everyone) - chance, everyone.ids, everyone.clusters)
