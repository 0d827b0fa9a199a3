"""Stage 1: every model answers every request once; what is interrupted goes on where it stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, final

from harness.console.forecast import Amounts, Sort
from harness.executors import Desk, Job, Product
from harness.executors.local import LocalExecutor
from harness.models import Preparation
from harness.plan.collections import Collection, Plan
from harness.stages.answering import ModelJob, answer_all
from harness.stages.ask import request_jobs
from harness.stages.grade import grade_jobs
from harness.stages.loop import Lacks, Made, make_all
from harness.stages.overlap import overlap_jobs
from harness.stages.unfinished import Unanswered
from harness.store.store import Store
from harness.store.tables import requests_from_table


@final
@dataclass(frozen=True)
class PrepareJob(Job):
    """Makes something that a model needs before it can be opened."""

    preparation: Preparation | None = None

    doing: ClassVar[str] = "preparing"
    foreign: ClassVar[bool] = True
    reports: ClassVar[bool] = True

    def make(self, desk: Desk) -> Iterator[Product]:
        """Nothing that is stored: it lies where the model looks for it."""
        assert self.preparation is not None
        self.preparation.make(desk.tell)
        yield from ()

    def may_start(self, store: Store) -> bool:
        """Whether what it is made from is there."""
        assert self.preparation is not None
        return all(p.is_there() for p in self.preparation.needs)

    def is_done(self, key: str, store: Store) -> bool:
        """Whether it is there."""
        assert self.preparation is not None
        return self.preparation.is_there()


@final
@dataclass(frozen=True)
class CollectJob(Job):
    """Opens one model and has it answer."""

    preparations: tuple[Preparation, ...] = ()  # that must be there before

    doing: ClassVar[str] = "collecting"
    foreign: ClassVar[bool] = True
    reports: ClassVar[bool] = True

    def make(self, desk: Desk) -> Iterator[Product]:
        """Writes pieces as they come, and publishes every collection that is complete."""
        collections = tuple(
            Unanswered(**vars(c), requests=requests_from_table(desk.store.table(c.requests_key)))
            for c in (desk.plan.by_key[key] for key in self.keys)
        )
        model = desk.plan.run.models[collections[0].model]
        answer_all(ModelJob(model, desk.plan.run.paths, collections), desk.store, desk.tell)
        yield from ()

    def may_start(self, store: Store) -> bool:
        """Whether the requests are built and the model is prepared."""
        return super().may_start(store) and all(p.is_there() for p in self.preparations)


def collect(plan: Plan, store: Store) -> Made:
    """Collects and grades what is missing. What fails leaves its reason in the store and the others go on."""
    executor = LocalExecutor(plan.run.workers)
    collected = make_all(plan, store, _jobs, executor)
    return collected.and_then(make_all(collected.plan, store, grade_jobs, executor))


def prepare_jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    """What models need before they are opened, those models that have something to answer."""
    models = {c.model for c in plan.collections if c.summary.built and lacks(c.key)}
    missing = {
        p.key: (p, plan.run.models[name].imports)
        for name in plan.run.models
        if name in models
        for p in plan.run.models[name].preparations(plan.run.paths)
    }
    return [
        PrepareJob((key,), p.title, p.title, p.amounts, apart=True, imports=imports, preparation=p)
        for key, (p, imports) in missing.items()
        if lacks(key)
    ]


def collect_jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    """What has to be collected, model by model, each model loaded once."""
    # models that are the same to the last byte answer once
    wanted: dict[str, Collection] = {}
    for c in plan.collections:
        if c.summary.built and lacks(c.key):
            wanted.setdefault(c.key, c)
    missing = list(wanted.values())
    order = list(plan.run.models)
    missing.sort(key=lambda c: order.index(c.model))
    return [_job(plan, tuple(cs)) for _, cs in groupby(missing, lambda c: c.model)]


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
        apart=True,
        imports=model.imports,
        preparations=tuple(model.preparations(plan.run.paths)),
    )


def _summed(parts: list[Amounts]) -> Amounts:
    total: Counter[Sort] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)
