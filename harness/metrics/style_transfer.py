"""Headline: how far the student's way of writing went from the base (0) to the teacher (1).

r = U(s - b, t - b) / U(t - b, t - b), the projection of the student's way from the base on the teacher's. U(x, y) is
the mean inner product of two models' points at *different* prompts (`stats/pairs`), in a metric made from models that
the teacher did not teach (`stats/population`), over words, format, openings and closings (`text/families`). So it is
linear: a student that takes the teacher's replies on a share of the prompts is that share of the way; and above 1 it
went past the teacher.

Parts: the families alone; e = U(s - u, t - b) / U(t - u, t - b) with u the mean of the unrelated models
(`beyond_unrelated`); q = U(s - b, s - b) / U(t - b, t - b) - r^2, what it did in other directions (`own_style`); the
cosine r / sqrt(r^2 + q) (`angle`); r of the unrelated models (`unrelated`); r for every category of prompt
(`category/NAME`); r of the closings alone, which are told from prompts on which nobody's reply is cut (`closings`).

`part: trace` says the same of what the models think aloud before their answers, on prompts on which all of them do.

Source: Hoeffding 1948 (U-statistics); interval: Fieller 1954 with the variance of two U-statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.prompts import CATEGORY, by_category
from harness.panel.styles import Frame, Ground, Moved, Span, ground, moved
from harness.panel.texts import Part
from harness.panel.topics import Column, Topic
from harness.stats.intervals import ALIKE, beside
from harness.stats.means import t_interval
from harness.stats.pairs import (
    Float32s,
    Product,
    Units,
    by_prompt,
    by_unit,
    product,
    surplus,
    total,
)
from harness.stats.population import FEWEST_LINEAGES
from harness.text.families import CLOSINGS, FAMILIES
from harness.types import (
    Better,
    Finding,
    Given,
    Mean,
    Ratio,
    RatioStratum,
    Unavailable,
)


@dataclass(frozen=True)
class StyleTransfer(AbstractMetric):
    """How far the student's style went from base to teacher, and how far beyond what unrelated models do."""

    # words; a teacher's shorter reply drops the prompt, anybody else's counts as the base's
    shortest: int = 3
    # what is looked at: the answers, or what is thought aloud before them
    part: Part = "answer"

    unit: ClassVar[str] = "gap recovered"
    better: ClassVar[Better] = "higher"
    looks_at: ClassVar[Looks] = Looks(
        (View.STYLE,), needs=("teacher", "base"), also=("second", "population")
    )
    across_tasks: ClassVar[bool] = True
    explanation: ClassVar[str] = (
        "How far the way of writing went from the base (0) to the teacher (1): words, format, openings and closings; "
        "length has a column of its own. A share of the teacher's replies taken over reads as that share, overdoing "
        "its habits reads above 1. How far, not because of whom: unrelated is the mean of lineages that this teacher "
        "did not teach, give or take one sd. beyond_unrelated has 0 at that mean, 1 at the teacher (for these "
        "lineages). own_style: what the student did in other directions, in squared gaps, 0 = nothing; angle: cosine "
        "of its way and the teacher's. Replies under the gate count as the base's; above half of them "
        "(short_replies) the number says little. category/...: one kind of prompt. closings: these alone, "
        "without prompts on which a reply is cut; where one in five is, no number has them."
    )
    leaderboard: ClassVar = (Column(2, "Style", "of the gap", from_base=True),)
    topics: ClassVar = {
        "style": ("",),
        "unrelated_style": ("unrelated",),
        "short_replies": ("short_replies",),
    }

    def on_page(self) -> tuple[tuple[Column, ...], Mapping[Topic, tuple[str, ...]]]:
        """Style of traces has a column of its own, and says nothing of the style of answers."""
        if self.part == "trace":
            return (Column(3, "Trace style", "of the gap", from_base=True),), {}
        return self.leaderboard, self.topics

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The way, its families and categories, what is beyond unrelated models, and what else there is."""
        panels = sorted(panels, key=lambda p: p.task)
        grounded = ground(panels, self.shortest, self.part)
        student = moved(panels, grounded, self.shortest, self.part)
        frame, unit = student.frame(), panels[0].gap_unit
        way = _way(student.points, frame)
        gaps = {
            "": way.ratio(),
            **{name: way.ratio(name) for name in FAMILIES},
            "closings": _closings(student),
            **_by_category(student, panels),
        }
        own = frame.span.prompts
        short = Mean(student.short.astype(np.float64), own.ids, own.clusters)
        crowd = _unrelated(grounded, panels[0].student.lineage, closings=not student.cut)
        return [
            *(Finding(statistic, name, unit=unit) for name, statistic in gaps.items()),
            Finding(
                way.beyond(len(grounded.crowd.names)), "beyond_unrelated", unit="beyond unrelated"
            ),
            *way.other_directions(),
            Finding(crowd, "unrelated", unit="mean and sd of lineages", better="none"),
            Finding(short, "short_replies", unit="share of replies", better="none"),
        ]


@dataclass(frozen=True, eq=False)
class _Way:
    """Products of the student's way and the teacher's."""

    units: Units  # s - b
    frame: Frame

    @cached_property
    def parts(self) -> dict[str, Product]:
        """Family -> U(s - b, t - b)."""
        gap = self.frame.gap
        return {n: product(self.units.columns(own), gap[n]) for n, own in FAMILIES.items()}

    @cached_property
    def whole(self) -> Product:
        """The same of all families."""
        return total(self.parts)

    @cached_property
    def far(self) -> Product:
        """U(s - b, s - b)."""
        return product(self.units, self.units, kernel=False)

    def ratio(self, family: str = "") -> Ratio:
        """r, of all families or of one."""
        if family:
            return _ratio(self.parts[family], self.frame.squared[family], self.frame.span)
        return _ratio(self.whole, self.frame.whole, self.frame.span)

    def beyond(self, lineages: int) -> Ratio | str:
        """e = U(s - u, t - b) / U(t - u, t - b)."""
        centre = self.frame.centre
        if centre is None:
            return _few(lineages)
        return _ratio(self.whole.minus(centre), self.frame.whole.minus(centre), self.frame.span)

    def other_directions(self) -> list[Finding]:
        """own_style and angle, or the reason why the way itself has no number."""
        made = beside(self.ratio())
        own, angle = (made, made) if isinstance(made, str) else (self.own_style(), self.angle())
        return [
            Finding(own, "own_style", unit="squared gaps", better="none"),
            Finding(angle, "angle", unit="cosine"),
        ]

    def own_style(self) -> Given:
        """q = U(s - b, s - b) / D - r^2, D = U(t - b, t - b)."""
        gap, way, far = self.frame.whole.value, self.whole.value, self.far.value
        ratio = way / gap
        slopes = (1 / gap, -2 * ratio / gap, (2 * ratio**2 - far / gap) / gap)
        return self._linear(far / gap - ratio**2, slopes)

    def angle(self) -> Given | str:
        """r / sqrt(r^2 + q), a q below 0 counting as 0; in [-1, 1]."""
        gap, way, far = self.frame.whole.value, self.whole.value, self.far.value
        if way == 0:
            return "the student went no way at all: there is no angle"
        if far * gap <= way**2:
            n = len(self.frame.span.codes)
            return Given(
                float(np.sign(way)), None, None, n, note="no style of its own beyond noise"
            )
        value = way / (far * gap) ** 0.5
        made = self._linear(value, (-value / 2 / far, value / way, -value / 2 / gap))
        if made.low is None or made.high is None:
            return made
        return Given(value, max(made.low, -1.0), min(made.high, 1.0), made.n)

    def _linear(self, value: float, slopes: Sequence[float]) -> Given:
        """A smooth function of far, whole and squared with its interval, from its slopes in them."""
        parts = zip(slopes, (self.far, self.whole, self.frame.whole), strict=True)
        around = np.sum([k * (p.values - p.value) for k, p in parts], axis=0)
        values = value + by_prompt(around, self.frame.span.codes)
        if np.ptp(values) <= 1e-9 * (1 + abs(value)):
            return Given(value, None, None, len(values), note=ALIKE)
        made = t_interval(values, self.frame.span.codes)
        return Given(value, made.low, made.high, made.n)


def _way(points: Float32s, frame: Frame) -> _Way:
    """Products on the prompts of a frame. Raises Unavailable where teacher and base write alike."""
    if not any(gap.points.any() for gap in frame.gap.values()):
        raise Unavailable("teacher and base write alike on every prompt: there is no gap in style")
    return _Way(frame.units(points), frame)


def _ratio(top: Product, bottom: Product, span: Span) -> Ratio:
    """U over U, with the covariance that the values count too much."""
    above, below = (by_prompt(p.values, span.codes) for p in (top, bottom))
    own, extra = span.prompts, surplus([top, bottom])
    return Ratio((RatioStratum(above, below, own.ids, own.clusters, extra),))


def _few(lineages: int) -> str:
    what = "lineages of controls that are unrelated to teacher, base and students"
    return reasons.few(lineages, what, FEWEST_LINEAGES)


def _unrelated(grounded: Ground, lineage: str, *, closings: bool) -> Given | str:
    """Mean and standard deviation of the ways of unrelated lineages but this one."""
    ways = [r for name, r in grounded.readings(closings).items() if name != lineage]
    if not ways:
        return _few(len(grounded.crowd.names))
    mean, sd = float(np.mean(ways)), float(np.std(ways, ddof=1))
    return Given(mean, mean - sd, mean + sd, len(ways), "models")


def _closings(student: Moved) -> Ratio | str:
    """The way of the closings alone, on prompts on which nobody's reply is cut, or the reason why there is none."""
    if student.cut:
        return student.cut
    try:
        span = Span.of(student.axis, [student.rows[i] for i in student.whole])
    except Unavailable as error:
        return str(error)
    ways = (student.points[list(student.whole), CLOSINGS], span.gap[:, CLOSINGS])
    own, gap = (by_unit(way, span.codes) for way in ways)
    if not gap.points.any():
        return "teacher and base close all replies alike"
    return _ratio(product(own, gap), product(gap, gap), span)


def _by_category(student: Moved, panels: Sequence[Panel]) -> dict[str, Ratio | str]:
    """category/NAME -> the way on its prompts; empty where fewer than two categories have enough prompts."""
    prompts = student.axis.prompts.prompts
    needed = max(2, *(p.minimum for p in panels))
    places = by_category([prompts[row] for row in student.rows], needed)
    return {f"{CATEGORY}{name}": _on(student, at, needed) for name, at in places.items()}


def _on(student: Moved, at: Sequence[int], needed: int) -> Ratio | str:
    """The way on some of the student's prompts, or the reason why it has no number."""
    try:
        reasons.require(len(at), needed, "prompts of this kind")
        whole = set(student.whole)
        places = tuple(k for k, i in enumerate(at) if i in whole)
        span = student.axis.span(tuple(student.rows[i] for i in at))
        frame = Frame(span, places if len(places) >= needed else ())
        return _way(student.points[list(at)], frame).ratio()
    except Unavailable as error:
        return str(error)
