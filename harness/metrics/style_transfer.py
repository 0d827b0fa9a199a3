"""Headline: style that came across, over all open-ended tasks of the matrix.

sum_f N_f / sd_f over sum_f D_f / sd_f, f = format, length and rhythm, words, openings and closings; N_f and D_f are
numerator and denominator of a style gap recovered, (sim(s, t) - sim(b, t)) / (sim(t, t) - sim(b, t)), with sim =
-distance.

distance(x, t) is the length of the mean difference between x's and t's replies in the space of the family, measured
along a direction estimated on the other half of the prompts: so it is 0 on average for two samples of one model,
without a second sample, a mean over prompts, and linear: a student that takes the teacher's way in a share of its
replies is that share nearer. A similarity of single replies would not do: it is *lower* between two samples of a
teacher of many forms than between that teacher and a base of one form, and projecting on the line from base to teacher
gives half credit to any third style.

Parts: every family alone, and the sum over families for every category of prompt (category/NAME).
Source: cross-fitted direction as in Kim and Ramdas 2020, Dimension-agnostic inference using cross
U-statistics, and Shekhar, Kim and Ramdas 2022, A permutation-free kernel two-sample test; combined ratio: Cochran
1977; interval: Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.prompts import Prompts
from harness.panel.texts import align_texts, long_enough
from harness.panel.topics import Column
from harness.stats.resample import blocks
from harness.text.families import FAMILIES, differences
from harness.text.segment import Reading
from harness.types import (
    Better,
    Finding,
    Floats,
    Ints,
    Mean,
    Prompt,
    Ratio,
    RatioStratum,
    Statistic,
    Unavailable,
)

N_BLOCKS = 20
_NO_CATEGORY = "other"
Flags = NDArray[np.bool_]


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


class _Replies(NamedTuple):
    """One task's replies on the P prompts that pass the length gate."""

    prompts: Prompts
    rows: Ints  # (P,) indices of these prompts in the readings
    long: Flags  # (P,) whether the student's reply passes the gate as well
    student: Reading
    base: Reading
    teacher: tuple[Reading, ...]  # one or two samples
    minimum: int  # prompts that a category needs

    def gaps(self) -> tuple[Gap, ...]:
        """The gap of every family. Raises Unavailable where all prompts belong to one cluster."""
        base = self._apart(self.base, self.rows)
        rows = self.rows[self.long]
        student = self._apart(self.student, rows) if len(rows) else [b[:0] for b in base]
        return _gaps(base, student, self.long, _blocks(self.prompts.clusters, "all prompts"))

    def categories(self) -> dict[str, RatioStratum | str]:
        """Category -> its own headline, or the reason why it has none.

        Empty where fewer than two categories have enough prompts. The spaces are made from all
        prompts, the directions and the sums from those of the category.
        """
        places: dict[str, list[int]] = {}
        for i, prompt in enumerate(self.prompts.prompts):
            places.setdefault(_category(prompt), []).append(i)
        if sum(len(at) >= max(self.minimum, 2) for at in places.values()) < 2:
            return {}
        base, student = (self._apart(r, self.rows) for r in (self.base, self.student))
        strata: dict[str, RatioStratum | str] = {}
        for name, at in places.items():
            try:
                strata[name] = self._category(np.array(at), base, student)
            except Unavailable as error:
                strata[name] = str(error)
        return strata

    def _category(
        self, at: Ints, base: Sequence[Floats], student: Sequence[Floats]
    ) -> RatioStratum:
        reasons.require(len(at), max(self.minimum, 2), "prompts of this kind")
        kept = Prompts(tuple(self.prompts.prompts[i] for i in at))
        block, long = _blocks(kept.clusters, "all prompts of this kind"), self.long[at]
        gaps = _gaps([b[at] for b in base], [s[at][long] for s in student], long, block)
        return _stratum(kept, combined(gaps))

    def _apart(self, own: Reading, rows: Ints) -> list[Floats]:
        """Differences (rows, D) of a model's replies from the teacher's, one array per family."""
        return [differences(family, own, self.teacher, rows) for family in FAMILIES]


def _gaps(
    base: Sequence[Floats], student: Sequence[Floats], long: Flags, block: Ints
) -> tuple[Gap, ...]:
    """Gaps from differences: the base's (P, D), the student's (long replies, D'), per family."""
    gaps = []
    for of_base, of_student in zip(base, student, strict=True):
        far = distances(of_base, block)
        near = far.copy()  # a short reply counts as the base's level
        if long.any():
            near[long] = distances(of_student, block[long])
        gaps.append(Gap(far - near, far))
    return tuple(gaps)


