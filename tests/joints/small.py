"""A small run for the tests of the joints: fakes, two tasks, five control lineages; no Hydra, no lm-eval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.executors.local import LocalExecutor
from harness.plan.collections import Collection, Plan
from harness.stages.ask import ask
from harness.stages.collect import collect, collect_jobs
from harness.stages.loop import carry_out_all
from harness.stages.score import score
from harness.store.store import Store
from harness.store.tables import requests_from_table
from harness.types import RequestSet, Score
from tests.core.running import run_of

LINEAGES = ("ash", "beech", "cedar", "dogwood")
MODELS: dict[str, dict[str, Any]] = {
    "teacher": {"kind": "fake", "style": "formal", "skill": 0.9, "seed": 1},
    "student": {"kind": "fake", "style": "formal", "skill": 0.7, "seed": 1, "usd_per_hour": 36.0},
    "second": {"kind": "fake", "style": "formal", "skill": 0.3, "seed": 1},
    "third": {"kind": "fake", "style": "plain", "skill": 0.8, "seed": 1},
    "base": {"kind": "fake", "style": "plain", "skill": 0.1, "seed": 2},
    **{
        name: {"kind": "fake", "style": name, "skill": 0.5, "seed": 5 + i}
        for i, name in enumerate(LINEAGES)
    },
}
CONTENT: dict[str, Any] = {
    "models": MODELS,
    "metrics": {"task_score": None, "capa": None, "gap_recovered": None, "length": None},
    "pairs": [
        {"teacher": "teacher", "student": s, "base": "base"} for s in ("student", "second", "third")
    ],
    "controls": [{"model": name, "lineage": name} for name in LINEAGES],
}


@dataclass(frozen=True)
class Small:
    """A run that was collected and scored."""

    plan: Plan
    store: Store
    scores: tuple[Score, ...]


def planned(folder: Path, **changes: Any) -> tuple[Plan, Store]:
    """The plan of the small run, with changes to its matrix, and its empty store."""
    run = run_of(folder, **{**CONTENT, **changes})
    store = Store(run.paths.results)
    return ask(run, store), store


def collect_these(plan: Plan, store: Store) -> None:
    """Collects what a plan holds, and no other collection of its run."""
    jobs = collect_jobs(plan, lambda key: not store.has(key))
    carry_out_all(jobs, plan, store, LocalExecutor(plan.run.workers))


def requests_of(collection: Collection, store: Store) -> RequestSet:
    """What is asked in a collection."""
    return requests_from_table(store.table(collection.requests_key))


def scored(folder: Path, **changes: Any) -> Small:
    """The small run, collected and scored."""
    plan, store = planned(folder, **changes)
    plan = collect(plan, store).plan
    return Small(plan, store, score(plan, store).scores)
