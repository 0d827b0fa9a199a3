"""Building of request sets, once each; every fault of the input is reported before a model loads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product
from harness.executors.local import LocalExecutor
from harness.panel.side import Side
from harness.plan.collections import Asked, Plan, faults_of, make_plan
from harness.plan.identities import identify
from harness.plan.run import Run
from harness.plan.summary import summarize, summary_to_json
from harness.stages.loop import Lacks, Made, make_all, summaries_in
from harness.store.store import Store
from harness.store.tables import outputs_from_table, requests_from_table, requests_to_table
from harness.tasks import AbstractTask, Author, Setting, asks
from harness.types import DistillbenchError, RequestSet


@final
@dataclass(frozen=True)
class RequestsJob(Job):
    """Builds the requests of one task."""

    doing = "building requests"
    foreign = True  # a task's YAML may run its own code

    def make(self, desk: Desk) -> Iterator[Product]:
        """The request set, with its summary as its spec."""
        (key,) = self.keys
        asked = next(s for s in desk.plan.sets if s.key == key)
        task, setting = (
            desk.plan.run.tasks[asked.task],
            loaded(asked.setting, desk.plan, desk.store),
        )
        requests = asked_by(task, setting)
        summary = summary_to_json(summarize(requests, asks(requests)))
        spec = {"task": asked.task, "chat": setting.chat, "summary": summary}
        yield Entry(key, requests_to_table(requests), spec)


def asked_by(task: AbstractTask, setting: Setting) -> RequestSet:
    """The requests of a task, with its further tags around thoughts."""
    return dataclasses.replace(task.requests(setting), think=task.think)


def ask(run: Run, store: Store) -> Plan:
    """The plan of `build_requests`."""
    return build_requests(run, store).plan


def build_requests(run: Run, store: Store) -> Made:
    """The plan of a run with all request sets except those made of answers; builds missing ones, loads no model.

    Raises DistillbenchError with every fault that can be known, one a line: those of the words before data are read.
    """
    identities = identify(run)
    first = make_plan(run, identities, summaries_in(store))
    _refuse([*identities.faults, *faults_of(first)])
    made = make_all(first, store, _jobs, LocalExecutor())
    wrong = [e.error for e in made.ended if e.wrong_input]
    _refuse([*wrong, *faults_of(made.plan)])
    return made


def _refuse(faults: Sequence[str]) -> None:
    """Raises DistillbenchError with every fault."""
    if faults:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))


def request_jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    """Builds the request sets that are missing; those made of answers wait for these."""
    return [_job(s) for s in plan.sets if lacks(s.key)]


def loaded(setting: Setting, plan: Plan, store: Store) -> Setting:
    """The setting with the answers of its authors."""
    authors = tuple(_with_answers(a, plan, store) for a in setting.authors)
    return dataclasses.replace(setting, authors=authors)


def _jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    return [_job(s) for s in plan.sets if s.summary is None and lacks(s.key)]


def _job(asked: Asked) -> RequestsJob:
    title = f"the requests of {asked.task}"
    return RequestsJob((asked.key,), title, asked.task, {Sort("build"): 1.0}, needs=asked.needs)


def _with_answers(author: Author, plan: Plan, store: Store) -> Author:
    key, requests_key = author.keys
    requests = requests_from_table(store.table(requests_key))
    outputs = outputs_from_table(store.table(key))
    side = Side(author.model, author.model, requests, outputs, None, author.keys)
    return dataclasses.replace(author, side=side)