def _blocks(clusters: Sequence[str], which: str) -> Ints:
    """Blocks (P,) of prompts, for `distances`."""
    block = blocks(clusters, N_BLOCKS, 0)
    if int(block.max()) < 1:
        raise Unavailable(
            f"{which} belong to one cluster: no independent units to make an interval from"
        )
    return block


@dataclass(frozen=True)
class StyleTransfer(AbstractMetric):
    """One number for how much of the teacher's style, beyond the base's, the student has."""

    # words; a teacher's shorter reply drops the prompt, a student's counts as the base's level
    shortest: int = 3

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "higher"
    looks_at: ClassVar[Looks] = Looks((View.STYLE,), needs=("teacher", "base"), also=("second",))
    across_tasks: ClassVar[bool] = True
    explanation: ClassVar[str] = (
        "How far the student's way of writing went from the base (0) to the teacher (1): format, length and rhythm, "
        "choice of common words, openings and closings, each weighed by how clearly teacher and base differ in it, "
        "and summed before dividing. A style of its own, as far from the teacher as the base is, scores 0; below 0 "
        "it is further away. What is said does not count, only how. Compare with the controls: any well-kept "
        "assistant resembles another. Replies shorter than the gate count as the base's level; above half of them "
        "(short_replies) the number says little. category/... is the same for one kind of prompt, where the task "
        "names kinds: its interval is wide, so compare kinds only where intervals do not overlap."
    )
    leaderboard: ClassVar = (Column(2, "Style", "of the gap", from_base=True),)
    topics: ClassVar = {"style": ("",), "short_replies": ("short_replies",)}

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The headline, gaps recovered by family and category, and the share of short replies."""
        tasks = [self._replies(p) for p in sorted(panels, key=lambda p: p.task)]
        gaps = [t.gaps() for t in tasks]
        unit = panels[0].gap_unit
        parts: dict[str, Statistic | str] = {
            "": _summed(tasks, [combined(g) for g in gaps]),
            **{name: _summed(tasks, [g[k] for g in gaps]) for k, name in enumerate(FAMILIES)},
            **_by_category(tasks),
        }
        return [
            *(Finding(statistic, name, unit=unit) for name, statistic in parts.items()),
            Finding(_short(tasks), "short_replies", unit="share of replies", better="none"),
        ]

    def _replies(self, panel: Panel) -> _Replies:
        everyone = align_texts(panel)
        rows = long_enough(everyone, self.shortest, panel.minimum)
        student = everyone["student"].reading
        return _Replies(
            Prompts(tuple(everyone.prompts[i] for i in rows)),
            rows,
            student.n_words[rows] >= self.shortest,
            student,
            everyone["base"].reading,
            tuple(t.reading for t in everyone.taught),
            panel.minimum,
        )


def _category(prompt: Prompt) -> str:
    """The prompt's category, in a form that can be part of a score's name."""
    return " ".join(prompt.category.replace("/", " ").replace("+", " ").split()) or _NO_CATEGORY


def _by_category(tasks: Sequence[_Replies]) -> dict[str, Ratio | str]:
    """category/NAME -> the tasks that have it summed, or the reason why none of them has a number."""
    strata: dict[str, list[RatioStratum | str]] = {}
    for task in tasks:
        for name, stratum in task.categories().items():
            strata.setdefault(name, []).append(stratum)
    return {f"category/{name}": _sum_of(strata[name]) for name in sorted(strata)}


def _sum_of(strata: Sequence[RatioStratum | str]) -> Ratio | str:
    """The strata summed, or the reasons where there is nothing else."""
    valued = tuple(s for s in strata if isinstance(s, RatioStratum))
    reasons = dict.fromkeys(s for s in strata if isinstance(s, str))
    return Ratio(valued) if valued else "; ".join(reasons)


def _summed(tasks: Sequence[_Replies], gaps: Sequence[Gap]) -> Ratio:
    return Ratio(tuple(_stratum(t.prompts, g) for t, g in zip(tasks, gaps, strict=True)))


def _stratum(aligned: Prompts, gap: Gap) -> RatioStratum:
    return RatioStratum(gap.numerator, gap.denominator, aligned.ids, aligned.clusters)


def _short(tasks: Sequence[_Replies]) -> Mean:
    ids = [i for t in tasks for i in t.prompts.ids]
    clusters = [c for t in tasks for c in t.prompts.clusters]
    short = np.concatenate([~t.long for t in tasks]).astype(np.float64)
    return Mean(short, tuple(ids), tuple(clusters))
