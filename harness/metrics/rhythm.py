"""Sentence and paragraph rhythm: how far two models' sentence lengths and numbers of paragraphs are apart.

distance(x, t) = sum over k of |F_x(k) - F_t(k)|, the 1-Wasserstein distance, where F(k) is the mean over replies of
the share of a reply's sentences with at most k words (every reply weighs the same). The sign of each term is taken
from the other blocks of prompts, so that the distance is 0 on average for two samples of one model and a mean over
prompts. Source: Vallender 1974 for the distance on a line; Kim and Ramdas 2020 for taking the direction from other
prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from harness.align import AlignedTexts, align_texts
from harness.metrics._beside import beside
from harness.metrics._style import GAP_UNIT, gated, reply_words, required, teacher_samples
from harness.plugins import AbstractMetric
from harness.stats.resample import blocks
from harness.textstyle import paragraphs, read
from harness.types import Better, Floats, Found, Ints, Mean, Ratio, RatioStratum, Sides, Unavailable

N_BLOCKS = 20
LONGEST_SENTENCE = 60  # words; longer ones count as this long
MOST_PARAGRAPHS = 30


@lru_cache(maxsize=160)
def sentence_steps(texts: tuple[str, ...]) -> Floats:
    """Share (P, 60) of a reply's sentences with at most 0, 1, 2 ... words; 1 everywhere where there is no sentence."""
    counts = read(texts)
    row = np.repeat(np.arange(len(texts)), counts.sentences)
    cell = row * (LONGEST_SENTENCE + 1) + np.minimum(counts.sentence_words, LONGEST_SENTENCE)
    held = np.bincount(cell, minlength=len(texts) * (LONGEST_SENTENCE + 1)).reshape(len(texts), -1)
    at_most = np.cumsum(held, axis=1)[:, :-1] / np.maximum(counts.sentences, 1)[:, None]
    return np.where(counts.sentences[:, None] > 0, at_most, 1.0)


@lru_cache(maxsize=160)
def paragraph_steps(texts: tuple[str, ...]) -> Floats:
    """1 where a reply has at most 0, 1, 2 ... paragraphs (P, 30)."""
    counts = np.array([len(paragraphs(t)) for t in texts])
    return (counts[:, None] <= np.arange(MOST_PARAGRAPHS)).astype(np.float64)


def signed_distances(delta: Floats, block: Ints) -> Floats:
    """Values (P,) whose mean is the sum over k of |mean of delta (P, K)|, each sign from the other blocks (P,)."""
    sums = np.eye(int(block.max()) + 1)[block].T @ delta
    signs = np.sign(sums.sum(axis=0) - sums)
    signs[np.abs(sums.sum(axis=0) - sums) < 1e-9] = 0  # what rounding leaves of 0
    return np.asarray((delta * signs[block]).sum(axis=1))


Steps = Callable[[tuple[str, ...]], Floats]
_PARTS: dict[str, tuple[Steps, str]] = {
    "sentences": (sentence_steps, "words per sentence"),
    "paragraphs": (paragraph_steps, "paragraphs per reply"),
}


@dataclass(frozen=True)
class Rhythm(AbstractMetric):
    """How far the student's sentence lengths and paragraphs went from the base's to the teacher's."""

    # words; a teacher's shorter reply drops the prompt, a student's counts as the base's level
    shortest: int = 3

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "base", "style"})
    explanation: ClassVar[str] = (
        "Sentence rhythm (how long sentences are) and paragraphs (how many a reply has): how far the student's "
        "distribution went from the base's (0) to the teacher's (1). distance/... says how far student and teacher "
        "are apart in words per sentence, or in paragraphs, and base_distance/... the same for the base: where that "
        "is small there was little to take over. Every reply weighs the same, sentences are cut at 60 words. Says "
        "nothing about layout marks or words; a chatty model of any origin may share a rhythm, so compare with "
        "controls."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """Gap recovered for sentences and paragraphs, and the distances behind it."""
        one = sides[0]
        everyone = align_texts(
            [one.student, required(one.base, "base"), *teacher_samples(one)], one.minimum
        )
        rows = gated(everyone, self.shortest, one.minimum)
        kept = AlignedTexts(tuple(everyone.prompts[i] for i in rows), ())
        block = blocks(kept.clusters, N_BLOCKS, 0)
        if int(block.max()) < 1:
            raise Unavailable(
                "all prompts belong to one cluster: no independent units to make an interval from"
            )
        long = reply_words(everyone.texts[0])[rows] >= self.shortest
        found = []
        for name, (steps, unit) in _PARTS.items():
            student, base, *taught = (steps(t)[rows] for t in everyone.texts)
            teacher = np.mean(taught, axis=0)
            far = signed_distances(base - teacher, block)
            near = far.copy()
            if long.any():
                near[long] = signed_distances((student - teacher)[long], block[long])
            gap = Ratio((RatioStratum(far - near, far, kept.ids, kept.clusters),))
            found.append(Found(name, "", gap, GAP_UNIT[one.base_kind]))
            for part, values in (("distance", near), ("base_distance", far)):
                mean = beside(Mean(values, kept.ids, kept.clusters))
                found.append(
                    Found(
                        f"{part}/{name}", "", mean, unit, "lower" if part == "distance" else "none"
                    )
                )
        return found
