"""Stage 1: every model answers every request once; what is interrupted goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby

from harness.console.forecast import Forecast
from harness.console.processes import may_start_processes, without_main
from harness.console.progress import stage
from harness.console.secrets import guard_logs
from harness.executors.local import run_apart
from harness.models import AbstractModel
from harness.plan.collections import Plan
from harness.plan.run import Run
from harness.stages.answering import ModelJob, amounts_of, answer_all
from harness.stages.grade import grade
from harness.store.store import Store


def collect(plan: Plan, store: Store) -> None:
    """Collects and grades every missing cell. A cell that fails leaves its reason in the store and the others go on."""
    jobs = missing_jobs(plan, store)
    if jobs:
        with without_main():
            _prepare(plan.run, [job.model for job in jobs])
            apart = plan.run.workers > 1 and len(jobs) > 1 and may_start_processes()
            with stage("collecting", forecast_of(jobs, plan.run.workers if apart else 1)) as shown:
                if apart:
                    run_apart(
                        answer_all,
                        [(job, store) for job in jobs],
                        plan.run.workers,
                        shown.hear,
                        _worker_begins,
                        sorted({name for job in jobs for name in job.model.imports}),
                    )
                else:
                    for job in jobs:
                        answer_all(job, store, shown.hear)
    grade(plan, store)


def missing_jobs(plan: Plan, store: Store) -> list[ModelJob]:
    """What has to be collected, model by model, each model loaded once."""
    missing = [c for c in plan.cells if not store.has(c.key)]
    groups = groupby(
        sorted(missing, key=lambda c: list(plan.run.models).index(c.cell.model)),
        lambda c: c.cell.model,
    )
    return [
        ModelJob(plan.run.models[model], plan.run.paths, tuple(cells)) for model, cells in groups
    ]


def forecast_of(jobs: Sequence[ModelJob], at_once: int) -> Forecast:
    """How much work every model has, in expected tokens."""
    return Forecast(((c.cell.model, amounts_of(c)) for job in jobs for c in job.cells), at_once)


def _prepare(run: Run, models: Sequence[AbstractModel]) -> None:
    for kind in sorted({m.kind for m in models}):
        same = [m for m in models if m.kind == kind]
        type(same[0]).prepare(same, run.paths)


def _worker_begins() -> None:
    guard_logs()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
