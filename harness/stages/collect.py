"""Stage 1: every model answers every request once; interrupted work is resumed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import final

from harness.console.forecast import Amounts, Sort
from harness.console.progress import News
from harness.console.resources import Resources
from harness.executors import Desk, Job, Product
from harness.models import Preparation, Purse, keeping
from harness.plan.collections import Collection, Plan
from harness.stages.answering import ModelJob, answer_all
from harness.stages.ask import request_jobs
from harness.stages.features import requests_of
from harness.stages.grade import grade_jobs
from harness.stages.loop import Lacks, Made, make_all
from harness.stages.overlap import overlap_jobs
from harness.stages.unfinished import Unanswered
from harness.store.store import Store
from harness.types import DistillbenchError


@final
@dataclass(frozen=True)
class PrepareJob(Job):
    """Prepares something that a model needs before it can be opened."""

    preparation: Preparation | None = None

    doing = "preparing"
    foreign = True
    reports = True

    def make(self, desk: Desk) -> Iterator[Product]:
        """Makes the preparation where the model expects it; yields nothing to store."""
        assert self.preparation is not None
        started = time.perf_counter()
        self.preparation.make(desk.tell)
        desk.tell(News(self.part, spent={"preparing_s": time.perf_counter() - started}))
        yield from ()

    def may_start(self, store: Store) -> bool:
        """Whether its own requirements are ready."""
        assert self.preparation is not None
        return all(p.is_there() for p in self.preparation.needs)

    def is_done(self, key: str, store: Store) -> bool:
        """Whether the preparation is finished."""
        assert self.preparation is not None
        return self.preparation.is_there()


@final
@dataclass(frozen=True)
class CollectJob(Job):
    """Opens one model and has it answer."""

    preparations: tuple[Preparation, ...] = ()  # that must be finished before
    followed: bool = False  # by a job whose model shares what this one loads

    doing = "collecting"
    foreign = True
    reports = True

    def make(self, desk: Desk) -> Iterator[Product]:
        """Writes answers as they arrive, and publishes every complete collection."""
        collections = tuple(
            Unanswered(**vars(c), requests=requests_of(desk, c.requests_key))
            for c in (desk.plan.by_key[key] for key in self.keys)
        )
        run, name = desk.plan.run, collections[0].model
        own = (c.key for c in desk.plan.collections if c.model == name)
        published = next((key for key in own if desk.store.has(key)), None)
        job = ModelJob(run.models[name], run.paths, collections, run.purse, published)
        with keeping(self.followed):
            answer_all(job, desk.store, desk.tell)
        yield from ()

    def may_start(self, store: Store) -> bool:
        """Whether the requests are built and the model is prepared."""
        return super().may_start(store) and all(p.is_there() for p in self.preparations)


def collect(plan: Plan, store: Store) -> Made:
    """Collects and grades what is missing. The reason of a failure is stored, and the others continue.

    Raises DistillbenchError where a model that is to be asked lacks something, such as a key.
    """
    asked = dict.fromkeys(c.model for c in plan.collections if not store.has(c.key))
    unready = [line for name in asked for line in plan.run.models[name].unready()]
    if unready:
        raise DistillbenchError("\n".join(unready))
    executor = plan.run.executor.suited(plan.run.workers)
    purse = Purse.opened(plan.run.budget, store.root / "work", lock=store.lock)
    try:
        spending = replace(plan, run=replace(plan.run, purse=purse))
        collected = make_all(spending, store, _jobs, executor)
    finally:
        purse.close()
    return collected.and_then(make_all(collected.plan, store, grade_jobs, executor))


def prepare_jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    """Jobs for the preparations of the models that have something to answer."""
    models = {c.model for c in plan.collections if c.summary.built and lacks(c.key)}
    missing = {
        p.key: (p, plan.run.models[name].imports)
        for name in plan.run.models
        if name in models
        for p in plan.run.models[name].preparations(plan.run.paths)
    }
    return [
        PrepareJob(
            (key,),
            p.title,
            p.title,
            p.amounts,
            apart=True,
            imports=imports,
            bundle=1,
            preparation=p,
        )
        for key, (p, imports) in missing.items()
        if lacks(key)
    ]


def collect_jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    """Jobs for the missing collections: one per model, so that each model is loaded once."""
    # byte-identical models answer once
    wanted: dict[str, Collection] = {}
    for c in plan.collections:
        if c.summary.built and lacks(c.key):
            wanted.setdefault(c.key, c)
    missing = list(wanted.values())
    order = {name: i for i, name in enumerate(plan.run.models)}
    missing.sort(key=lambda c: order[c.model])
    return [*_in_turn([_job(plan, tuple(cs)) for _, cs in groupby(missing, lambda c: c.model)])]


def _in_turn(jobs: list[CollectJob]) -> list[CollectJob]:
    """The jobs, with those behind the first whose models share what they load."""
    turns: dict[str, list[CollectJob]] = {}
    for job in jobs:
        turns.setdefault(job.shares or job.title, []).append(job)
    return [
        replace(job, followed=True) if job is not turn[-1] else job
        for turn in turns.values()
        for job in turn
    ]


def _jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    return [
        *request_jobs(plan, lacks),
        *overlap_jobs(plan, lacks),
        *prepare_jobs(plan, lacks),
        *collect_jobs(plan, lacks),
    ]


def _job(plan: Plan, collections: tuple[Collection, ...]) -> CollectJob:
    model = plan.run.models[collections[0].model]
    return CollectJob(
        tuple(c.key for c in collections),
        model.name,
        model.name,
        _summed([c.summary.amounts(c.task, c.decoding) for c in collections]),
        needs=tuple(dict.fromkeys(c.requests_key for c in collections)),
        group=plan.identities.models[model.name],
        shares=model.weights(plan.run.paths),
        apart=True,
        imports=model.imports,
        resources=Resources(model.gpus, model.memory, model.time),
        bundle=0 if model.stays() else 1,
        preparations=tuple(model.preparations(plan.run.paths)),
    )


def _summed(parts: list[Amounts]) -> Amounts:
    total: Counter[Sort] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)
