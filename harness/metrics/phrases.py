"""The teacher's own phrases, and how many of them the student took over.

Phrases of one to three words, openings and closings apart, are chosen on one half of the prompts: those that occur
in more of the teacher's replies than in the base's and in the controls', by log-odds with an informative Dirichlet
prior. The other half shows who uses them: openings and closings per reply, phrases per 100 words, so that
length is not in it. Source: Monroe, Colaresi and Quinn 2008, Fightin' words, equations 15 to 22.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.controls import lineage_means, lineage_weights
from harness.panel.panel import Looks, Panel, View
from harness.panel.prompts import Prompts
from harness.panel.texts import AlignedTexts, Texts, align_texts, cut_off_any
from harness.stats.intervals import beside
from harness.stats.resample import blocks
from harness.text.phrases import Wanted, counts, frequent, spelled, totals
from harness.text.segment import Reading
from harness.types import Finding, Floats, Mean, Ratio, RatioStratum, Unavailable

PRIOR = 0.05  # weight of the prior: as if so much of the teacher's replies had been seen before
CLEAR = 2.5  # z-score above which a phrase counts as the teacher's own
SHORT = 20  # words; a shorter reply counts as this long, or one word would give an extreme rate
PER_REPLY, PER_WORDS = "share of replies", "per 100 words"
_ALIKE = 0.6  # share of common replies above which two phrases that share a word are one


def own_scores(teacher: Floats, other: Floats, room: Floats, other_room: Floats) -> Floats:
    """z-scores (C,) of the log-odds of a phrase, teacher against other; counts (C,) out of `room` (C,) places each."""
    weight = PRIOR * room
    prior = weight * (teacher + other + 0.5) / (room + other_room + 1)
    first, second = teacher + prior, other + prior
    odds = [np.log(x / (n + weight - x)) for x, n in ((first, room), (second, other_room))]
    return (odds[0] - odds[1]) / np.sqrt(1 / first + 1 / second)


class Chosen(NamedTuple):
    """The teacher's own phrases, best first."""

    names: tuple[str, ...]
    wanted: Wanted  # the same in the order of their codes
    order: tuple[int, ...]  # name i is wanted.codes[order[i]]


class Group(NamedTuple):
    """Models that the teacher's phrases are distinguished from."""

    readings: tuple[Reading, ...]
    weights: tuple[float, ...]  # of each model's replies

    def sum(self, amounts: Callable[[Reading], Floats]) -> Floats:
        """Amounts of all models, weighted."""
        each = [w * amounts(r) for r, w in zip(self.readings, self.weights, strict=True)]
        return np.asarray(np.sum(each, axis=0))


