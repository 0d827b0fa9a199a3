"""Headline: style that came across, over all open-ended tasks of the matrix.

sum_f N_f / sd_f over sum_f D_f / sd_f, f = format, length and rhythm, words, openings and closings; N_f and D_f are
numerator and denominator of a style gap recovered, (sim(s, t) - sim(b, t)) / (sim(t, t) - sim(b, t)), with sim =
-distance.

distance(x, t) is the length of the mean difference between x's and t's replies in the space of the family, measured
along a direction that was found on the other half of the prompts: so it is 0 on average for two samples of one model,
without a second sample, a mean over prompts, and linear: a student that takes the teacher's way in a share of its
replies is that share nearer. A similarity of single replies would not do: it is *lower* between two samples of a
teacher of many forms than between that teacher and a base of one form, and projecting on the line from base to teacher
gives half marks to every third style.
Source: cross-fitted direction as in Kim and Ramdas 2020, Dimension-agnostic inference using cross
U-statistics, and Shekhar, Kim and Ramdas 2022, A permutation-free kernel two-sample test; combined ratio: Cochran
1977; interval: Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from harness.align import AlignedTexts, align_texts
from harness.metrics._style import GAP_UNIT, gated, reply_words, required, teacher_samples
from harness.plugins import AbstractMetric
from harness.stats.resample import blocks
from harness.textstyle import read
from harness.textstyle_families import FAMILIES, differences
from harness.types import Better, Floats, Found, Ints, Mean, Ratio, RatioStratum, Sides, Unavailable

N_BLOCKS = 20


class Gap(NamedTuple):
    """How far base and student are from the teacher, prompt by prompt."""

    numerator: Floats  # (P,) base's distance minus student's
    denominator: Floats  # (P,) base's distance


def distances(delta: Floats, block: Ints) -> Floats:
    """Values (P,) whose mean is the length of the mean of delta (P, D), 0 on average where that mean is 0.

    Halves h are the even and the odd blocks (P,), m_h their means, d_h the directions of these. The length is the mean
    of m_h . d_g over the two halves; a prompt's value is that plus its influence on it, which comes in two ways: by its
    own place along the other half's direction, and by turning the direction along which the other half is measured.
    Turning counts for at most what it would if the halves were equally long: a short mean has no direction to turn.
    """
    odd = block % 2 == 1
    halves = [half for half in (odd, ~odd) if half.any()]
    if len(halves) < 2:
        return np.zeros(len(delta))
    means = [delta[half].mean(axis=0) for half in halves]
    norms = [float(np.linalg.norm(m)) for m in means]
    directions = [m / norm if norm > 0 else m for m, norm in zip(means, norms, strict=True)]
    length = sum(
        half.sum() * (means[k] @ directions[1 - k]) for k, half in enumerate(halves)
    ) / len(delta)
    values = np.full(len(delta), float(length))
    for k, half in enumerate(halves):
        other = means[1 - k]
        turned = other - (other @ directions[k]) * directions[k]
        weight = (~half).sum() / half.sum() / max(*norms) if max(norms) > 0 else 0.0
        values[half] += (delta[half] - means[k]) @ (directions[1 - k] + weight * turned)
    return values


def combined(gaps: Sequence[Gap]) -> Gap:
    """Families summed, each over the standard deviation of its denominator over prompts.

    The deviation is taken as no smaller than the mean: a family in which teacher and base differ on every prompt
    alike would otherwise outweigh the others without bound. Families without any gap are left out.
    """
    scales = [max(float(g.denominator.std(ddof=1)), abs(float(g.denominator.mean()))) for g in gaps]
    kept = [(g, s) for g, s in zip(gaps, scales, strict=True) if s > 0]
    if not kept:
        raise Unavailable("teacher and base write alike on every prompt: there is no gap in style")
    top = np.sum([g.numerator / s for g, s in kept], axis=0)
    return Gap(top, np.sum([g.denominator / s for g, s in kept], axis=0))


class _Task(NamedTuple):
    """One task's texts, read: (prompts after the gate) and the gaps of every family."""

    aligned: AlignedTexts
    short: Floats  # (P,) 1 = the student's reply is under the length gate
    gaps: tuple[Gap, ...]  # one per family


@dataclass(frozen=True)
class StyleTransfer(AbstractMetric):
    """One number for all of the teacher's style that the student has and the base has not."""

    # words; a teacher's shorter reply drops the prompt, a student's counts as the base's level
    shortest: int = 3

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "base", "style"})
    across_tasks: ClassVar[bool] = True
    explanation: ClassVar[str] = (
        "How far the student's way of writing went from the base (0) to the teacher (1): format, length and rhythm, "
        "choice of common words, openings and closings, each weighed by how clearly teacher and base differ in it, "
        "and summed before dividing. A style of its own, as far from the teacher as the base is, scores 0; below 0 "
        "it is further away. What is said does not count, only how. Compare with the controls: any well-kept "
        "assistant resembles another. Replies shorter than the gate count as the base's level; above half of them "
        "(short_replies) the number says little."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The headline, each family's own gap recovered, and the share of short replies."""
        tasks = [self._task(s) for s in sorted(sides, key=lambda s: s.task)]
        unit = GAP_UNIT[sides[0].base_kind]
        whole = Ratio(tuple(_stratum(t.aligned, combined(t.gaps)) for t in tasks))
        parts = [
            Found(name, "", Ratio(tuple(_stratum(t.aligned, t.gaps[k]) for t in tasks)), unit)
            for k, name in enumerate(FAMILIES)
        ]
        return [
            Found("", "", whole, unit),
            *parts,
            Found("short_replies", "", _short(tasks), "share of replies", "none"),
        ]

    def _task(self, one: Sides) -> _Task:
        teachers = teacher_samples(one)
        everyone = align_texts([one.student, required(one.base, "base"), *teachers], one.minimum)
        rows = gated(everyone, self.shortest, one.minimum)
        student, base, *taught = (read(t) for t in everyone.texts)
        block = blocks([everyone.prompts[i].cluster for i in rows], N_BLOCKS, 0)
        if int(block.max()) < 1:
            raise Unavailable(
                "all prompts belong to one cluster: no independent units to make an interval from"
            )
        long = reply_words(everyone.texts[0])[rows] >= self.shortest
        gaps = []
        for family in FAMILIES:
            far = distances(differences(family, base, taught, rows), block)
            near = far.copy()  # a short reply counts as the base's level
            if long.any():
                near[long] = distances(
                    differences(family, student, taught, rows[long]), block[long]
                )
            gaps.append(Gap(far - near, far))
        kept = AlignedTexts(tuple(everyone.prompts[i] for i in rows), ())
        return _Task(kept, (~long).astype(np.float64), tuple(gaps))


def _stratum(aligned: AlignedTexts, gap: Gap) -> RatioStratum:
    return RatioStratum(gap.numerator, gap.denominator, aligned.ids, aligned.clusters)


def _short(tasks: Sequence[_Task]) -> Mean:
    ids = [i for t in tasks for i in t.aligned.ids]
    clusters = [c for t in tasks for c in t.aligned.clusters]
    return Mean(np.concatenate([t.short for t in tasks]), tuple(ids), tuple(clusters))
