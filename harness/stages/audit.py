"""Stage beside the verdicts: whose answers the rows of a file of training answers look like, task by task."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, final

import pyarrow as pa

from harness.board.plain import from_plain, to_plain
from harness.console.forecast import Sort
from harness.console.secrets import redacted
from harness.executors import Desk, Entry, Job, Product, Reason
from harness.files.sources import read_answers
from harness.keys import code_digest, digest
from harness.models.recorded import RecordedModel
from harness.panel.auditing import Row, audit
from harness.panel.audits import Audit
from harness.panel.panel import View
from harness.plan.collections import Collection, Plan
from harness.stages.crowds import answered, crowd_of, sides_of, tokens_key_of
from harness.stages.features import tokens_job
from harness.stages.library import Library
from harness.stages.loop import Lacks, Made, make_all
from harness.store.store import Store
from harness.store.tables import SCHEMA
from harness.text.clean import clean
from harness.types import Paths, Unavailable


@final
@dataclass(frozen=True)
class AuditJob(Job):
    """Compares the rows of a file with everybody's answers to a task."""

    task: str = ""

    doing: ClassVar[str] = "comparing training answers"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row; a reason where the crowd is too small."""
        run = desk.plan.run
        assert run.data is not None
        sides = sides_of(desk, Library(desk.plan, desk.store), self.task)
        crowd = crowd_of(run.case, sides, self.task)
        rows, notes = _read(run.data, run.paths)
        try:
            made = audit(crowd, run.case.origins, run.case.candidates, rows, run.seed)
        except Unavailable as error:
            yield Reason(self.keys[0], str(error))
            return
        made = redacted(replace(made, file=Path(run.data.file).name, notes=tuple(notes)))
        table = pa.table({"audit": [json.dumps(to_plain(made), ensure_ascii=False)]})
        yield Entry(self.keys[0], table, {"audit": self.task})


def audit_rows(plan: Plan, store: Store) -> Made:
    """Makes the audits that are not made yet."""
    executor = plan.run.executor.suited(os.cpu_count() or 1)
    return make_all(plan, store, partial(_jobs, store), executor)


def audits_of(plan: Plan, store: Store) -> tuple[Audit, ...]:
    """The stored audits of a run, task by task; one without shares says why."""
    made = []
    for task, key in _cells(plan, store):
        if store.has(key):
            (row,) = store.table(key)["audit"].to_pylist()
            made.append(from_plain(Audit, json.loads(row)))
        elif plan.run.data is not None:
            reason = store.failure(key) or "not compared"
            made.append(Audit(Path(plan.run.data.file).name, task, reason=reason))
    return tuple(made)


def audit_keys(plan: Plan, store: Store) -> set[str]:
    """The keys of all audits of a run."""
    return {key for _, key in _cells(plan, store)}


def _read(data: RecordedModel, paths: Paths) -> tuple[list[Row], Sequence[str]]:
    """The answers of a file in words, without thoughts; an answer that is missing is empty."""
    read = read_answers(data.source(paths))
    rows = [
        Row(a.place.rsplit(", ", 1)[-1], clean(a.value).text if isinstance(a.value, str) else "")
        for a in read.answers
        if a.kind == "generate"
    ]
    return rows, read.notes


def _cells(plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
    """Task and key of every audit, as far as answers are there."""
    if plan.run.data is None:
        return
    data = plan.run.data.key(plan.run.paths)
    for task in plan.run.tasks:
        there = answered(plan, task, store)
        if there and plan.fits(task, frozenset({View.STYLE})):
            yield task, _key(plan, task, there, data)


def _tokens(plan: Plan, there: Sequence[Collection]) -> Mapping[str, Collection]:
    return {tokens_key_of(plan, c): c for c in there}


def _key(plan: Plan, task: str, there: Sequence[Collection], data: str) -> str:
    """Digest of what determines an audit: its code, the file, all answers, and what is documented of whom."""
    alone = ("harness.stages.audit", "harness.panel.auditing", "harness.panel.evidence")
    code = code_digest("harness.stats.shares", "harness.text.row_habits", alone=alone)
    case, seed = plan.run.case, plan.run.seed
    known = (sorted(case.origins, key=lambda o: o.model), case.families, case.candidates)
    models = [c.model for c in there]
    tokens = sorted(_tokens(plan, there))
    return digest("audit", SCHEMA, code, seed, task, data, models, tokens, known)


def _jobs(store: Store, plan: Plan, lacks: Lacks) -> list[Job]:
    """One job for each task, and before it one for the tokens of each model."""
    jobs: dict[str, Job] = {}
    for task, key in _cells(plan, store):
        if not lacks(key):
            continue
        there = answered(plan, task, store)
        needs = _tokens(plan, there)
        jobs |= {k: tokens_job(k, c) for k, c in needs.items() if lacks(k)}
        title, amounts = f"audit on {task}", {Sort("audit"): float(len(there))}
        jobs[key] = AuditJob((key,), title, "audit", amounts, needs=tuple(needs), task=task)
    return list(jobs.values())
