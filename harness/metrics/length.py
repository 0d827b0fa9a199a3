"""Length and rhythm of replies: the trivial explanation that every other measure of style has to beat.

Length is a gap recovered in the mean of log(1 + words). Rhythm is the projection of the student's way on the teacher's,
as in style_transfer, over the logarithms of words per sentence, of their spread, and of words per paragraph, each over
its variance within replies. Prompts on which anybody's reply is cut are left out: their length is the limit's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import AlignedTexts, align_texts, whole_rows
from harness.panel.topics import Column
from harness.stats.means import cluster_codes
from harness.stats.pairs import Float32s, by_prompt, by_unit, product, surplus
from harness.stats.population import pair_spread
from harness.text.segment import LAYOUT, Reading
from harness.types import (
    Finding,
    Floats,
    Ints,
    Mean,
    Ratio,
    RatioStratum,
    Statistic,
    Unavailable,
)


def log_words(n_words: Ints) -> Floats:
    """log(1 + words), the scale on which a reply twice as long is as far from one as one half as long."""
    return np.log1p(n_words.astype(np.float64))


def length_gap(student: Ints, teacher: Sequence[Ints], base: Ints) -> tuple[Floats, Floats]:
    """Numerator and denominator (P,) of the gap recovered in log length, from words (P,); teacher: its samples."""
    far = log_words(base)
    return log_words(student) - far, np.mean([log_words(t) for t in teacher], axis=0) - far


def rhythm_points(texts: Reading) -> Float32s:
    """Logarithms of words per sentence, of their spread, and of words per paragraph, (P, 3)."""
    words = texts.n_words.astype(np.float64)
    blocks = texts.layout[:, LAYOUT.index("paragraphs")]
    columns = (
        words / np.maximum(texts.sentences, 1),
        texts.sentence_spread,
        words / np.maximum(blocks, 1),
    )
    return np.log1p(np.stack(columns, axis=1)).astype(np.float32)


def rhythm_gap(everyone: AlignedTexts, rows: Ints) -> Ratio | str:
    """How far the student's rhythm went on the way from base to teacher, or the reason why there is no number.

    rows: (R,) of the prompts.
    """
    base = rhythm_points(everyone["base"].reading)[rows]
    teacher = np.mean([rhythm_points(t.reading) for t in everyone.taught], axis=0)[rows]
    student = rhythm_points(everyone["student"].reading)[rows]
    some = everyone.some(rows)
    codes = cluster_codes(some.clusters, len(base))
    if codes.max(initial=0) < 1:
        return "all prompts belong to one cluster: no independent units to make an interval from"
    spread = pair_spread(teacher - base)
    if not spread.any():
        return "teacher and base have the same rhythm on every prompt"
    roots = np.divide(1, np.sqrt(spread), out=np.zeros_like(spread), where=spread > 0)
    moved, gap = (
        by_unit(((x - base) * roots).astype(np.float32), codes) for x in (student, teacher)
    )
    parts = [product(moved, gap), product(gap, gap)]
    above, below = (by_prompt(p.values, codes) for p in parts)
    stratum = RatioStratum(above, below, some.ids, some.clusters, surplus(parts))
    return Ratio((stratum,))


@dataclass(frozen=True)
class Length(AbstractMetric):
    """Words per reply, and how much of the teacher's length and rhythm the student took over."""

    unit = "gap recovered"
    better = "none"
    looks_at = Looks((View.STYLE,), also=("teacher", "base", "second"))
    explanation = (
        "How far the student's length of reply went from the base's (0) to the teacher's (1), as a mean of log(1 + "
        "words) over prompts; length/rhythm is the same for words per sentence, their spread and words per "
        "paragraph, and length/words the mean number of words. Length is the cheapest part of a style and follows "
        "from a token limit or a single line in the prompt: it is in no other measure of style, so read them beside "
        "it. Prompts with a cut reply are left out. In scripts without spaces a character counts as a word."
    )
    leaderboard = (
        Column(6, "Length", "of the gap", from_base=True),
        Column(6, "Rhythm", "of the gap", part="rhythm", from_base=True),
    )
    topics: ClassVar = {"length": ("",)}

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The gaps in length and rhythm of a pair, and the model's own mean number of words."""
        panel = panels[0]
        alone = align_texts(panel.only("student"))
        own = Finding(_words(alone, panel.minimum), "words", unit="words", better="none")
        if panel.get("teacher") is None:
            return [own]
        gaps: dict[str, Statistic | str] = {"": reasons.NO_BASE, "rhythm": reasons.NO_BASE}
        if panel.get("base") is not None:
            gaps = _gaps(align_texts(panel), panel.minimum)
        unit = panel.gap_unit
        return [*(Finding(gap, name, unit=unit) for name, gap in gaps.items()), own]


def _gaps(everyone: AlignedTexts, minimum: int) -> dict[str, Statistic | str]:
    """The gaps in length and rhythm on prompts on which no reply is cut, or the reason why there are none."""
    try:
        rows = whole_rows(tuple(everyone.core.values()), minimum)
    except Unavailable as error:
        return dict.fromkeys(("", "rhythm"), str(error))
    return {"": _length(everyone, rows), "rhythm": rhythm_gap(everyone, rows)}


def _length(everyone: AlignedTexts, rows: Ints) -> Ratio:
    taught = [t.n_words[rows] for t in everyone.taught]
    gaps = length_gap(everyone["student"].n_words[rows], taught, everyone["base"].n_words[rows])
    some = everyone.some(rows)
    return Ratio((RatioStratum(*gaps, some.ids, some.clusters),))


def _words(alone: AlignedTexts, minimum: int) -> Mean | str:
    """Mean number of words of the student's whole replies, or the reason why there is none."""
    try:
        rows = whole_rows((alone["student"],), minimum)
    except Unavailable as error:
        return str(error)
    some = alone.some(rows)
    return Mean(alone["student"].n_words[rows].astype(np.float64), some.ids, some.clusters)
