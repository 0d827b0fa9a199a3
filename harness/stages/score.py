"""Stage 2: every measure of every pair, from stored outputs alone."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial

from threadpoolctl import threadpool_limits

from harness.console.forecast import Forecast, Sort
from harness.console.processes import may_start_processes
from harness.console.progress import News, stage
from harness.executors.local import Tell, run_apart
from harness.plan.collections import Plan
from harness.plan.questions import Question, all_questions
from harness.stages.library import Library
from harness.stages.measuring import measured, placed, reasoned, score_key
from harness.store.store import Store
from harness.store.tables import scores_from_table, scores_to_table
from harness.types import Score, Unavailable


def score(plan: Plan, store: Store) -> tuple[Score, ...]:
    """All scores of a run in a fixed order; what is stored is read, the rest computed on all cores and stored."""
    library = Library(plan, store)
    with stage("reading what is to be scored"):
        questions = list(all_questions(plan))
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


def _is_missing(question: Question, library: Library) -> bool:
    try:
        return not library.store.has(score_key(question, library))
    except Unavailable:
        return False


def _compute(question: Question, library: Library) -> float:
    """Seconds that it took to answer a question and to store the answer."""
    started = time.perf_counter()
    with threadpool_limits(1):  # sums then do not depend on the number of cores
        scores = measured(question, library)
    spec = {"metric": question.metric.name, "student": question.student}
    library.store.put(score_key(question, library), scores_to_table(scores), spec, {})
    return time.perf_counter() - started


def _answered(question: Question, library: Library) -> Sequence[Score]:
    try:
        key = score_key(question, library)
    except Unavailable as error:
        return [reasoned(question, str(error))]
    return [placed(s, question) for s in scores_from_table(library.store.table(key))]


def _said_once(scores: Sequence[Score]) -> list[Score]:
    """What a metric says of a model alone is not said again of its pairs."""
    alone = {(s.metric, s.task, s.student) for s in scores if not s.teacher}
    return [s for s in scores if not s.teacher or (s.metric, s.task, s.student) not in alone]
