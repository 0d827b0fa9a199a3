"""Ways of writing as points: where base and teacher stand, and how far anybody went from the one to the other.

What teacher, base and the unrelated models give (`Ground`) is the same for all students of a teacher and base, so that
all of them are measured in one metric; a control in the student's place is left out of it.

On prompts on which a reply of teacher, base or student is cut, the columns of closings are 0 for everybody, and on the
others so much larger that a product keeps its size: those prompts leave the closings, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.panel import reasons
from harness.panel.panel import Panel, Role
from harness.panel.prompts import Prompts
from harness.panel.side import once
from harness.panel.texts import (
    PROMPTS_OF,
    WHOLE,
    AlignedTexts,
    Part,
    Texts,
    align_texts,
    cut_off,
    long_enough,
    parts_of,
    some_texts,
)
from harness.stats.means import cluster_codes
from harness.stats.pairs import Float32s, Product, Units, by_unit, cross, product, total
from harness.stats.population import Population, pair_spread, population
from harness.text.families import CLOSINGS, FAMILIES, WIDTH, points
from harness.types import Floats, Ints, Unavailable

T = TypeVar("T", bound=np.generic)
# The family that ends with closings, and the others.
_EDGES, _N_CLOSINGS = "edges", CLOSINGS.stop - CLOSINGS.start
_OTHERS = {name: own for name, own in FAMILIES.items() if name != _EDGES}
# Variance between models over that within replies, as it is for the features of a family: seen on 24 models of other
# labs than the teacher's, 100 to 805 prompts in English.
LIKELY_SIGNAL = {"words": 0.005, "format": 0.2, "edges": 0.01}


@dataclass(frozen=True, eq=False)
class Axis:
    """The way from base to teacher in the metric of one population."""

    prompts: Prompts
    roots: Float32s  # (D,) square roots of the metric
    gap: Float32s  # (P, D) teacher minus base, in this metric
    centre: Float32s | None  # (P, D) mean unrelated model minus base; None = too few lineages
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @once
    def span(self, rows: tuple[int, ...]) -> Span:
        """The same on some of the prompts."""
        return Span.of(self, rows)


@dataclass(frozen=True, eq=False)
class Span:
    """Some prompts of an axis, with what is the same for all students who answered them, whosever replies are cut."""

    prompts: Prompts
    codes: Annotated[Ints, "P"]  # units 0..G-1: the prompts' clusters
    rows: Annotated[Ints, "P"]  # where they stand in what the axis has
    gap_of_all: Float32s
    unrelated_of_all: Float32s | None

    @classmethod
    def of(cls, axis: Axis, rows: Sequence[int]) -> Span:
        """Some prompts of an axis. Raises Unavailable where all of them belong to one cluster."""
        some = Prompts(tuple(axis.prompts.prompts[i] for i in rows))
        codes = cluster_codes(some.clusters, len(some.prompts))
        if codes.max(initial=0) < 1:
            raise Unavailable(
                "all prompts belong to one cluster: no independent units to make an interval from"
            )
        return cls(some, codes, np.array(rows, dtype=np.int64), axis.gap, axis.centre)

    def edges(self, points: Annotated[Float32s, "P D"], whole: tuple[int, ...]) -> Units:
        """Units of the family that holds closings, which are told from the prompts `whole` alone."""
        return by_unit(with_closings(points[:, FAMILIES[_EDGES]], whole), self.codes)

    def others(self, points: Annotated[Float32s, "P D"]) -> dict[str, Units]:
        """Units of the other families."""
        return {n: by_unit(points[:, own], self.codes) for n, own in _OTHERS.items()}

    @cached_property
    def gap(self) -> Float32s:
        """Teacher minus base (P, D)."""
        return self.gap_of_all[self.rows]

    @cached_property
    def unrelated(self) -> Float32s | None:
        """The mean unrelated model minus base (P, D); None = too few lineages."""
        return None if self.unrelated_of_all is None else self.unrelated_of_all[self.rows]

    @cached_property
    def gaps(self) -> dict[str, Units]:
        """Family -> the gap, but for edges."""
        return self.others(self.gap)

    @cached_property
    def squared(self) -> dict[str, Product]:
        """Family -> the gap with itself, but for edges."""
        return {name: product(gap, gap) for name, gap in self.gaps.items()}

    @cached_property
    def centre(self) -> Product | None:
        """The mean unrelated model's way, with the gap, but for edges."""
        if self.unrelated is None:
            return None
        return total({n: product(u, self.gaps[n]) for n, u in self.others(self.unrelated).items()})


