"""The teacher's own phrases, and how many of them the student took over.

Phrases of one to three words, openings and closings apart, are chosen on one half of the prompts: those that stand
in more of the teacher's replies than in the base's and in the controls', by log-odds with an informative Dirichlet
prior. On the other half it is counted who uses them: openings and closings per reply, phrases per 100 words, so that
length is not in it. Source: Monroe, Colaresi and Quinn 2008, Fightin' words, equations 15 to 22.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._beside import beside
from harness.metrics._style import GAP_UNIT, required, teacher_samples
from harness.panel.align import AlignedTexts, align_texts, answered_texts
from harness.panel.panel import Side, Sides
from harness.stats.resample import blocks
from harness.text.phrases import Wanted, counts, frequent, spelled, totals
from harness.text.segment import Reading, read
from harness.types import Better, Floats, Found, Mean, Ratio, RatioStratum, Unavailable

PRIOR = 0.05  # weight of the prior: as if so much of the teacher's replies had been seen before
CLEAR = 2.5  # z-score above which a phrase counts as the teacher's own
SHORT = 20  # words; a shorter reply counts as so long, or one word in it would be a rate of its own
PER_REPLY, PER_WORDS = "share of replies", "per 100 words"
_ALIKE = 0.6  # share of common replies above which two phrases that share a word are one
_COVERAGE = 0.9  # of the prompts: a control with fewer would cut the prompts of all


def own_scores(teacher: Floats, other: Floats, room: Floats, other_room: Floats) -> Floats:
    """z-scores (C,) of the log-odds of a phrase, teacher against other; counts (C,) out of `room` (C,) places each."""
    weight = PRIOR * room
    prior = weight * (teacher + other + 0.5) / (room + other_room + 1)
    first, second = teacher + prior, other + prior
    odds = [np.log(x / (n + weight - x)) for x, n in ((first, room), (second, other_room))]
    return np.asarray((odds[0] - odds[1]) / np.sqrt(1 / first + 1 / second))


class Chosen(NamedTuple):
    """The teacher's own phrases, best first."""

    names: tuple[str, ...]
    wanted: Wanted  # the same in the order of their codes
    order: tuple[int, ...]  # name i is wanted.codes[order[i]]


