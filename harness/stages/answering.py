"""The missing answers of one model: what is interrupted goes on where it stopped."""

from __future__ import annotations

import dataclasses
import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from harness.console.forecast import Amounts
from harness.console.foreign import listening
from harness.console.progress import News
from harness.console.workload import amounts
from harness.executors import Tell
from harness.models import AbstractModel
from harness.plan.collections import Collection
from harness.stages.spilled import FACT, variables_in
from harness.store.store import Store, Work
from harness.store.tables import join_outputs, outputs_from_table, outputs_to_table
from harness.types import DistillbenchError, Outputs, RequestSet, Unavailable

# What can go wrong inside a model or a server without being our fault: the cell is then missing,
# with that reason.
CELL_FAILURES = (DistillbenchError, Unavailable, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Unanswered(Collection):
    """A collection with what is asked in it."""

    requests: RequestSet


@dataclass(frozen=True)
class ModelJob:
    """The cells of one model that are still missing."""

    backend: AbstractModel
    cells: tuple[Unanswered, ...]


def amounts_of(planned: Unanswered, batch: Sequence[int] | None = None) -> Amounts:
    """Expected tokens of a cell, or of those of its requests that stand in `batch`."""
    asked = planned.requests.requests
    return amounts(
        planned.task,
        asked if batch is None else (asked[i] for i in batch),
        planned.decoding,
    )


def answer_all(job: ModelJob, store: Store, tell: Tell) -> None:
    """Loads one model and collects its cells; cells that another process holds come last."""
    started = time.perf_counter()
    model = job.cells[0].model
    tell(News(model, doing=f"loading {model}"))
    try:
        with listening(lambda line: tell(News(model, alarm=line))), job.backend as backend:
            facts = {**backend.facts(), "load_s": time.perf_counter() - started}
            waiting = [c for c in job.cells if not _collect_cell(c, backend, facts, store, tell)]
            if waiting:
                tell(
                    News(
                        model,
                        doing=f"{model} waits for another process that collects {waiting[0].task}",
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
    planned: Unanswered,
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
            tell(News(planned.model, ended=amounts_of(planned), line=f"done {name_of(planned)}"))
            return True
        answered: list[int] = []
        try:
            parts = _answer_batches(planned, backend, work, answered, tell)
            _publish(planned, facts, parts, work)
        except CELL_FAILURES as error:
            _fail(planned, error, store, tell, answered)
            return True
    if planned.decoding.sample == 0:
        tell(News(planned.model, line=f"done {name_of(planned)}"))
    return True


def name_of(planned: Unanswered) -> str:
    return f"{planned.model} x {planned.task}"


def _answer_batches(
    planned: Unanswered, backend: AbstractModel, work: Work, answered: list[int], tell: Tell
) -> list[pa.Table]:
    """The parts of a cell; those that are there already are not asked again. Fills `answered` as it goes."""
    requests, model, sample = (
        planned.requests.requests,
        planned.model,
        planned.decoding.sample,
    )
    again = f" (sample {sample + 1})" if sample else ""
    begun = work.plan()
    if begun is None:
        begun = work.plan({"batches": backend.batches(requests, planned.decoding)})
    assert begun is not None
    for index, batch in enumerate(begun["batches"]):
        piece, started, known = (
            amounts_of(planned, batch),
            time.perf_counter(),
            work.part(index) is not None,
        )
        doing = f"{name_of(planned)}{again}, {len(answered)} of {len(requests)} requests"
        tell(News(model, doing=doing, begun=piece))
        if not known:
            work.write(index, _answer_batch(planned, backend, batch))
        answered += batch
        tell(News(model, ended=piece, seconds=None if known else time.perf_counter() - started))
    parts = [work.part(i) for i in range(len(begun["batches"]))]
    return [p for p in parts if p is not None]


def _answer_batch(planned: Unanswered, backend: AbstractModel, batch: Sequence[int]) -> pa.Table:
    requests = [planned.requests.requests[i] for i in batch]
    ids = [planned.requests.prompts[r.prompt].id for r in requests]
    started = time.perf_counter()
    outputs = backend.answer(requests, ids, planned.decoding)
    wall_s = time.perf_counter() - started
    outputs = dataclasses.replace(outputs, request=np.asarray(batch, np.int64)[outputs.request])
    table = outputs_to_table(outputs)
    timing = {b"wall_s": repr(wall_s).encode(), b"rows": str(len(batch)).encode()}
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **timing})


def _publish(
    planned: Unanswered, facts: Mapping[str, Any], parts: Sequence[pa.Table], work: Work
) -> None:
    table = join_outputs(parts)
    outputs = outputs_from_table(table)
    timings = [
        (float(p.schema.metadata[b"wall_s"]), int(p.schema.metadata[b"rows"])) for p in parts
    ]
    provenance = {**facts, **_cost(outputs, timings), "peak_memory_bytes": _peak_memory_bytes()}
    if spilled := variables_in(outputs):
        provenance[FACT] = spilled
    cell = planned
    spec = {
        "model": cell.model,
        "task": cell.task,
        "asks": planned.summary.asks,
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
    planned: Unanswered, error: Exception, store: Store, tell: Tell, answered: Sequence[int] = ()
) -> None:
    # no space, quota: stop, what is done is kept
    if isinstance(error, OSError) and error.errno in (28, 122):
        raise error
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    store.note_failure(planned.key, reason)
    rest = [i for i in range(len(planned.requests.requests)) if i not in set(answered)]
    tell(
        News(
            planned.model,
            ended=amounts_of(planned, rest),
            alarm=f"missing {name_of(planned)}: {reason}",
        )
    )
