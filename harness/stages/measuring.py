"""Answers one question: the key of its scores, the measure's findings, and their intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.keys import code_digest, digest, draw_seed
from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.plan.questions import Question
from harness.stages.library import Library
from harness.stats.intervals import evaluate
from harness.store.tables import SCHEMA
from harness.types import Finding, Score, Unavailable


def score_key(question: Question, library: Library) -> str:
    """The key of a question's scores, made without reading answers: code, fields, and the keys of all inputs.

    Raises Unavailable with the first reason why the question cannot be asked.
    """
    metric, pair = question.metric, question.pair
    _require_asked(question, library)
    parts = [
        part
        for task in question.tasks
        for part in library.key_parts(metric.looks_at, task, question.student, pair)
    ]
    alone = "alone" if pair is None else "pair"
    return digest("\n".join([_measure_key(metric, library), alone, *parts]))


def _require_asked(question: Question, library: Library) -> None:
    """Raises Unavailable where the pair lacks a role that the measure needs, or no task fits."""
    looks, pair = question.metric.looks_at, question.pair
    if pair is not None and "base" in looks.needs and pair.base is None:
        raise Unavailable(reasons.nobody("base"))
    if pair is not None and "ceiling" in looks.needs and pair.ceiling is None:
        raise Unavailable(reasons.nobody("ceiling"))
    if not library.plan.fits(question.tasks[0], looks.yields):
        raise Unavailable(looks.no_task())


def _measure_key(metric: AbstractMetric, library: Library) -> str:
    """Digest of what determines the scores of a measure apart from answers: its code, its fields, the run's seed."""
    place = ("measure", metric.name)
    if place not in library.memo:
        parts = ("scores", SCHEMA, code_of(metric), vars(metric), library.seed)
        library.memo[place] = digest(*parts)
    return str(library.memo[place])


def measured(question: Question, library: Library) -> list[Score]:
    """The scores of a question; raises Unavailable with the first reason why the question cannot be asked."""
    metric, looks = question.metric, question.metric.looks_at
    _require_asked(question, library)
    panels = [library.panel(looks, t, question.student, question.pair) for t in question.tasks]
    keys = [
        key
        for task in question.tasks
        for key in library.inputs(looks, task, question.student, question.pair)
    ]
    blank = replace(reasoned(question, "-"), inputs=tuple(dict.fromkeys(keys)))
    rng = np.random.default_rng([library.seed, int(draw_seed(metric.name)[:8], 16)])
    try:
        findings = metric.measure(panels, rng)
    except Unavailable as error:
        return [replace(blank, reason=str(error))]
    return [_score(blank, metric, item, library.seed) for item in findings]


def _score(blank: Score, metric: AbstractMetric, item: Finding, seed: int) -> Score:
    name = f"{metric.name}/{item.name}" if item.name else metric.name
    task = f"{blank.task}/{item.leaf}" if item.leaf else blank.task
    unit, better = item.unit or metric.unit, item.better or metric.better
    blank = replace(blank, metric=name, task=task, unit=unit, better=better)
    if isinstance(item.statistic, str):
        return replace(blank, reason=item.statistic)
    try:
        # One stream per metric and part: students of one teacher are resampled alike, so their
        # scores are paired.
        rng = np.random.default_rng([seed, int(draw_seed(name)[:8], 16)])
        made = evaluate(item.statistic, rng)
    except Unavailable as error:
        return replace(blank, reason=str(error))
    whole = replace(
        blank,
        value=made.value,
        low=made.low,
        high=made.high,
        n=made.n,
        reason="",
        level=made.level,
    )
    if item.name and "own_score" not in metric.topics:  # models are compared by whole measures
        return whole
    clusters = {i: c for i, c in made.clusters.items() if i != c}
    return replace(whole, influence=made.influence, clusters=clusters)


def reasoned(question: Question, reason: str) -> Score:
    """The score of a question that has a reason in place of a value."""
    pair = question.pair
    return Score(
        metric=question.metric.name, task="+".join(question.tasks), student=question.student,
        teacher=pair.teacher if pair else "", base=(pair.base or "") if pair else "", value=None, low=None, high=None,
        n=0, unit=question.metric.unit, better=question.metric.better, reason=reason, inputs=(),
        level=question.metric.level,
    )  # fmt: skip


def placed(score: Score, question: Question) -> Score:
    """A stored score under the names of its question: byte-identical models share their scores."""
    pair = question.pair
    names = (pair.teacher, pair.base or "") if pair else ("", "")
    if (score.teacher, score.base) == names:
        return score
    return replace(score, teacher=names[0], base=names[1])


def code_of(metric: AbstractMetric) -> str:
    """Digest of the code that computes a score: the measure's, and that which all scores share."""
    return code_digest(
        type(metric).__module__,
        "harness.stats.intervals",
        alone=("harness.stages.measuring", "harness.stages.library"),
    )
