"""Length of replies: the trivial explanation that every other measure of style has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._style import GAP_UNIT, reply_words, teacher_samples
from harness.panel.align import AlignedTexts, align_texts
from harness.panel.panel import Sides
from harness.types import Better, Floats, Found, Ints, Mean, Ratio, RatioStratum


def log_words(n_words: Ints) -> Floats:
    """log(1 + words), the scale on which a reply twice as long is as far from one as one half as long."""
    return np.log1p(n_words.astype(np.float64))


def length_gap(student: Ints, teacher: Sequence[Ints], base: Ints) -> tuple[Floats, Floats]:
    """Numerator and denominator (P,) of the gap recovered in log length, from words (P,); teacher: one or two "
    "samples."""
    far = log_words(base)
    return log_words(student) - far, np.mean([log_words(t) for t in teacher], axis=0) - far


@dataclass(frozen=True)
class Length(AbstractMetric):
    """Words per reply, and how much of the teacher's length the student took over."""

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "none"
    needs: ClassVar[frozenset[str]] = frozenset({"style"})
    of: ClassVar[Literal["model", "pair", "both"]] = "both"
    explanation: ClassVar[str] = (
        "How far the student's length of reply went from the base's (0) to the teacher's (1), as a mean of log(1 + "
        "words) over prompts; length/words is the mean number of words. Length is the cheapest part of a style and "
        "follows from a token limit or a single line in the prompt: read other measures of style beside it. In "
        "scripts without spaces a character counts as a word."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The gap in length of a pair, and the model's own mean number of words."""
        one = sides[0]
        alone = align_texts([one.student], one.minimum)
        words = _mean(reply_words(alone.texts[0]).astype(np.float64), alone)
        own = Found("words", "", words, "words", "none")
        if one.teacher is None:
            return [own]
        unit = GAP_UNIT[one.base_kind]
        if one.base is None:
            return [Found("", "", "this pair names no base", unit), own]
        everyone = align_texts([one.student, one.base, *teacher_samples(one)], one.minimum)
        student, base, *taught = (reply_words(t) for t in everyone.texts)
        gap = RatioStratum(*length_gap(student, taught, base), everyone.ids, everyone.clusters)
        return [Found("", "", Ratio((gap,)), unit), own]


def _mean(values: Floats, aligned: AlignedTexts) -> Mean:
    return Mean(values, aligned.ids, aligned.clusters)
