"""Several samples of one task: who asks for them, and where a measure finds them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.executors.local import LocalExecutor
from harness.panel.panel import Looks, View
from harness.stages.ask import ask
from harness.stages.collect import collect, collect_jobs
from harness.stages.library import Library
from harness.stages.loop import carry_out_all, rebuild
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.core.running import run_of


def silent(line: str) -> None:
    """Says nothing."""


def test_a_task_s_own_samples_reach_the_side_and_its_keys(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    name = next(n for n, t in run.tasks.items() if t.kind == "prompts")
    run = dataclasses.replace(
        run, tasks={**run.tasks, name: dataclasses.replace(run.tasks[name], samples=3)}
    )
    store = Store(run.paths.results)
    plan = ask(run, store)
    cells = [c for c in plan.collections if (c.model, c.task) == ("student", name)]
    assert [c.decoding.sample for c in cells] == [0, 1, 2]
    assert Library(plan, store).plan is plan
    collect(plan, store)
    side = Library(plan, store).side("student", name)
    assert len(side.samples) == 2
    keys = [cells[0].key, cells[0].requests_key, cells[1].key, cells[2].key]
    assert Library(plan, store).inputs(Looks((View.TEXT,)), name, "student", None) == keys
    assert side.samples[0].text == Library(plan, store).side("student", name, 1).outputs.text
    assert side.samples[0].text != side.outputs.text
    assert not Library(plan, store).side("student", name, 1).samples


def test_samples_that_are_not_there_yet_are_left_out(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    name = next(n for n, t in run.tasks.items() if t.kind == "prompts")
    run = dataclasses.replace(
        run, tasks={**run.tasks, name: dataclasses.replace(run.tasks[name], samples=2)}
    )
    store = Store(run.paths.results)
    plan = ask(run, store)
    (one,) = (c for c in plan.samples("student", name) if c.decoding.sample == 0)
    carry_out_all([rebuild(one.key, plan, collect_jobs)], plan, store, LocalExecutor())
    side = Library(plan, store).side("student", name)
    assert (side.samples, side.keys) == ((), (one.key, one.requests_key))


def test_a_number_of_samples_below_one_is_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    tasks = {n: dataclasses.replace(t, samples=0) for n, t in run.tasks.items()}
    with pytest.raises(DistillbenchError, match="key samples: expected null or 1 or more, got 0"):
        ask(dataclasses.replace(run, tasks=tasks), Store(run.paths.results))