@lru_cache(maxsize=64)
def choose(
    teacher: Texts,
    others: tuple[Group, ...],
    rows: tuple[int, ...],
    size: tuple[int, int],
    closings: bool = True,
) -> Chosen:
    """Phrases that tell the teacher from every group of others; up to half open or close replies.

    size: at most so many phrases, each in at least so many replies. closings: False where too many replies are cut.
    """
    reading, (number, fewest) = teacher.reading, size
    wanted = _frequent(reading, rows, fewest, closings)
    mine, room = totals(reading, wanted, rows), _room(reading, wanted, rows)
    scores = np.full(len(wanted.codes), np.inf)
    for group in others:
        theirs = group.sum(lambda r: totals(r, wanted, rows))
        their_room = group.sum(lambda r: _room(r, wanted, rows))
        scores = np.minimum(scores, own_scores(mine, theirs, room, their_room))
    places: list[int] = []
    names: list[str] = []
    table = (counts(reading, wanted, rows) > 0).astype(np.float64)
    clear = np.flatnonzero(scores >= CLEAR)
    for k in clear[np.lexsort((wanted.codes[clear], -scores[clear], ~wanted.edges[clear]))]:
        if len(places) == number or (wanted.edges[k] and len(places) >= number // 2):
            continue
        name = spelled(wanted.codes[k], teacher.texts, reading)
        alike = any(
            _shared(name, n) and _overlap(table[:, k], table[:, j]) > _ALIKE
            for n, j in zip(names, places, strict=True)
        )
        if not alike and not any(c.isdigit() for c in name):
            places.append(int(k))
            names.append(name)
    rows_of = np.array(places, dtype=np.int64)
    chosen = Wanted(wanted.codes[np.sort(rows_of)], wanted.edges[np.sort(rows_of)])
    return Chosen(tuple(names), chosen, tuple(np.argsort(np.argsort(rows_of)).tolist()))


def _room(texts: Reading, wanted: Wanted, rows: tuple[int, ...]) -> Floats:
    """Places (C,) where each phrase could stand: replies for openings and closings, words for others."""
    return np.where(wanted.edges, float(len(rows)), float(texts.n_words[list(rows)].sum()) + 1)


@lru_cache(maxsize=16)
def _frequent(reading: Reading, rows: tuple[int, ...], fewest: int, closings: bool) -> Wanted:
    """Frequent phrases; the same object for the same replies, so that counts can be cached."""
    return frequent(reading, rows, fewest, closings=closings)


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

    unit = PER_REPLY
    better = "higher"
    looks_at = Looks((View.STYLE,), needs=("teacher", "base"), also=("second", "controls"))
    explanation = (
        "Openings, closings and phrases of up to three words that the teacher uses clearly more often than the base "
        "and the controls, chosen on one half of the prompts and counted on the other. A phrase's number is the "
        "student's rate minus the base's: for openings and closings a share of replies, for phrases a rate per 100 "
        "words. rate/student/..., rate/teacher/..., rate/base/... and rate/controls/... are the rates themselves. "
        "The number over all phrases is how far they went from base (0) to teacher (1), each phrase weighing the "
        "same. Phrases may come from the prompts' topics; those that the controls use as often are left out. Closings "
        "are, too, where one reply in five of a model is cut."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """All phrases together, then each phrase."""
        everyone = align_texts(panels[0])
        half = blocks(everyone.clusters, 2, 1)
        choosing, counting = (tuple(np.flatnonzero(half == k).tolist()) for k in (0, 1))
        if len(counting) < 2:
            raise Unavailable(
                "all prompts belong to one cluster: phrases cannot be chosen and counted on different ones"
            )
        whole = not cut_off_any(everyone.core.values())
        size = (self.number, self.fewest)
        chosen = choose(everyone["teacher"], _groups(everyone), choosing, size, whole)
        if not chosen.names:
            raise Unavailable(
                "no phrase stands in clearly more of the teacher's replies than in the others'"
            )
        rates = _rates(everyone, chosen, counting)
        before = _rates(everyone, chosen, choosing)
        named = everyone.some(counting)
        scale = before["teacher"].mean(axis=0) - before["base"].mean(axis=0)
        scale = np.maximum(scale, 1e-6)  # a phrase was chosen because the teacher has it more often
        moved, gap_of = ((rates[role] - rates["base"]) / scale for role in ("student", "teacher"))
        gap = RatioStratum(moved.mean(axis=1), gap_of.mean(axis=1), named.ids, named.clusters)
        return [
            Finding(Ratio((gap,)), unit=panels[0].gap_unit),
            *_by_phrase(chosen.names, rates, named),
        ]


def _groups(everyone: AlignedTexts) -> tuple[Group, ...]:
    """The base, and the controls with the same weight for every lineage."""
    base = Group((everyone["base"].reading,), (1.0,))
    if not everyone.controls:
        return (base,)
    weights = tuple(lineage_weights(list(everyone.lineages.values())).tolist())
    return (base, Group(tuple(c.reading for c in everyone.controls.values()), weights))


def _by_phrase(names: Sequence[str], rates: dict[str, Floats], named: Prompts) -> list[Finding]:
    """The student's rate above the base's, then everyone's rates, phrase by phrase."""
    findings = []
    for k, name in enumerate(names):
        above = (rates["student"] - rates["base"])[:, k]
        unit = PER_WORDS if name.startswith("phrase:") else PER_REPLY
        findings.append(Finding(Mean(above, named.ids, named.clusters), name, unit=unit))
        for role, values in rates.items():
            rate = beside(Mean(values[:, k], named.ids, named.clusters))
            findings.append(Finding(rate, f"rate/{role}/{name}", unit=unit, better="none"))
    return findings


def _rates(everyone: AlignedTexts, chosen: Chosen, rows: tuple[int, ...]) -> dict[str, Floats]:
    """Role -> openings and closings per reply, phrases per 100 words: means of samples or lineages (R, number)."""
    own = {
        "student": [_rate(everyone["student"], chosen, rows)],
        "teacher": [_rate(t, chosen, rows) for t in everyone.taught],
        "base": [_rate(everyone["base"], chosen, rows)],
    }
    rates = {role: np.asarray(np.mean(tables, axis=0)) for role, tables in own.items()}
    if everyone.controls:
        theirs = [_rate(c, chosen, rows) for c in everyone.controls.values()]
        rates["controls"] = lineage_means(theirs, list(everyone.lineages.values())).mean(axis=0)
    return rates


def _rate(texts: Texts, chosen: Chosen, rows: tuple[int, ...]) -> Floats:
    words = np.maximum(texts.n_words[list(rows)], SHORT)[:, None] / 100
    table = _counted(texts.reading, chosen.wanted, rows)
    return (table / np.where(chosen.wanted.edges, 1.0, words))[:, list(chosen.order)]


@lru_cache(maxsize=256)
def _counted(texts: Reading, wanted: Wanted, rows: tuple[int, ...]) -> Floats:
    """Counts of the chosen phrases; cached, because every student is compared with the same controls."""
    return counts(texts, wanted, rows)