@dataclass(frozen=True, eq=False)
class Frame:
    """The prompts that one student is measured on, with the way from base to teacher on them."""

    span: Span
    complete: tuple[
        int, ...
    ]  # (W,) places of the prompts on which no reply is cut; () = no closings

    def units(self, points: Annotated[Float32s, "P D"]) -> Units:
        """Units of points on these prompts."""
        return by_unit(with_closings(points, self.complete), self.span.codes)

    @cached_property
    def gap(self) -> dict[str, Units]:
        """Family -> teacher minus base."""
        return {**self.span.gaps, _EDGES: self.span.edges(self.span.gap, self.complete)}

    @cached_property
    def squared(self) -> dict[str, Product]:
        """Family -> the gap with itself."""
        edges = self.gap[_EDGES]
        return {**self.span.squared, _EDGES: product(edges, edges)}

    @cached_property
    def whole(self) -> Product:
        """The same of all families."""
        return total(self.squared)

    @cached_property
    def centre(self) -> Product | None:
        """The mean unrelated model's way, with the gap; None = too few lineages."""
        others, unrelated = self.span.centre, self.span.unrelated
        if others is None or unrelated is None:
            return None
        return others.plus(product(self.span.edges(unrelated, self.complete), self.gap[_EDGES]))


def with_closings(
    values: Annotated[Float32s, "P D"], whole: tuple[int, ...]
) -> Annotated[Float32s, "P D"]:
    """Points that end with closings, these on the prompts `whole` alone; none where there are no such prompts."""
    n = len(values)
    if len(whole) == n:
        return values
    made, at = values.copy(), list(whole)
    made[:, -_N_CLOSINGS:] = 0
    made[at, -_N_CLOSINGS:] = values[at, -_N_CLOSINGS:] * np.float32(n / max(len(at), 1))
    return made


@dataclass(frozen=True, eq=False)
class Ground:
    """Teacher, base and the models that the teacher did not teach, on the P prompts that all of them answered."""

    prompts: Prompts
    base: Float32s  # (P, D)
    gap: Float32s  # (P, D) teacher minus base
    crowd: Population
    whole: tuple[int, ...]  # of the prompts, those on which replies of teacher and base are whole
    cut: str  # why closings are left out; "" = they are not
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @once
    def axis(self, lineage: str) -> Axis:
        """The way from base to teacher where this lineage of the population is left out; "" = none."""
        roots = np.sqrt(self._metric(lineage)).astype(np.float32)
        centre = (self.crowd.centre(lineage) - self.base) * roots if self.crowd.enough else None
        return Axis(self.prompts, roots, self.gap * roots, centre)

    @once
    def readings(self, closings: bool) -> dict[str, float]:
        """Lineage -> how far its models are on the way, itself left out of the metric; empty for too few lineages.

        closings: False leaves these out.
        """
        if not self.crowd.enough:
            return {}
        used = slice(WIDTH if closings else CLOSINGS.start)
        squared, ways = self._crossed
        ratios = {}
        for name, way in ways.items():
            weights = self._metric(name)[used]
            ratios[name] = float(weights @ way[used] / (weights @ squared[used]))
        return ratios

    @cached_property
    def _crossed(self) -> tuple[Floats, dict[str, Floats]]:
        """By feature (D,): the gap with itself, and lineage -> its way from the base with the gap."""
        codes = cluster_codes(self.prompts.clusters, len(self.base))
        gap = by_unit(with_closings(self.gap, self.whole), codes)

        def with_gap(points: Float32s) -> Floats:
            return cross(by_unit(with_closings(points, self.whole), codes), gap)

        start, crowd = with_gap(self.base), self.crowd
        ways = {n: with_gap(p) - start for n, p in zip(crowd.names, crowd.points, strict=True)}
        return with_gap(self.gap), ways

    @once
    def _metric(self, without: str) -> Floats:
        prior = np.empty(WIDTH)
        for name, columns in FAMILIES.items():
            prior[columns] = LIKELY_SIGNAL[name]
        return self.crowd.metric(without, self._pair_spread(), prior, len(self.base))

    @once
    def _pair_spread(self) -> Floats:
        spread = pair_spread(self.gap)
        if 1 < len(self.whole) < len(self.gap):
            spread[CLOSINGS] = pair_spread(self.gap[list(self.whole), CLOSINGS])
        return spread


class Moved(NamedTuple):
    """How far one model went from the base."""

    rows: tuple[int, ...]  # (P,) of the ground's prompts
    points: (
        Float32s  # (P, D) model minus base, in the metric of the axis; 0 for a reply under the gate
    )
    short: Ints  # (P,) 1 = the reply is under the gate
    whole: tuple[int, ...]  # of the rows, those on which nobody's reply is cut; () = no closings
    cut: str  # why there are no closings; "" = there are
    axis: Axis

    def frame(self) -> Frame:
        """The way from base to teacher on the model's prompts."""
        return Frame(self.axis.span(self.rows), self.whole)


