"""Length of replies: the trivial explanation that every other measure of style has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import AlignedTexts, align_texts
from harness.types import Better, Finding, Floats, Ints, Mean, Ratio, RatioStratum


def log_words(n_words: Ints) -> Floats:
    """log(1 + words), the scale on which a reply twice as long is as far from one as one half as long."""
    return np.log1p(n_words.astype(np.float64))


def length_gap(student: Ints, teacher: Sequence[Ints], base: Ints) -> tuple[Floats, Floats]:
    """Numerator and denominator (P,) of the gap recovered in log length, from words (P,); teacher: its samples."""
    far = log_words(base)
    return log_words(student) - far, np.mean([log_words(t) for t in teacher], axis=0) - far


@dataclass(frozen=True)
class Length(AbstractMetric):
    """Words per reply, and how much of the teacher's length the student took over."""

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "none"
    looks_at: ClassVar[Looks] = Looks((View.STYLE,), also=("teacher", "base", "second"))
    explanation: ClassVar[str] = (
        "How far the student's length of reply went from the base's (0) to the teacher's (1), as a mean of log(1 + "
        "words) over prompts; length/words is the mean number of words. Length is the cheapest part of a style and "
        "follows from a token limit or a single line in the prompt: read other measures of style beside it. In "
        "scripts without spaces a character counts as a word."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The gap in length of a pair, and the model's own mean number of words."""
        panel = panels[0]
        alone = align_texts(panel.only("student"))
        words = _mean(alone["student"].n_words.astype(np.float64), alone)
        own = Finding(words, "words", unit="words", better="none")
        if panel.get("teacher") is None:
            return [own]
        unit = panel.gap_unit
        if panel.get("base") is None:
            return [Finding(reasons.NO_BASE, unit=unit), own]
        everyone = align_texts(panel)
        taught = [t.n_words for t in everyone.taught]
        gaps = length_gap(everyone["student"].n_words, taught, everyone["base"].n_words)
        gap = RatioStratum(*gaps, everyone.ids, everyone.clusters)
        return [Finding(Ratio((gap,)), unit=unit), own]


def _mean(values: Floats, aligned: AlignedTexts) -> Mean:
    return Mean(values, aligned.ids, aligned.clusters)
