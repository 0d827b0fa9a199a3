"""One question answered: its sides, its key, what the measure says of it, and the interval of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.keys import canonical, code_digest, digest, draw_seed
from harness.metrics import AbstractMetric
from harness.panel.panel import Sides
from harness.plan.questions import Question
from harness.stages.library import Library
from harness.stats.intervals import evaluate
from harness.store.tables import SCHEMA
from harness.types import Found, Score, Unavailable


def score_key(question: Question, sides: Sequence[Sides], seed: int) -> str:
    return digest(
        "scores",
        SCHEMA,
        _code(question.metric),
        vars(question.metric),
        _identity(question, sides),
        seed,
    )


def sides_of(question: Question, library: Library) -> list[Sides]:
    """The answers that a question needs; raises Unavailable with the first reason why it cannot be asked."""
    needs = question.metric.needs
    pair = question.pair
    if pair is not None and "base" in needs and pair.base is None:
        raise Unavailable("this pair names no base")
    if pair is not None and pair.ceiling is None and "ceiling" in needs:
        raise Unavailable("this pair names no ceiling")
    if not library.plan.fits(question.tasks[0], needs):
        raise Unavailable(_nothing_fits(needs))
    return [library.sides(t, question.student, pair) for t in question.tasks]


def _nothing_fits(needs: frozenset[str]) -> str:
    words = {
        "grades": "has right answers to grade",
        "text": "asks for open-ended text",
        "style": "asks for open-ended text whose style is looked at",
        "choices": "is multiple choice",
        "tokens": "stores log-probabilities of tokens",
        "reading": "gives texts to read",
        "answers": "gives the answers of models to read",
        "next_token": "asks for the next token alone",
        "verdicts": "is a judge's",
    }
    missing = " and ".join(words[n] for n in sorted(needs) if n in words)
    return f"no task of this matrix {missing}"


def _identity(question: Question, sides: Sequence[Sides]) -> str:
    """What a score depends on: names, roles and the keys of every side."""
    rows = [
        [s.task, s.base_kind, s.ceiling_kind, s.minimum]
        + [
            [side.model, side.lineage, *side.keys] if side else None
            for side in (s.student, s.teacher, s.base, s.ceiling)
        ]
        + [[side.model, side.lineage, *side.keys] for side in (*s.controls, *s.others)]
        for s in sides
    ]
    return canonical([question.student, question.pair is not None, rows])


def measured(question: Question, sides: Sequence[Sides], seed: int) -> list[Score]:
    metric = question.metric
    try:
        found = metric.found(
            sides, np.random.default_rng([seed, int(draw_seed(metric.name)[:8], 16)])
        )
    except Unavailable as error:
        return [replace(reasoned(question, str(error)), inputs=_inputs(sides))]
    return [_score(question, sides, item, seed) for item in found]


def _score(question: Question, sides: Sequence[Sides], item: Found, seed: int) -> Score:
    metric = question.metric
    name = f"{metric.name}/{item.name}" if item.name else metric.name
    task = "+".join(s.task for s in sides)
    blank = replace(
        reasoned(question, "-"), metric=name, task=f"{task}/{item.leaf}" if item.leaf else task, inputs=_inputs(sides),
        unit=item.unit or metric.unit, better=item.better or metric.better,
    )  # fmt: skip
    if isinstance(item.statistic, str):
        return replace(blank, reason=item.statistic)
    try:
        # One stream per metric and part: students of one teacher are resampled alike, so their
        # scores are paired.
        found = evaluate(
            item.statistic, np.random.default_rng([seed, int(draw_seed(name)[:8], 16)])
        )
    except Unavailable as error:
        return replace(blank, reason=str(error))
    whole = replace(
        blank,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        reason="",
        level=found.level,
    )
    if item.name:  # students are compared by whole metrics, not by parts of them
        return whole
    return replace(
        whole,
        influence=found.influence,
        clusters={i: c for i, c in found.clusters.items() if i != c},
    )


def reasoned(question: Question, reason: str) -> Score:
    pair = question.pair
    return Score(
        metric=question.metric.name, task="+".join(question.tasks), student=question.student,
        teacher=pair.teacher if pair else "", base=(pair.base or "") if pair else "", value=None, low=None, high=None,
        n=0, unit=question.metric.unit, better=question.metric.better, reason=reason, inputs=(),
        level=question.metric.level,
    )  # fmt: skip


def placed(score: Score, question: Question) -> Score:
    pair = question.pair
    return replace(
        score, teacher=pair.teacher if pair else "", base=(pair.base or "") if pair else ""
    )


def _inputs(sides: Sequence[Sides]) -> tuple[str, ...]:
    named = [
        side
        for s in sides
        for side in (s.student, s.teacher, s.base, s.ceiling)
        if side is not None
    ]
    return tuple(dict.fromkeys(key for side in named for key in side.keys))


def _code(metric: AbstractMetric) -> str:
    """Digest of the code that makes a score: the measure's, and what every score goes through."""
    return code_digest(
        type(metric).__module__,
        "harness.stats.intervals",
        alone=("harness.stages.measuring", "harness.stages.library"),
    )
