"""Style that came across, by kind of prompt: the headline's families, summed within each category of one task.

The spaces in which replies are compared are made from all prompts, the directions and the sums within a category.
Source: style_transfer, of which this is the breakdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from harness.align import align_texts
from harness.metrics._style import GAP_UNIT, gated, reply_words, required, teacher_samples
from harness.metrics.style_transfer import N_BLOCKS, Gap, combined, distances
from harness.plugins import AbstractMetric
from harness.stats.resample import blocks
from harness.textstyle import read
from harness.textstyle_families import FAMILIES, differences
from harness.types import (
    Better,
    Floats,
    Found,
    Ints,
    Prompt,
    Ratio,
    RatioStratum,
    Sides,
    Unavailable,
)

_NO_CATEGORY = "other"


class _Replies(NamedTuple):
    """Differences from the teacher, family by family, on the prompts that count."""

    prompts: tuple[Prompt, ...]  # (P,)
    base: tuple[Floats, ...]  # per family (P, D)
    student: tuple[Floats, ...]  # per family (P, D')
    long: Floats  # (P,) 1 = the student's reply is long enough to be looked at


@dataclass(frozen=True)
class StyleByCategory(AbstractMetric):
    """The style headline for every kind of prompt of one task."""

    # words; a teacher's shorter reply drops the prompt, a student's counts as the base's level
    shortest: int = 3

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "base", "style"})
    explanation: ClassVar[str] = (
        "Style that came across (0 = base, 1 = teacher; format, length and rhythm, common words, openings and "
        "closings) for each kind of prompt that the task names. The row of the whole task sums over the kinds with "
        "every kind weighing the same, where the headline lets every prompt weigh the same: they differ where a "
        "style came across for the common kind only. Kinds with too few prompts, or on which teacher and base write "
        "alike, have a reason instead. Intervals are wide: compare kinds only where they do not overlap, and with "
        "the controls."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """One number per category, and their sum with equal weights."""
        one = sides[0]
        replies = self._replies(one)
        names = sorted({_category(p) for p in replies.prompts})
        if names == [_NO_CATEGORY]:
            raise Unavailable("this task names no kinds of prompts")
        unit = GAP_UNIT[one.base_kind]
        found, strata = [], []
        for name in names:
            rows = np.flatnonzero([_category(p) == name for p in replies.prompts])
            stratum = _stratum(replies, rows, one.minimum)
            if isinstance(stratum, RatioStratum):
                strata.append(stratum)
            found.append(
                Found(
                    "",
                    name,
                    Ratio((stratum,)) if isinstance(stratum, RatioStratum) else stratum,
                    unit,
                )
            )
        whole = (
            Ratio(tuple(strata))
            if strata
            else f"no kind of prompt has {one.minimum} prompts or more"
        )
        return [Found("", "", whole, unit), *found]

    def _replies(self, one: Sides) -> _Replies:
        everyone = align_texts(
            [one.student, required(one.base, "base"), *teacher_samples(one)], one.minimum
        )
        rows = gated(everyone, self.shortest, one.minimum)
        student, base, *taught = (read(t) for t in everyone.texts)
        return _Replies(
            tuple(everyone.prompts[i] for i in rows),
            tuple(differences(family, base, taught, rows) for family in FAMILIES),
            tuple(differences(family, student, taught, rows) for family in FAMILIES),
            (reply_words(everyone.texts[0])[rows] >= self.shortest).astype(np.float64),
        )


def _stratum(replies: _Replies, rows: Ints, minimum: int) -> RatioStratum | str:
    """Numerator and denominator of one category, or the reason why there is no number."""
    prompts = [replies.prompts[i] for i in rows]
    if len(prompts) < max(minimum, 2):
        return f"{len(prompts)} prompts of this kind; at least {max(minimum, 2)} are needed"
    block = blocks([p.cluster for p in prompts], N_BLOCKS, 0)
    if int(block.max()) < 1:
        return "all prompts of this kind belong to one cluster: no independent units to make an interval from"
    long = replies.long[rows] > 0
    gaps = []
    for base, student in zip(replies.base, replies.student, strict=True):
        far = distances(base[rows], block)
        closer = np.zeros_like(far)
        if long.any():
            closer[long] = far[long] - distances(student[rows][long], block[long])
        gaps.append(Gap(closer, far))
    try:
        gap = combined(gaps)
    except Unavailable as error:
        return str(error)
    return RatioStratum(
        gap.numerator,
        gap.denominator,
        tuple(p.id for p in prompts),
        tuple(p.cluster for p in prompts),
    )


def _category(prompt: Prompt) -> str:
    """The prompt's category as it may stand in the name of a score."""
    return " ".join(prompt.category.replace("/", " ").replace("+", " ").split()) or _NO_CATEGORY
