"""Stage 2: every measure of every pair, from stored outputs alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from harness.console.forecast import Forecast, Sort
from harness.console.processes import may_start_processes
from harness.console.progress import News, stage
from harness.executors.local import Tell, run_apart
from harness.keys import canonical, code_digest, digest, draw_seed
from harness.metrics import AbstractMetric
from harness.panel.panel import Sides
from harness.plan.collections import Plan, asked
from harness.plan.run import Run
from harness.stages.library import Library
from harness.stats.intervals import evaluate
from harness.store.store import Store
from harness.store.tables import SCHEMA, scores_from_table, scores_to_table
from harness.types import Found, Pair, Score, Unavailable


@dataclass(frozen=True)
class Question:
    """One metric asked of one student: with a teacher, or of the model alone."""

    metric: AbstractMetric
    tasks: tuple[str, ...]  # one, or all that fit where the metric is across tasks
    student: str
    pair: Pair | None  # None = of the model alone


def score(plan: Plan, store: Store) -> tuple[Score, ...]:
    """All scores of a run in a fixed order; what is stored is read, the rest computed on all cores and stored."""
    library = Library(plan, store)
    with stage("reading what is to be scored"):
        questions = list(all_questions(plan.run, library))
        missing = [q for q in questions if _is_missing(q, library)]
    apart = len(missing) >= _WORTH_PROCESSES and may_start_processes()
    pieces = _pieces(missing)
    workers = min(os.cpu_count() or 1, len(pieces)) if apart else 1
    with stage("scoring", Forecast(((q.student, _amounts(q)) for q in missing), workers)) as shown:
        if apart:
            begin = partial(_worker_begins, plan, store)
            run_apart(_worker_computes, [(piece,) for piece in pieces], workers, shown.hear, begin)
        else:
            _compute_all([q for piece in pieces for q in piece], library, shown.hear)
    with stage("reading the scores"):
        return tuple(_said_once([s for q in questions for s in _answered(q, library)]))


_WORTH_PROCESSES = 60  # questions; starting processes costs about as much as answering these
_STUDENTS = 2  # of one teacher and base in a piece of work


def _amounts(question: Question) -> dict[Sort, float]:
    """What a question counts among those of its metric: once for every task."""
    return {Sort(question.metric.name): float(len(question.tasks))}


def _compute_all(questions: Sequence[Question], library: Library, tell: Tell) -> None:
    for question in questions:
        doing = f"{question.metric.name} of {question.student}, {'+'.join(question.tasks)}"
        tell(News(question.student, doing=doing, begun=_amounts(question)))
        tell(News(question.student, ended=_amounts(question), seconds=_compute(question, library)))


def _pieces(questions: Sequence[Question]) -> list[list[Question]]:
    """All questions about a few students of one teacher and base together: their texts are then read only once."""
    of_pair = [(q, (q.pair.teacher, q.pair.base)) for q in questions if q.pair]
    first = {q.student: sides for q, sides in reversed(of_pair)}
    alone = [(q, first.get(q.student)) for q in questions if not q.pair]
    groups: dict[tuple[str, str | None] | None, dict[str, list[Question]]] = {}
    for q, sides in [*alone, *of_pair]:
        groups.setdefault(sides, {}).setdefault(q.student, []).append(q)
    return [
        [q for of_student in students[i : i + _STUDENTS] for q in of_student]
        for students in (list(g.values()) for g in groups.values())
        for i in range(0, len(students), _STUDENTS)
    ]


_library: list[Library] = []


def _worker_begins(plan: Plan, store: Store) -> None:
    _library.append(Library(plan, store))


def _worker_computes(questions: Sequence[Question], tell: Tell) -> None:
    _compute_all(questions, _library[0], tell)


def all_questions(run: Run, library: Library) -> Iterable[Question]:
    """Every question of the matrix: models alone, pairs, and the same of controls and of a ceiling's other version.

    A metric that no task fits is asked once over all tasks, so that its reason is seen.
    """
    for metric in run.metrics.values():
        fitting = tuple(t for t in run.tasks if library.fits(t, metric.needs))
        groups = (
            [fitting or tuple(run.tasks)]
            if metric.across_tasks or not fitting
            else [(t,) for t in fitting]
        )
        for group in groups:
            if metric.of != "pair":
                models = [m for m in run.models if any(asked(run, m, t) for t in group)]
                yield from (Question(metric, group, model, None) for model in models)
            if metric.of != "model":
                yield from (Question(metric, group, p.student, p) for p in compared_pairs(run))


def compared_pairs(run: Run) -> list[Pair]:
    """The pairs, then every control and every other version of a teacher in the student's place."""
    pairs = list(run.pairs)
    seen = {(p.teacher, p.student, p.base) for p in pairs}
    for pair in run.pairs:
        stand_ins = [c.model for c in run.controls if not c.teachers or pair.teacher in c.teachers]
        if pair.ceiling not in (None, "second_sample"):
            stand_ins.append(str(pair.ceiling))
        for model in stand_ins:
            key = (pair.teacher, model, pair.base)
            if model not in (pair.teacher, pair.base) and key not in seen:
                seen.add(key)
                pairs.append(replace(pair, student=model))
    return pairs


