"""Ways of writing as points: where base and teacher stand, and how far anybody went from the one to the other.

What teacher, base and the unrelated models give (`Ground`) is the same for all students of a teacher and base, so that
all of them are measured in one metric; a control in the student's place is left out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from harness.panel import reasons
from harness.panel.panel import Panel, Role
from harness.panel.prompts import Prompts
from harness.panel.side import once
from harness.panel.texts import AlignedTexts, Texts, align_texts, long_enough, replies, some_texts
from harness.stats.means import cluster_codes
from harness.stats.pairs import Float32s, Product, by_unit, cross, product, total
from harness.stats.population import Population, pair_spread, population
from harness.text.families import FAMILIES, WIDTH, points
from harness.types import Floats, Ints, Unavailable

# Variance between models over that within replies, as it is for the features of a family: seen on 24 models of other
# labs than the teacher's, 100 to 805 prompts in English.
LIKELY_SIGNAL = {"words": 0.005, "format": 0.2, "edges": 0.01}


class Frame(NamedTuple):
    """Some prompts with the way from base to teacher on them; units are the prompts' clusters."""

    prompts: Prompts
    codes: Ints  # (P,) units 0..G-1
    gap: Float32s  # (G, D) teacher minus base
    squared: dict[str, Product]  # family -> the gap with itself
    whole: Product  # the same of all families
    centre: Product | None  # mean unrelated model minus base, with the gap; None = too few lineages


@dataclass(frozen=True, eq=False)
class Axis:
    """The way from base to teacher in the metric of one population."""

    prompts: Prompts
    roots: Float32s  # (D,) square roots of the metric
    gap: Float32s  # (P, D) teacher minus base, in this metric
    centre: Float32s | None  # (P, D) mean unrelated model minus base; None = too few lineages
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @once
    def frame(self, rows: tuple[int, ...]) -> Frame:
        """The same on some of the prompts."""
        at, some = list(rows), Prompts(tuple(self.prompts.prompts[i] for i in rows))
        codes = cluster_codes(some.clusters, len(some.prompts))
        if codes.max(initial=0) < 1:
            raise Unavailable(
                "all prompts belong to one cluster: no independent units to make an interval from"
            )
        gap = by_unit(self.gap[at], codes)
        squared = {name: product(gap[:, own], gap[:, own]) for name, own in FAMILIES.items()}
        centre = None
        if self.centre is not None:
            centre = product(by_unit(self.centre[at], codes), gap)
        return Frame(some, codes, gap, squared, total(squared), centre)


@dataclass(frozen=True, eq=False)
class Ground:
    """Teacher, base and the models that the teacher did not teach, on the P prompts that all of them answered."""

    prompts: Prompts
    base: Float32s  # (P, D)
    gap: Float32s  # (P, D) teacher minus base
    crowd: Population
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @once
    def axis(self, lineage: str) -> Axis:
        """The way from base to teacher where this lineage of the population is left out; "" = none."""
        roots = np.sqrt(self._metric(lineage)).astype(np.float32)
        centre = (self.crowd.centre(lineage) - self.base) * roots if self.crowd.enough else None
        return Axis(self.prompts, roots, self.gap * roots, centre)

    @once
    def readings(self) -> dict[str, float]:
        """Lineage -> how far its models are on the way, itself left out of the metric; empty for too few lineages."""
        if not self.crowd.enough:
            return {}
        codes = cluster_codes(self.prompts.clusters, len(self.base))
        gap = by_unit(self.gap, codes)
        squared, start = cross(gap, gap), cross(by_unit(self.base, codes), gap)
        ways = {}
        for name, theirs in zip(self.crowd.names, self.crowd.points, strict=True):
            weights = self._metric(name)
            away = cross(by_unit(theirs, codes), gap) - start
            ways[name] = float(weights @ away / (weights @ squared))
        return ways

    @once
    def _metric(self, without: str) -> Floats:
        prior = np.empty(WIDTH)
        for name, columns in FAMILIES.items():
            prior[columns] = LIKELY_SIGNAL[name]
        return self.crowd.metric(without, self._pair_spread(), prior, len(self.base))

    @once
    def _pair_spread(self) -> Floats:
        return pair_spread(self.gap)


class Moved(NamedTuple):
    """How far one model went from the base."""

    rows: tuple[int, ...]  # (P,) of the ground's prompts
    points: (
        Float32s  # (P, D) model minus base, in the metric of the axis; 0 for a reply under the gate
    )
    short: Ints  # (P,) 1 = the reply is under the gate
    axis: Axis