@lru_cache(maxsize=64)
def choose(
    teacher: tuple[str, ...],
    others: tuple[tuple[Reading, ...], ...],
    rows: tuple[int, ...],
    number: int,
    fewest: int,
) -> Chosen:
    """At most `number` phrases that tell the teacher from every group of others; up to half open or close replies."""
    reading = read(teacher)
    wanted = _frequent(reading, rows, fewest)
    mine, room = totals(reading, wanted, rows), _room(reading, wanted, rows)
    scores = np.full(len(wanted.codes), np.inf)
    for group in others:
        theirs = np.sum([totals(o, wanted, rows) for o in group], axis=0)
        scores = np.minimum(
            scores,
            own_scores(mine, theirs, room, np.sum([_room(o, wanted, rows) for o in group], axis=0)),
        )
    kept: list[int] = []
    names: list[str] = []
    table = (counts(reading, wanted, rows) > 0).astype(np.float64)
    clear = np.flatnonzero(scores >= CLEAR)
    for k in clear[np.lexsort((wanted.codes[clear], -scores[clear], ~wanted.edges[clear]))]:
        if len(kept) == number or (wanted.edges[k] and len(kept) >= number // 2):
            continue
        name = spelled(wanted.codes[k], teacher, reading)
        alike = any(
            _shared(name, n) and _overlap(table[:, k], table[:, j]) > _ALIKE
            for n, j in zip(names, kept, strict=True)
        )
        if not alike and not any(c.isdigit() for c in name):
            kept.append(int(k))
            names.append(name)
    rows_of = np.array(kept, dtype=np.int64)
    found = Wanted(wanted.codes[np.sort(rows_of)], wanted.edges[np.sort(rows_of)])
    return Chosen(tuple(names), found, tuple(np.argsort(np.argsort(rows_of)).tolist()))


def _room(texts: Reading, wanted: Wanted, rows: tuple[int, ...]) -> Floats:
    """Places (C,) where each phrase could stand: replies for openings and closings, words for others."""
    return np.where(wanted.edges, float(len(rows)), float(texts.n_words[list(rows)].sum()) + 1)


@lru_cache(maxsize=16)
def _frequent(reading: Reading, rows: tuple[int, ...], fewest: int) -> Wanted:
    """The same object for the same replies, so that counts of it can be remembered."""
    return frequent(reading, rows, fewest)


def _shared(first: str, second: str) -> bool:
    """Whether two phrases have a word in common."""
    return bool(set(first.split()[1:]) & set(second.split()[1:]))


def _overlap(first: Floats, second: Floats) -> float:
    """Share of the replies with the rarer of two phrases that have both."""
    return float((first * second).sum() / max(min(first.sum(), second.sum()), 1))


@dataclass(frozen=True)
class PhrasesTaken(AbstractMetric):
    """The teacher's own phrases: how often teacher, student, base and controls use each."""

    number: int = 12  # phrases
    fewest: int = 4  # replies of the teacher, in the half on which phrases are chosen

    unit: ClassVar[str] = PER_REPLY
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "base", "style"})
    explanation: ClassVar[str] = (
        "Openings, closings and phrases of up to three words that the teacher uses clearly more often than the base "
        "and the controls, chosen on one half of the prompts and counted on the other. A phrase's number is the "
        "student's rate minus the base's: for openings and closings a share of replies, for phrases a rate per 100 "
        "words. rate/student/..., rate/teacher/..., rate/base/... and rate/controls/... are the rates themselves. "
        "The number over all phrases is how far they went from base (0) to teacher (1), each phrase weighing the "
        "same. Phrases may come from the prompts' topics; those that the controls use as often are left out."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """All phrases together, then each phrase."""
        one = sides[0]
        everyone, controls = _aligned(one)
        half = blocks(everyone.clusters, 2, 1)
        choosing, counting = (tuple(np.flatnonzero(half == k).tolist()) for k in (0, 1))
        if len(counting) < 2:
            raise Unavailable(
                "all prompts belong to one cluster: phrases cannot be chosen and counted on different ones"
            )
        student, base, *taught = everyone.texts
        groups = [(read(base),), *([tuple(read(c) for c in controls)] if controls else [])]
        chosen = choose(taught[0], tuple(groups), choosing, self.number, self.fewest)
        if not chosen.names:
            raise Unavailable(
                "no phrase stands in clearly more of the teacher's replies than in the others'"
            )
        models = {"student": [student], "teacher": taught, "base": [base], "controls": controls}
        rates = {role: _rates(texts, chosen, counting) for role, texts in models.items() if texts}
        named = AlignedTexts(tuple(everyone.prompts[i] for i in counting), ())
        scale = _rates(taught, chosen, choosing).mean(axis=0) - _rates(
            [base], chosen, choosing
        ).mean(axis=0)
        scale = np.maximum(scale, 1e-6)  # a phrase was chosen because the teacher has it more often
        moved, gap_of = ((rates[role] - rates["base"]) / scale for role in ("student", "teacher"))
        gap = RatioStratum(moved.mean(axis=1), gap_of.mean(axis=1), named.ids, named.clusters)
        return [
            Found("", "", Ratio((gap,)), GAP_UNIT[one.base_kind]),
            *_by_phrase(chosen.names, rates, named),
        ]


def _by_phrase(names: Sequence[str], rates: dict[str, Floats], named: AlignedTexts) -> list[Found]:
    """The student's rate above the base's, then everyone's rates, phrase by phrase."""
    found = []
    for k, name in enumerate(names):
        above = (rates["student"] - rates["base"])[:, k]
        unit = PER_WORDS if name.startswith("phrase:") else PER_REPLY
        found.append(Found(name, "", Mean(above, named.ids, named.clusters), unit))
        for role, values in rates.items():
            rate = beside(Mean(values[:, k], named.ids, named.clusters))
            found.append(Found(f"rate/{role}/{name}", "", rate, unit, "none"))
    return found


def _rates(models: Sequence[tuple[str, ...]], chosen: Chosen, rows: Sequence[int]) -> Floats:
    """Openings and closings per reply, phrases per 100 words, mean of these models or samples (R, number)."""
    tables = []
    for texts in models:
        words = np.maximum(read(texts).n_words[list(rows)], SHORT)[:, None] / 100
        tables.append(
            _counted(read(texts), chosen.wanted, tuple(rows))
            / np.where(chosen.wanted.edges, 1.0, words)
        )
    return np.asarray(np.mean(tables, axis=0)[:, list(chosen.order)])


@lru_cache(maxsize=256)
def _counted(texts: Reading, wanted: Wanted, rows: tuple[int, ...]) -> Floats:
    """Counts of the chosen phrases; remembered, because every student is held against the same controls."""
    return counts(texts, wanted, rows)


def _aligned(one: Sides) -> tuple[AlignedTexts, list[tuple[str, ...]]]:
    """Replies of student, base and teacher on shared prompts, and of controls that answered nine in ten of them."""
    core = [one.student, required(one.base, "base"), *teacher_samples(one)]
    ids = set(align_texts(core, one.minimum).ids)
    family = {one.student.lineage, required(one.teacher, "teacher").lineage}
    controls = [c for c in one.controls if c.lineage not in family and _covers(c, ids)]
    controls.sort(key=lambda c: c.model)
    everyone = align_texts([*core, *controls], one.minimum)
    texts = everyone.texts
    return AlignedTexts(everyone.prompts, texts[: len(core)]), list(texts[len(core) :])


def _covers(side: Side, ids: set[str]) -> bool:
    return len(ids & set(answered_texts(side))) >= _COVERAGE * len(ids)