def _is_missing(question: Question, library: Library) -> bool:
    try:
        return not library.store.has(_key(question, _sides(question, library), library.seed))
    except Unavailable:
        return False


def _compute(question: Question, library: Library) -> float:
    """Seconds that it took to answer a question and to store the answer."""
    started = time.perf_counter()
    sides = _sides(question, library)
    with threadpool_limits(1):  # sums then do not depend on the number of cores
        scores = _computed(question, sides, library.seed)
    spec = {"metric": question.metric.name, "student": question.student}
    library.store.put(_key(question, sides, library.seed), scores_to_table(scores), spec, {})
    return time.perf_counter() - started


def _answered(question: Question, library: Library) -> Sequence[Score]:
    try:
        sides = _sides(question, library)
    except Unavailable as error:
        return [_reason(question, str(error))]
    key = _key(question, sides, library.seed)
    return [_placed(s, question) for s in scores_from_table(library.store.table(key))]


def _key(question: Question, sides: Sequence[Sides], seed: int) -> str:
    return digest(
        "scores",
        SCHEMA,
        _code(question.metric),
        vars(question.metric),
        _identity(question, sides),
        seed,
    )


def _sides(question: Question, library: Library) -> list[Sides]:
    """The answers that a question needs; raises Unavailable with the first reason why it cannot be asked."""
    needs = question.metric.needs
    pair = question.pair
    if pair is not None and "base" in needs and pair.base is None:
        raise Unavailable("this pair names no base")
    if pair is not None and pair.ceiling is None and "ceiling" in needs:
        raise Unavailable("this pair names no ceiling")
    if not library.fits(question.tasks[0], needs):
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


def _computed(question: Question, sides: Sequence[Sides], seed: int) -> list[Score]:
    metric = question.metric
    try:
        found = metric.found(
            sides, np.random.default_rng([seed, int(draw_seed(metric.name)[:8], 16)])
        )
    except Unavailable as error:
        return [replace(_reason(question, str(error)), inputs=_inputs(sides))]
    return [_score(question, sides, item, seed) for item in found]


def _score(question: Question, sides: Sequence[Sides], item: Found, seed: int) -> Score:
    metric = question.metric
    name = f"{metric.name}/{item.name}" if item.name else metric.name
    task = "+".join(s.task for s in sides)
    blank = replace(
        _reason(question, "-"), metric=name, task=f"{task}/{item.leaf}" if item.leaf else task, inputs=_inputs(sides),
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


def _reason(question: Question, reason: str) -> Score:
    pair = question.pair
    return Score(
        metric=question.metric.name, task="+".join(question.tasks), student=question.student,
        teacher=pair.teacher if pair else "", base=(pair.base or "") if pair else "", value=None, low=None, high=None,
        n=0, unit=question.metric.unit, better=question.metric.better, reason=reason, inputs=(),
        level=question.metric.level,
    )  # fmt: skip


def _placed(score: Score, question: Question) -> Score:
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


def _said_once(scores: Sequence[Score]) -> list[Score]:
    """What a metric says of a model alone is not said again of its pairs."""
    alone = {(s.metric, s.task, s.student) for s in scores if not s.teacher}
    return [s for s in scores if not s.teacher or (s.metric, s.task, s.student) not in alone]


def _code(metric: AbstractMetric) -> str:
    """Digest of the code that makes a score: the measure's, and what every score goes through."""
    return code_digest(
        type(metric).__module__,
        "harness.stats.intervals",
        alone=("harness.stages.score", "harness.stages.library"),
    )
