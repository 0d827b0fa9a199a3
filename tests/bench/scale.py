"""What 1,000 models x 200 tasks x 1,000 prompts cost before anybody answers: seconds, memory, files of the store.

    python -m tests.bench.scale [MODELS TASKS PROMPTS]

Models are fakes and request sets are summaries: no text is stored. Files, bytes and locks are counted at a small
matrix that really runs, and multiplied. Seconds are those of the processor: machines are shared.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from harness.cli.config import packaged
from harness.plan.collections import make_plan
from harness.plan.identities import identify
from harness.plan.run import Run
from harness.plan.summary import Summary
from harness.stages.ask import ask
from harness.stages.collect import collect_jobs
from harness.stages.grade import grade_jobs
from harness.stages.preview import preview
from harness.stages.run import execute
from harness.store.store import Store
from tests.core.running import run_of

BARS = {"seconds": 60.0, "GB": 2.0}


def main() -> None:
    """Prints a table."""
    models, tasks, prompts = (int(n) for n in sys.argv[1:] or (1000, 200, 1000))
    with tempfile.TemporaryDirectory() as folder:
        for line in planned(Path(folder), models, tasks, prompts):
            print(line, flush=True)
        for line in stored(Path(folder) / "small", models, tasks):
            print(line, flush=True)


def planned(folder: Path, models: int, tasks: int, prompts: int) -> Iterator[str]:
    """Lines about the plan."""
    begun = time.process_time()
    run = matrix(folder, models, tasks)
    yield f"configuration: {time.process_time() - begun:.1f} s"
    summary_of = summaries(run, folder / "one", prompts)
    store = Store(run.paths.results)
    steps: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        steps[name] = time.process_time() - started

    with timed("keys of models and tasks"):
        identities = identify(run)
    with timed("plan"):
        plan = make_plan(run, identities, summary_of)
    with timed("what is stored"):
        missing = {c.key for c in plan.collections if not store.has(c.key)}
    with timed("jobs"):
        jobs = [*collect_jobs(plan, missing.__contains__), *grade_jobs(plan, lambda key: True)]
    with timed("preview"):
        preview(plan, store)
    for name, seconds in steps.items():
        yield f"{name}: {seconds:.1f} s"
    whole, peak = sum(steps.values()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    yield f"{len(plan.collections)} collections, {len(jobs)} jobs: {whole:.1f} s, {peak:.2f} GB at most"
    assert whole <= BARS["seconds"], "planning takes too long"
    assert peak <= BARS["GB"], "planning takes too much memory"


def matrix(folder: Path, models: int, tasks: int) -> Run:
    """Students of one teacher, and tasks of questions and open prompts in turn."""
    quiz = {"question": "question", "answer": "answer", "n_options": "options"}
    kinds = [
        {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}},
        {"kind": "choices", "file": "quiz.jsonl", "columns": quiz},
    ]
    names = ["teacher", "base", "other", *(f"student{i}" for i in range(models - 3))]
    return run_of(
        folder,
        models={n: {"kind": "fake", "seed": i} for i, n in enumerate(names)},
        # all over the same two files: what is different is their number of prompts
        tasks={f"task{i}": {**kinds[i % 2], "limit": 1 + i // 2} for i in range(tasks)},
        metrics=dict.fromkeys(("task_score", "gap_recovered")),
        pairs=[{"teacher": "teacher", "student": n, "base": "base"} for n in names[3:]],
    )


def summaries(run: Run, folder: Path, prompts: int) -> Callable[[str], Summary]:
    """Key of a request set -> what would be known of it: as of two that are built, with so many prompts."""
    small = run_of(folder, models={"teacher": {"kind": "fake"}}, pairs=[], controls=[], metrics={})
    built = {s.task: s.summary for s in ask(small, Store(small.paths.results)).sets}
    like = {"prompts": built["open"], "choices": built["quiz"]}
    kinds = {key: run.tasks[task].kind for (task, _), key in identify(run).requests.items()}

    def summary_of(key: str) -> Summary:
        """The summary of one."""
        one = like[kinds[key]]
        assert one is not None
        return replace(one, asks=key, n_prompts=prompts, n_requests=prompts)

    return summary_of


def stored(folder: Path, models: int, tasks: int) -> Iterator[str]:
    """Lines about what the store costs, counted at a small matrix."""
    run = run_of(folder, metrics=dict.fromkeys(("task_score", "gap_recovered")))
    counted: Counter[str] = Counter()

    def counting(name: str, owner: Any) -> Any:
        """A function that counts its calls."""
        real = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            counted[name] += 1
            return real(*args, **kwargs)

        return mock.patch.object(owner, name, call)

    with contextlib.ExitStack() as patches:
        for owner, name in ((fcntl, "flock"), (os, "fsync"), (os, "rename"), (os, "replace")):
            patches.enter_context(counting(name, owner))
        execute(replace(run, stages=("collect", "score")), packaged("reference"), alone=False)
    n = len(run.models) * len(run.tasks)
    files = [p for p in (run.paths.results / "store").rglob("*") if p.is_file()]
    keys = {p.parent for p in files}
    yield f"per collection: {len(keys) / n:.1f} keys, {len(files) / n:.1f} files"
    yield (
        ", ".join(f"{count / n:.1f} {name}" for name, count in counted.items()) + " per collection"
    )
    all_keys = len(keys) / n * models * tasks
    yield (
        f"{models} x {tasks}: {all_keys:,.0f} folders of keys in 256 folders "
        f"({all_keys / 256:,.0f} in each), {len(files) / n * models * tasks:,.0f} files"
    )
    small = sum(p.stat().st_size for p in files if p.name != "rows.parquet")
    blocks = sum(-(-p.stat().st_size // 4096) * 4096 for p in files)
    yield f"{small / n:,.0f} bytes a collection beside the rows; {blocks / n:,.0f} in blocks of 4 KiB, with 40 rows"


if __name__ == "__main__":
    main()
