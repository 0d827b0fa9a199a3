"""Truncation: how many of a model's replies end before they are complete.

A stored stop says so where there is one (the limit of tokens); a thought without an end is not a reply; of recorded
answers whose file does not say how they ended it is a guess from their last words (`text/cut`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import AlignedTexts, align_texts
from harness.panel.topics import Column
from harness.types import Finding, Floats, Mean


@dataclass(frozen=True)
class Truncation(AbstractMetric):
    """Share of a model's replies that were cut."""

    unit = "share of replies"
    better = "none"
    looks_at = Looks((View.REPLIES,))
    explanation = (
        "Share of a model's replies that end before they are complete: at the limit of tokens, or inside of what it "
        "thought aloud. Where answers were recorded without saying how they ended it is a guess from their last "
        "words; that takes 0.5 to 2 % of the replies of six models to AlpacaEval for cut, nearly all complete: "
        "truncation/guessed is the share that is guessed. A prompt on which student, teacher or base is cut leaves "
        "length, rhythm and closings of that comparison; a cut answer may have been right had it been longer."
    )
    leaderboard = (Column(7, "Cut", "share of replies", alone=True),)

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The share, and what of it is a guess."""
        aligned = align_texts(panels[0].only("student"))
        endings = [r.ending for r in aligned["student"].replies]
        short, guessed = (
            np.array([e in kinds for e in endings], dtype=np.float64)
            for kinds in (("cut", "looks cut"), ("looks cut",))
        )
        return [Finding(_mean(short, aligned)), Finding(_mean(guessed, aligned), "guessed")]


def _mean(values: Floats, aligned: AlignedTexts) -> Mean:
    return Mean(values, aligned.ids, aligned.clusters)