def moved(panels: Sequence[Panel], grounded: Ground, shortest: int) -> Moved:
    """The student's way from the base, on the prompts of the ground that it answered.

    Raises Unavailable where these are fewer than a task's minimum.
    """
    lineage = panels[0].student.lineage
    axis = grounded.axis(lineage if lineage in grounded.crowd.names else "")
    place = {i: n for n, i in enumerate(grounded.prompts.ids)}
    made = []
    for panel in panels:
        own = [i for i in sorted(replies(panel.student)) if i in place]
        reasons.require_shared(
            len(own), panel.minimum, [panel.student], [len(replies(panel.student))], "prompts"
        )
        made.append((own, some_texts(panel.student, tuple(own))))
    rows = np.array([place[i] for ids, _ in made for i in ids])
    away = np.concatenate([points(texts.reading) for _, texts in made]) - grounded.base[rows]
    short = np.concatenate([texts.n_words < shortest for _, texts in made])
    away[short] = 0
    return Moved(tuple(rows.tolist()), away * axis.roots, short.astype(np.int64), axis)


def ground(panels: Sequence[Panel], shortest: int) -> Ground:
    """The ground of the panels' teacher and base: the same object for all students, in panels sorted by task.

    Replies of the teacher under `shortest` words drop their prompts; anybody else's count as the base's.
    Raises Unavailable where fewer prompts than a task's minimum are left.
    """
    everyone = [align_texts(_without_student(p)) for p in panels]
    rows = [long_enough(e, shortest, p.minimum) for e, p in zip(everyone, panels, strict=True)]
    shared = set(everyone[0].controls).intersection(*(e.controls for e in everyone))
    lineages = tuple((name, everyone[0].lineages[name]) for name in sorted(shared))
    return _ground(
        tuple(_Replies.of(e, r, lineages) for e, r in zip(everyone, rows, strict=True)),
        lineages,
        shortest,
    )


def _without_student(panel: Panel) -> Panel:
    """Teacher and base, with the population as controls."""
    pair: tuple[Role, ...] = ("teacher", "base", "second")
    sides = {role: panel.of(role) for role in pair}
    return replace(panel, sides={**sides, "controls": panel.of("population")})


class _Replies(NamedTuple):
    """One task's replies, by identity."""

    prompts: Prompts
    rows: tuple[int, ...]  # (R,) that the gate lets through
    taught: tuple[Texts, ...]
    base: Texts
    crowd: tuple[Texts, ...]

    def let_through(self, values: Float32s) -> Float32s:
        """The values (P, ...) on the prompts that the gate lets through."""
        return values if len(self.rows) == len(values) else values[list(self.rows)]

    @classmethod
    def of(
        cls, everyone: AlignedTexts, rows: Ints, lineages: Sequence[tuple[str, str]]
    ) -> _Replies:
        """The replies of an alignment."""
        crowd = tuple(everyone.controls[name] for name, _ in lineages)
        prompts = Prompts(everyone.prompts)
        return cls(prompts, tuple(rows.tolist()), everyone.taught, everyone["base"], crowd)


@lru_cache(maxsize=2)  # students of one teacher and base come one after another
def _ground(
    tasks: tuple[_Replies, ...], lineages: tuple[tuple[str, str], ...], shortest: int
) -> Ground:
    def gathered(texts: Sequence[Texts]) -> Float32s:
        rows = [task.let_through(points(t.reading)) for t, task in zip(texts, tasks, strict=True)]
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    base = gathered([t.base for t in tasks])
    samples = [gathered(texts) for texts in zip(*(t.taught for t in tasks), strict=True)]
    teacher = np.mean(samples, axis=0, dtype=np.float32) if len(samples) > 1 else samples[0]
    models: dict[str, list[Float32s]] = {}
    for k, (_, lineage) in enumerate(lineages):
        own = [t.crowd[k] for t in tasks]
        where = gathered(own)
        rows = [t.n_words[list(task.rows)] for t, task in zip(own, tasks, strict=True)]
        short = np.concatenate(rows) < shortest
        where[short] = base[short]
        models.setdefault(lineage, []).append(where)
    prompts = Prompts(tuple(t.prompts.prompts[i] for t in tasks for i in t.rows))
    return Ground(prompts, base, teacher - base, population(sorted(models.items())))
