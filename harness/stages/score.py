"""Stage 2: every measure of every pair, from stored outputs alone."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import pyarrow as pa
from threadpoolctl import ThreadpoolController

from harness.console.forecast import Sort
from harness.console.progress import News, say, stage
from harness.executors import AbstractExecutor, Desk, Ended, Job, Product, Rows
from harness.plan.collections import Plan
from harness.plan.questions import Question, all_questions
from harness.stages.features import WORTH_READING, ReadingJob, reading_job, reading_key
from harness.stages.library import Library
from harness.stages.loop import Made, carry_out_all
from harness.stages.measuring import measured, placed, reasoned, score_key
from harness.stages.renewal import note_code, renewed
from harness.store.store import Store
from harness.store.tables import scores_from_rows, scores_to_table
from harness.types import Score, Unavailable

_WORTH_PROCESSES = 60  # questions; starting processes costs about as much as answering these
_STUDENTS = 2  # of one teacher and base in a job
_BUNDLE = 4  # such jobs that one start of a program elsewhere is worth
_LIBRARY, _POOLS, _IMPORTED = "library", "thread pools", "modules imported"  # places on the desk


@final
@dataclass(frozen=True)
class ScoreJob(Job):
    """Answers the questions about a few students."""

    questions: tuple[Question, ...] = ()  # aligned with keys

    doing = "scoring"
    reports = True

    def make(self, desk: Desk) -> Iterator[Product]:
        """The scores, packed together."""
        library = desk.shared.setdefault(_LIBRARY, Library(desk.plan, desk.store))
        yield Rows({k: self._table(q, library, desk) for k, q in self._pairs()})

    def is_done(self, key: str, store: Store) -> bool:
        """Whether its scores are in a pack."""
        return store.packs.has(key)

    def split(self) -> list[ScoreJob]:
        """A job for every question; none where there is only one."""
        pairs = self._pairs() if len(self.keys) > 1 else []
        return [
            replace(self, keys=(k,), questions=(q,), amounts=_amounts(q), title=_title(q))
            for k, q in pairs
        ]

    def _pairs(self) -> list[tuple[str, Question]]:
        return list(zip(self.keys, self.questions, strict=True))

    def _table(self, question: Question, library: Library, desk: Desk) -> pa.Table:
        doing, amounts, started = _title(question), _amounts(question), time.perf_counter()
        desk.tell(News(self.part, doing=doing, begun=amounts))
        with _thread_pools(desk).limit(limits=1):  # sums then do not depend on the number of cores
            scores = measured(question, library)
        seconds = time.perf_counter() - started
        spent = {f"scoring_s/{question.metric.name}": seconds}
        desk.tell(News(self.part, ended=amounts, seconds=seconds, spent=spent))
        return scores_to_table(scores)


def _thread_pools(desk: Desk) -> ThreadpoolController:
    """The thread pools of the libraries in this process, looked up again only when something was imported since."""
    imported = len(sys.modules)
    if desk.shared.get(_IMPORTED) != imported:
        desk.shared.update({_IMPORTED: imported, _POOLS: ThreadpoolController()})
    pools: ThreadpoolController = desk.shared[_POOLS]
    return pools


@dataclass(frozen=True)
class Scored:
    """All scores of a run in a fixed order, and what was made for them."""

    scores: tuple[Score, ...]
    made: Made
    # (metric, tasks) -> keys of all questions that could be asked
    keys: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict, repr=False)


def score(plan: Plan, store: Store) -> Scored:
    """All scores of a run; what is stored is read, the rest computed on all cores and stored."""
    with stage("reading what is to be scored"):
        library = Library(plan, store)
        asked = [(q, _key_or_reason(q, library)) for q in all_questions(plan)]
        missing = {k: q for q, k in asked if isinstance(k, str) and not store.packs.has(k)}
        features = _features(missing.values(), library)
    if line := renewed(missing.values(), store):
        say(line)
    executor = plan.run.executor.suited(os.cpu_count() or 1)
    ended = carry_out_all(features, plan, store, executor) if features else []
    ended += _worked_off(_jobs(missing), plan, store, executor)
    with stage("reading the scores"):
        stored = _stored({k for _, k in asked if isinstance(k, str)}, store)
        scores = _said_once([s for q, key in asked for s in _answered(q, key, stored, store)])
    note_code(list(plan.run.metrics.values()), store)
    made = frozenset(k for e in ended for k in e.job.keys if e.job.is_done(k, store))
    keys: dict[tuple[str, str], list[str]] = {}
    for q, key in asked:
        if isinstance(key, str):
            keys.setdefault((q.metric.name, "+".join(q.tasks)), []).append(key)
    return Scored(tuple(scores), Made(plan, made, tuple(ended)), keys)


def _features(questions: Iterable[Question], library: Library) -> list[ReadingJob]:
    """Jobs for the features of texts that are not stored yet."""
    tasks = library.plan.run.tasks
    collections = {
        reading_key(c.key, tasks[task].think): c
        for q in questions
        for task in q.tasks
        for c in library.styled(q.metric.looks_at, task, q.student, q.pair)
    }
    missing = {key: c for key, c in collections.items() if not library.store.has(key)}
    apart = sum(c.summary.n_requests for c in missing.values()) >= WORTH_READING
    return [reading_job(key, c, apart=apart) for key, c in missing.items()]


def _worked_off(
    jobs: Sequence[ScoreJob], plan: Plan, store: Store, executor: AbstractExecutor
) -> list[Ended]:
    """How the jobs ended; one that failed is split into its questions, so that only the faulty ones fail."""
    ended: list[Ended] = []
    while jobs:
        done = carry_out_all(jobs, plan, store, executor)
        failed = [e.job for e in done if e.error]
        jobs = [part for job in failed if isinstance(job, ScoreJob) for part in job.split()]
        ended += [e for e in done if not e.error or len(e.job.keys) == 1]
    store.packs.refresh()
    return ended


@dataclass(frozen=True)
class _NoKey:
    """Why a question cannot be asked."""

    reason: str


def _key_or_reason(question: Question, library: Library) -> str | _NoKey:
    try:
        return score_key(question, library)
    except Unavailable as error:
        return _NoKey(str(error))


def _jobs(missing: Mapping[str, Question]) -> list[ScoreJob]:
    """Jobs for the unanswered questions; questions about a few students of one teacher and base share a job."""
    apart = len(missing) >= _WORTH_PROCESSES
    return [score_job({k: missing[k] for k in keys}, apart=apart) for keys in _pieces(missing)]


def questions_of(plan: Plan, store: Store) -> dict[str, Question]:
    """Key of the scores -> question, for all that can be asked of what is stored."""
    library = Library(plan, store)
    asked = [(_key_or_reason(q, library), q) for q in all_questions(plan)]
    return {key: q for key, q in asked if isinstance(key, str)}


def score_job(questions: Mapping[str, Question], *, apart: bool) -> ScoreJob:
    """The job that answers these questions, by their keys."""
    amounts: Counter[Sort] = Counter()
    for question in questions.values():
        amounts.update(_amounts(question))
    title = f"scores of {' and '.join(dict.fromkeys(q.student for q in questions.values()))}"
    return ScoreJob(
        tuple(questions),
        title,
        title,
        dict(amounts),
        apart=apart,
        bundle=_BUNDLE,
        questions=tuple(questions.values()),
    )


def _title(question: Question) -> str:
    return f"{question.metric.name} of {question.student}, {'+'.join(question.tasks)}"


def _amounts(question: Question) -> dict[Sort, float]:
    """The amount of work of a question: 1 for every task."""
    return {Sort(question.metric.name): float(len(question.tasks))}


def _pieces(missing: Mapping[str, Question]) -> list[list[str]]:
    """Keys of all questions about a few students of one teacher and base: so that their texts are read only once."""
    first = {
        q.student: (q.pair.teacher, q.pair.base) for q in list(missing.values())[::-1] if q.pair
    }
    groups: dict[tuple[str, str | None] | None, dict[str, list[str]]] = {}
    for key, q in sorted(missing.items(), key=lambda item: item[1].pair is not None):
        sides = (q.pair.teacher, q.pair.base) if q.pair else first.get(q.student)
        groups.setdefault(sides, {}).setdefault(q.student, []).append(key)
    return [
        [key for of_student in students[i : i + _STUDENTS] for key in of_student]
        for students in (list(g.values()) for g in groups.values())
        for i in range(0, len(students), _STUDENTS)
    ]


def _stored(keys: Iterable[str], store: Store) -> dict[str, tuple[Score, ...]]:
    there = sorted(key for key in keys if store.packs.has(key))
    return {key: scores_from_rows(rows) for key, rows in store.packs.rows(there)}


def _answered(
    question: Question, key: str | _NoKey, stored: Mapping[str, Sequence[Score]], store: Store
) -> Sequence[Score]:
    if isinstance(key, _NoKey):
        return [reasoned(question, key.reason)]
    if key not in stored:
        return [reasoned(question, store.failure(key) or "not computed")]
    return [placed(s, question) for s in stored[key]]


def _said_once(scores: Sequence[Score]) -> list[Score]:
    """The scores, without those of pairs that repeat what a metric says of the model alone."""
    alone = {(s.metric, s.task, s.student) for s in scores if not s.teacher}
    return [s for s in scores if not s.teacher or (s.metric, s.task, s.student) not in alone]
