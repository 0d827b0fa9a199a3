"""Style ladder: the classifier's gap recovered after more and more has been removed from all replies.

Each rung is the measure style_classifier with other points: teacher against base, held out by prompt, linear,
interval by a delete-block jackknife with refitting into Fieller's set. Rungs: see text/ladder; the last,
length, is the negative control. Source: Sun et al. 2025, Idiosyncrasies in Large Language Models; Stamatatos 2017;
Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics.style_classifier import (
    Judge,
    half,
    independent_blocks,
    jackknifed,
    length_points,
    ngram_points,
    separation,
    train,
)
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import Texts, align_texts, cut_off_any, long_enough
from harness.stats.intervals import beside
from harness.text.grams import Float32s
from harness.text.ladder import common_words, commonest, letters_only, markdown, shuffled_words
from harness.types import (
    Finding,
    Floats,
    Ints,
    Mean,
    Ratio,
    RatioStratum,
)

RUNGS = ("as_is", "letters_only", "shuffled_words", "common_words", "markdown", "length")


class Taught(NamedTuple):
    """Inputs that all students of one teacher and base share, so that classifiers are trained once."""

    teacher: Texts
    base: Texts
    second: Texts | None
    rows: tuple[int, ...]  # (R,) prompts that count
    block: tuple[int, ...]  # (R,)


class Rung(NamedTuple):
    """One rung's classifiers and what they say of teacher and base."""

    points: Callable[[Texts], Float32s]
    judge: Judge
    base: Floats  # (R, K) scores
    gap: Floats  # (R, K) teacher's score minus base's
    told_apart: Floats  # (R,) values whose mean is the AUC of teacher against base


def _points(name: str, taught: Taught) -> Callable[[Texts], Float32s]:
    """How the replies of a rung become points (P, D)."""
    if name == "common_words":
        known = commonest([taught.teacher.reading, taught.base.reading])
        return lambda texts: common_words(texts.reading, known)
    spaces: dict[str, Callable[[Texts], Float32s]] = {
        "as_is": ngram_points,
        "letters_only": lambda texts: letters_only(texts.reading),
        "shuffled_words": lambda texts: shuffled_words(texts.reading, texts.ids),
        "markdown": lambda texts: markdown(texts.texts, texts.reading),
        "length": length_points,
    }
    return spaces[name]


@lru_cache(maxsize=36)
def rung(name: str, taught: Taught) -> Rung:
    """The classifiers of one rung, trained once for all students."""
    points, rows, block = _points(name, taught), np.array(taught.rows), np.array(taught.block)
    teacher, base = points(taught.teacher)[rows], points(taught.base)[rows]
    judge = train(half(teacher), base, block, refits=True)
    scores = [judge.held_out(x) for x in (teacher, base)]
    own = [s[np.arange(len(block)), block] for s in scores]
    best = judge.held_out(points(taught.second)[rows]) if taught.second else scores[0]
    return Rung(points, judge, scores[1], best - scores[1], (1 + separation(own[0], own[1])) / 2)


@dataclass(frozen=True)
class StyleLadder(AbstractMetric):
    """Gap recovered on whole replies, then with more and more of them removed."""

    # words; a teacher's shorter reply drops the prompt, a student's counts as the base's level
    shortest: int = 3

    unit = "gap recovered"
    better = "higher"
    looks_at = Looks((View.STYLE,), needs=("teacher", "base"), also=("second",))
    explanation = (
        "The style classifier's gap recovered (0 = base, 1 = teacher) when replies are cut down: as they are; words "
        "alone, without marks and layout; the same words shuffled; only the commonest words readable; only the "
        "Markdown skeleton; only the length. A rung that stays near 1 holds what came across. told_apart/... is the "
        "AUC with which the rung tells teacher from base at all: near 0.5 there is no style there to take over, and "
        "its gap means nothing. Length is the trivial explanation: a rung is worth something only where it lies "
        "above length, and above the controls."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """For every rung the gap recovered, and how well teacher and base can be told apart on it."""
        panel, everyone = panels[0], align_texts(panels[0])
        rows = long_enough(everyone, self.shortest, panel.minimum)
        some = everyone.some(rows)
        at = (tuple(rows.tolist()), tuple(independent_blocks(some.clusters).tolist()))
        student = everyone["student"]
        taught = Taught(everyone["teacher"], everyone["base"], everyone.get("second"), *at)
        short = student.n_words[rows] < self.shortest
        gaps, apart = [], []
        for name in RUNGS:
            if name == "length" and (why := cut_off_any(everyone.core.values())):
                gaps.append(Finding(why, name, unit=panel.gap_unit))
                continue
            step = rung(name, taught)
            gap = _gap(step, np.where(short[:, None], 0.0, _moved(step, student, rows)), some.ids)
            gaps.append(Finding(gap, name, unit=panel.gap_unit))
            told = beside(Mean(step.told_apart, some.ids, some.clusters))
            unit = "AUC of teacher against base"
            apart.append(Finding(told, f"told_apart/{name}", unit=unit, better="none"))
        return [*gaps, *apart]


def _moved(step: Rung, student: Texts, rows: Ints) -> Floats:
    """The student's score minus the base's (R, K)."""
    return step.judge.held_out(step.points(student)[rows]) - step.base


def _gap(step: Rung, moved: Floats, ids: tuple[str, ...]) -> Ratio:
    """Means of `moved` over means of the teacher's gap; blocks of the jackknife are the clusters."""
    block = step.judge.block
    values = [jackknifed(x, block) for x in (moved, step.gap)]
    return Ratio((RatioStratum(values[0], values[1], ids, tuple(f"block {k}" for k in block)),))
