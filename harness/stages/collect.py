"""Stage 1: every model answers every request once; what is interrupted goes on where it stopped."""

from __future__ import annotations

import dataclasses
import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from harness.console.forecast import Amounts, Forecast, Sort
from harness.console.foreign import listening
from harness.console.processes import may_start_processes, without_main
from harness.console.progress import News, stage
from harness.console.secrets import guard_logs
from harness.console.workload import amounts
from harness.executors.local import Tell, run_apart
from harness.models import AbstractModel
from harness.plan.collections import Plan, PlannedCell
from harness.plan.run import Run
from harness.stages.spilled import FACT, variables_in
from harness.store.store import Store, Work
from harness.store.tables import grades_to_table, join_outputs, outputs_from_table, outputs_to_table
from harness.types import DistillbenchError, Outputs, Unavailable

# What can go wrong inside a model or a server without being our fault: the cell is then missing,
# with that reason.
CELL_FAILURES = (DistillbenchError, Unavailable, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class ModelJob:
    """The cells of one model that are still missing."""

    backend: AbstractModel
    cells: tuple[PlannedCell, ...]


def collect(plan: Plan, store: Store) -> None:
    """Collects and grades every missing cell. A cell that fails leaves its reason in the store and the others go on."""
    jobs = missing_jobs(plan, store)
    if jobs:
        with without_main():
            _prepare(plan.run, [job.backend for job in jobs])
            apart = plan.run.workers > 1 and len(jobs) > 1 and may_start_processes()
            with stage("collecting", forecast_of(jobs, plan.run.workers if apart else 1)) as shown:
                if apart:
                    run_apart(
                        _run_job,
                        [(job, store) for job in jobs],
                        plan.run.workers,
                        shown.hear,
                        _worker_begins,
                        sorted({name for job in jobs for name in job.backend.imports}),
                    )
                else:
                    for job in jobs:
                        _run_job(job, store, shown.hear)
    _grade(plan, store)


def missing_jobs(plan: Plan, store: Store) -> list[ModelJob]:
    """What has to be collected, model by model, each model loaded once."""
    missing = [c for c in plan.cells if not store.has(c.key)]
    groups = groupby(
        sorted(missing, key=lambda c: list(plan.run.models).index(c.cell.model)),
        lambda c: c.cell.model,
    )
    return [ModelJob(plan.run.models[model], tuple(cells)) for model, cells in groups]


def forecast_of(jobs: Sequence[ModelJob], at_once: int) -> Forecast:
    """How much work every model has, in expected tokens."""
    return Forecast(((c.cell.model, _amounts(c)) for job in jobs for c in job.cells), at_once)


def _amounts(planned: PlannedCell, batch: Sequence[int] | None = None) -> Amounts:
    """Expected tokens of a cell, or of those of its requests that stand in `batch`."""
    asked = planned.requests.requests
    return amounts(
        planned.cell.task,
        asked if batch is None else (asked[i] for i in batch),
        planned.cell.decoding,
    )


def _prepare(run: Run, backends: Sequence[AbstractModel]) -> None:
    for kind in sorted({b.kind for b in backends}):
        same = [b for b in backends if b.kind == kind]
        type(same[0]).prepare(same, run.paths)


def _worker_begins() -> None:
    guard_logs()
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _run_job(job: ModelJob, store: Store, tell: Tell) -> None:
    """Loads one model and collects its cells; cells that another process holds come last."""
    started = time.perf_counter()
    model = job.cells[0].cell.model
    tell(News(model, doing=f"loading {model}"))
    try:
        with listening(lambda line: tell(News(model, alarm=line))), job.backend as backend:
            facts = {**backend.facts(), "load_s": time.perf_counter() - started}
            waiting = [c for c in job.cells if not _collect_cell(c, backend, facts, store, tell)]
            if waiting:
                tell(
                    News(
                        model,
                        doing=f"{model} waits for another process that collects {waiting[0].cell.task}",
                    )
                )
            while waiting:
                time.sleep(1.0)
                waiting = [c for c in waiting if not _collect_cell(c, backend, facts, store, tell)]
    except CELL_FAILURES as error:
        for cell in job.cells:
            if not store.has(cell.key):
                _fail(cell, error, store, tell)
    tell(News(model, over=True))


def _collect_cell(
    planned: PlannedCell,
    backend: AbstractModel,
    facts: Mapping[str, Any],
    store: Store,
    tell: Tell,
) -> bool:
    """Collects one cell; False where another process is at it."""
    with store.work(planned.key) as work:
        if work is None:
            return False
        if store.has(planned.key):
            tell(News(planned.cell.model, ended=_amounts(planned), line=f"done {_name(planned)}"))
            return True
        answered: list[int] = []
        try:
            parts = _answer_batches(planned, backend, work, answered, tell)
            _publish(planned, facts, parts, work)
        except CELL_FAILURES as error:
            _fail(planned, error, store, tell, answered)
            return True
    if planned.cell.decoding.sample == 0:
        tell(News(planned.cell.model, line=f"done {_name(planned)}"))
    return True


def _name(planned: PlannedCell) -> str:
    return f"{planned.cell.model} x {planned.cell.task}"


def _answer_batches(
    planned: PlannedCell, backend: AbstractModel, work: Work, answered: list[int], tell: Tell
) -> list[pa.Table]:
    """The parts of a cell; those that are there already are not asked again. Fills `answered` as it goes."""
    requests, model, sample = (
        planned.requests.requests,
        planned.cell.model,
        planned.cell.decoding.sample,
    )
    again = f" (sample {sample + 1})" if sample else ""
    begun = work.plan()
    if begun is None:
        begun = work.plan({"batches": backend.batches(requests, planned.cell.decoding)})
    assert begun is not None
    for index, batch in enumerate(begun["batches"]):
        piece, started, known = (
            _amounts(planned, batch),
            time.perf_counter(),
            work.part(index) is not None,
        )
        doing = f"{_name(planned)}{again}, {len(answered)} of {len(requests)} requests"
        tell(News(model, doing=doing, begun=piece))
        if not known:
            work.write(index, _answer_batch(planned, backend, batch))
        answered += batch
        tell(News(model, ended=piece, seconds=None if known else time.perf_counter() - started))
    parts = [work.part(i) for i in range(len(begun["batches"]))]
    return [p for p in parts if p is not None]


def _answer_batch(planned: PlannedCell, backend: AbstractModel, batch: Sequence[int]) -> pa.Table:
    requests = [planned.requests.requests[i] for i in batch]
    ids = [planned.requests.prompts[r.prompt].id for r in requests]
    started = time.perf_counter()
    outputs = backend.answer(requests, ids, planned.cell.decoding)
    wall_s = time.perf_counter() - started
    outputs = dataclasses.replace(outputs, request=np.asarray(batch, np.int64)[outputs.request])
    table = outputs_to_table(outputs)
    timing = {b"wall_s": repr(wall_s).encode(), b"rows": str(len(batch)).encode()}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **timing})


