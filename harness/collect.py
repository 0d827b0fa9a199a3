"""Stage 1: every model answers every request once; what is interrupted goes on where it stopped."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from queue import Empty
from typing import Any

import numpy as np
import pyarrow as pa

from harness.foreign import listening
from harness.matrix import Run
from harness.plan import Plan, PlannedCell
from harness.plugins import AbstractBackend
from harness.processes import may_start_processes, without_main
from harness.progress import Bar, bar
from harness.secrets import guard_logs
from harness.spilled import FACT, variables_in
from harness.store import Store, Work
from harness.tables import grades_to_table, join_outputs, outputs_from_table, outputs_to_table
from harness.types import DistillbenchError, Outputs, Unavailable

Step = Callable[[int, str], None]
# What can go wrong inside a model or a server without being our fault: the cell is then missing, with that reason.
CELL_FAILURES = (DistillbenchError, Unavailable, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class ModelJob:
    """The cells of one model that are still missing."""

    backend: AbstractBackend
    cells: tuple[PlannedCell, ...]


def collect(plan: Plan, store: Store) -> None:
    """Collects and grades every missing cell. A cell that fails leaves its reason in the store and the others go on."""
    jobs = missing_jobs(plan, store)
    if jobs:
        total = sum(len(c.requests.requests) for job in jobs for c in job.cells)
        with without_main():
            _prepare(plan.run, [job.backend for job in jobs])
            with bar("collecting", total) as progress:
                _run_jobs(plan.run, jobs, store, progress)
    _grade(plan, store)


def missing_jobs(plan: Plan, store: Store) -> list[ModelJob]:
    """What has to be collected, model by model, each model loaded once."""
    missing = [c for c in plan.cells if not store.has(c.key)]
    groups = groupby(sorted(missing, key=lambda c: list(plan.run.models).index(c.cell.model)), lambda c: c.cell.model)
    return [ModelJob(plan.run.models[model], tuple(cells)) for model, cells in groups]


def _prepare(run: Run, backends: Sequence[AbstractBackend]) -> None:
    for kind in sorted({b.kind for b in backends}):
        same = [b for b in backends if b.kind == kind]
        type(same[0]).prepare(same, run.paths)


def _run_jobs(run: Run, jobs: Sequence[ModelJob], store: Store, progress: Bar) -> None:
    if run.workers == 1 or len(jobs) == 1 or not may_start_processes():
        for job in jobs:
            _run_job(job, store, lambda steps, what: _show(progress, steps, what))
        return
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with ProcessPoolExecutor(run.workers, context, _worker_begins, (queue,)) as pool:
        futures = [pool.submit(_worker_runs, job, store) for job in jobs]
        while not all(f.done() for f in futures):
            _drain(queue, progress, wait_s=0.2)
        for future in futures:
            future.result()
    _drain(queue, progress, wait_s=0.0)


def _show(progress: Bar, steps: int, what: str) -> None:
    if what.startswith("!"):
        progress.say(what[1:])
        return
    progress.advance(steps, what)
    if progress.plain and what.startswith("done "):
        progress.say(what)


def _drain(queue: Any, progress: Bar, wait_s: float) -> None:
    try:
        while True:
            _show(progress, *queue.get(timeout=wait_s) if wait_s else queue.get_nowait())
    except Empty:
        return


_queue: Any = None


def _worker_begins(queue: Any) -> None:
    global _queue
    _queue = queue
    guard_logs()
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _worker_runs(job: ModelJob, store: Store) -> None:
    _run_job(job, store, lambda steps, what: _queue.put((steps, what)))


def _run_job(job: ModelJob, store: Store, step: Step) -> None:
    """Loads one model and collects its cells; cells that another process holds come last."""
    started = time.perf_counter()
    try:
        with listening(lambda line: step(0, f"!{line}")), job.backend as backend:
            facts = {**backend.facts(), "load_s": time.perf_counter() - started}
            waiting = [c for c in job.cells if not _collect_cell(c, backend, facts, store, step)]
            while waiting:
                time.sleep(1.0)
                waiting = [c for c in waiting if not _collect_cell(c, backend, facts, store, step)]
    except CELL_FAILURES as error:
        for cell in job.cells:
            if not store.has(cell.key):
                _fail(cell, error, store, step)


def _collect_cell(
    planned: PlannedCell, backend: AbstractBackend, facts: Mapping[str, Any], store: Store, step: Step
) -> bool:
    """Collects one cell; False where another process is at it."""
    with store.work(planned.key) as work:
        if work is None:
            return False
        if store.has(planned.key):
            step(len(planned.requests.requests), f"done {planned.cell.model} x {planned.cell.task}")
            return True
        try:
            _answer_batches(planned, backend, facts, work, step)
        except CELL_FAILURES as error:
            _fail(planned, error, store, step)
    return True


def _answer_batches(
    planned: PlannedCell, backend: AbstractBackend, facts: Mapping[str, Any], work: Work, step: Step
) -> None:
    requests = planned.requests.requests
    begun = work.plan()
    if begun is None:
        begun = work.plan({"batches": backend.batches(requests, planned.cell.decoding)})
    assert begun is not None
    for index, batch in enumerate(begun["batches"]):
        if work.part(index) is None:
            work.write(index, _answer_batch(planned, backend, batch))
        step(len(batch), f"{planned.cell.model} x {planned.cell.task}")
    parts = [work.part(i) for i in range(len(begun["batches"]))]
    _publish(planned, facts, [p for p in parts if p is not None], work)
    if planned.cell.decoding.sample == 0:
        step(0, f"done {planned.cell.model} x {planned.cell.task}")


def _answer_batch(planned: PlannedCell, backend: AbstractBackend, batch: Sequence[int]) -> pa.Table:
    requests = [planned.requests.requests[i] for i in batch]
    ids = [planned.requests.prompts[r.prompt].id for r in requests]
    started = time.perf_counter()
    outputs = backend.answer(requests, ids, planned.cell.decoding)
    wall_s = time.perf_counter() - started
    outputs = dataclasses.replace(outputs, request=np.asarray(batch, np.int64)[outputs.request])
    table = outputs_to_table(outputs)
    timing = {b"wall_s": repr(wall_s).encode(), b"rows": str(len(batch)).encode()}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **timing})


def _publish(planned: PlannedCell, facts: Mapping[str, Any], parts: Sequence[pa.Table], work: Work) -> None:
    table = join_outputs(parts)
    outputs = outputs_from_table(table)
    timings = [(float(p.schema.metadata[b"wall_s"]), int(p.schema.metadata[b"rows"])) for p in parts]
    provenance = {**facts, **_cost(outputs, timings), "peak_memory_bytes": _peak_memory_bytes()}
    if spilled := variables_in(outputs):
        provenance[FACT] = spilled
    cell = planned.cell
    spec = {"model": cell.model, "task": cell.task, "requests": planned.requests_key, "decoding": vars(cell.decoding)}
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


def _fail(planned: PlannedCell, error: Exception, store: Store, step: Step) -> None:
    if isinstance(error, OSError) and error.errno in (28, 122):  # no space, quota: stop, what is done is kept
        raise error
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    store.note_failure(planned.key, reason)
    step(len(planned.requests.requests), f"!missing {planned.cell.model} x {planned.cell.task}: {reason}")


def _grade(plan: Plan, store: Store) -> None:
    todo = [c for c in plan.cells if c.grades_key and not store.has(c.grades_key) and store.has(c.key)]
    if not todo:
        return
    with bar("grading", len(todo)) as progress:
        for planned in todo:
            assert planned.grades_key is not None
            outputs = outputs_from_table(store.table(planned.key))
            try:
                grades = plan.run.tasks[planned.cell.task].grade(planned.requests, outputs, planned.circumstance)
            except Unavailable as error:
                store.note_failure(planned.grades_key, str(error))
                grades = None
            if grades is not None:
                spec = {"model": planned.cell.model, "task": planned.cell.task, "outputs": planned.key}
                store.put(planned.grades_key, grades_to_table(grades), spec, {})
            progress.advance(1, f"{planned.cell.model} x {planned.cell.task}")