def moved(panels: Sequence[Panel], grounded: Ground, shortest: int, part: Part = "answer") -> Moved:
    """The student's way from the base, on the prompts of the ground that it answered.

    Raises Unavailable where these are fewer than a task's minimum.
    """
    lineage = panels[0].student.lineage
    axis = grounded.axis(lineage if lineage in grounded.crowd.names else "")
    place = {i: n for n, i in enumerate(grounded.prompts.ids)}
    made = []
    for panel in panels:
        given = parts_of(panel.student, part)
        own = [i for i in sorted(given) if i in place]
        reasons.require_shared(
            len(own), panel.minimum, [panel.student], [len(given)], PROMPTS_OF[part]
        )
        made.append((own, some_texts(panel.student, tuple(own), part)))
    rows = np.array([place[i] for ids, _ in made for i in ids])
    away = _joined([points(texts.reading) for _, texts in made])
    away -= grounded.base[rows]
    short = np.concatenate([texts.n_words < shortest for _, texts in made])
    away[short] = 0
    cut = np.concatenate([texts.is_cut for _, texts in made])
    at = np.flatnonzero(np.isin(rows, grounded.whole) & ~cut)
    why = grounded.cut or cut_off([texts for _, texts in made])
    if len(at) < (least := max(2, *(p.minimum for p in panels))):
        why = why or reasons.few(len(at), WHOLE, least, of=len(rows))
    whole = () if why else tuple(at.tolist())
    away *= axis.roots
    return Moved(tuple(rows.tolist()), away, short.astype(np.int64), whole, why, axis)


def ground(panels: Sequence[Panel], shortest: int, part: Part = "answer") -> Ground:
    """The ground of the panels' teacher and base: the same object for all students, in panels sorted by task.

    Replies of the teacher under `shortest` words drop their prompts; anybody else's count as the base's.
    Raises Unavailable where fewer prompts than a task's minimum are left.
    """
    everyone = [align_texts(_without_student(p), part) for p in panels]
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
        pairs = zip(texts, tasks, strict=True)
        return _joined([task.let_through(points(t.reading)) for t, task in pairs])

    def of_rows(values: Sequence[NDArray[T]]) -> NDArray[T]:
        return np.concatenate([v[list(t.rows)] for v, t in zip(values, tasks, strict=True)])

    base = gathered([t.base for t in tasks])
    taught = [list(texts) for texts in zip(*(t.taught for t in tasks), strict=True)]
    samples = [gathered(texts) for texts in taught]
    teacher = np.mean(samples, axis=0, dtype=np.float32) if len(samples) > 1 else samples[0]
    crowd = []
    for k, _ in enumerate(lineages):
        own = [t.crowd[k] for t in tasks]
        where = gathered(own)
        short = of_rows([t.n_words for t in own]) < shortest
        where[short] = base[short]
        crowd.append(_Stranger(where, of_rows([t.is_cut for t in own])))
    _lend_closings(crowd, base)
    models: dict[str, list[Float32s]] = {}
    for (_, lineage), stranger in zip(lineages, crowd, strict=True):
        models.setdefault(lineage, []).append(stranger.points)
    prompts = Prompts(tuple(t.prompts.prompts[i] for t in tasks for i in t.rows))
    pair = [*taught, [t.base for t in tasks]]
    cut = np.any([of_rows([t.is_cut for t in texts]) for texts in pair], axis=0)
    return Ground(
        prompts,
        base,
        teacher - base,
        population(sorted(models.items())),
        tuple(np.flatnonzero(~cut).tolist()),
        next(filter(None, map(cut_off, pair)), ""),
    )


def _joined(tables: Sequence[Float32s]) -> Float32s:
    return tables[0] if len(tables) == 1 else np.concatenate(tables)


class _Stranger(NamedTuple):
    """A model of the population."""

    points: Float32s  # (P, D)
    cut: NDArray[np.bool_]  # (P,) its reply is cut


def _lend_closings(crowd: Sequence[_Stranger], base: Float32s) -> None:
    """Gives cut replies the mean closings of the others' whole ones to the same prompt, or the base's where none is."""
    cut = np.array([s.cut for s in crowd])  # (models, P)
    if not cut.any():
        return
    whole = [np.where(s.cut[:, None], 0, s.points[:, CLOSINGS]) for s in crowd]
    n = (~cut).sum(axis=0)[:, None]
    lent = np.where(n > 0, np.sum(whole, axis=0) / np.maximum(n, 1), base[:, CLOSINGS])
    for stranger in crowd:
        stranger.points[stranger.cut, CLOSINGS] = lent[stranger.cut]