def _publish(
    planned: PlannedCell, facts: Mapping[str, Any], parts: Sequence[pa.Table], work: Work
) -> None:
    table = join_outputs(parts)
    outputs = outputs_from_table(table)
    timings = [
        (float(p.schema.metadata[b"wall_s"]), int(p.schema.metadata[b"rows"])) for p in parts
    ]
    provenance = {**facts, **_cost(outputs, timings), "peak_memory_bytes": _peak_memory_bytes()}
    if spilled := variables_in(outputs):
        provenance[FACT] = spilled
    cell = planned.cell
    spec = {
        "model": cell.model,
        "task": cell.task,
        "asks": planned.asks,
        "decoding": vars(cell.decoding),
    }
    work.store.put(planned.key, table, spec, provenance)
    work.store.forget_failure(planned.key)
    work.drop()


def _cost(outputs: Outputs, timings: Sequence[tuple[float, int]]) -> dict[str, float | int]:
    """Seconds and tokens. A request's latency is the time of the batch that it was answered in."""
    latencies = np.repeat([wall for wall, _ in timings], [rows for _, rows in timings])
    return {
        "wall_s": float(sum(wall for wall, _ in timings)),
        "n_tokens": int(outputs.n_tokens.sum()),
        "n_answered": int(sum(outputs.answered)),
        "latency_p50_s": float(np.quantile(latencies, 0.5)),
        "latency_p95_s": float(np.quantile(latencies, 0.95)),
    }


def _peak_memory_bytes() -> int:
    """Largest resident memory of this process so far (Linux counts in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if os.uname().sysname == "Darwin" else int(peak) * 1024


def _fail(
    planned: PlannedCell, error: Exception, store: Store, tell: Tell, answered: Sequence[int] = ()
) -> None:
    # no space, quota: stop, what is done is kept
    if isinstance(error, OSError) and error.errno in (28, 122):
        raise error
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    store.note_failure(planned.key, reason)
    rest = [i for i in range(len(planned.requests.requests)) if i not in set(answered)]
    tell(
        News(
            planned.cell.model,
            ended=_amounts(planned, rest),
            alarm=f"missing {_name(planned)}: {reason}",
        )
    )


def _grade(plan: Plan, store: Store) -> None:
    todo = [
        c for c in plan.cells if c.grades_key and not store.has(c.grades_key) and store.has(c.key)
    ]
    if not todo:
        return
    pieces = [(c, {Sort(c.cell.task): float(len(c.requests.requests))}) for c in todo]
    with stage("grading", Forecast((c.cell.model, piece) for c, piece in pieces)) as shown:
        for planned, piece in pieces:
            started = time.perf_counter()
            shown.hear(News(planned.cell.model, doing=_name(planned), begun=piece))
            _grade_cell(plan, planned, store)
            shown.hear(News(planned.cell.model, ended=piece, seconds=time.perf_counter() - started))


def _grade_cell(plan: Plan, planned: PlannedCell, store: Store) -> None:
    assert planned.grades_key is not None
    outputs = outputs_from_table(store.table(planned.key))
    try:
        grades = plan.run.tasks[planned.cell.task].grade(planned.requests, outputs, planned.setting)
    except Unavailable as error:
        store.note_failure(planned.grades_key, str(error))
        return
    if grades is not None:
        spec = {"model": planned.cell.model, "task": planned.cell.task, "outputs": planned.key}
        store.put(planned.grades_key, grades_to_table(grades), spec, {})
