"""What the first run of a matrix needs and no answer changes, made while its workers do not answer yet."""

from __future__ import annotations

import pyarrow as pa

from harness.console.processes import may_start_processes, worker_context
from harness.page import render
from harness.plan.run import Run
from harness.stages import collect, score
from harness.stages.measuring import code_of
from harness.store.store import Store


def start_server(run: Run, store: Store) -> bool:
    """On a first run, starts importing what workers need while the requests are built; whether it did."""
    imported = sorted({name for model in run.models.values() for name in model.imports})
    first = "collect" in run.stages and not (store.root / "store").exists()
    if not imported or not first or not may_start_processes():
        return False
    worker_context(*imported, collect.__name__, score.__name__)
    return True


def prepare(run: Run) -> None:
    """Reads what scores and the page are made with, for a second in which this process would wait for workers."""
    pa.array([])  # the first one imports pandas
    if "score" in run.stages:
        for metric in run.metrics.values():
            code_of(metric)
    if "report" in run.stages:
        render.prepare(run.interactive)
