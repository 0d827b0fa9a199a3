"""Several samples of one task: who asks for them, and where a measure finds them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from harness.executors.local import LocalExecutor
from harness.panel.grades import drawn
from harness.panel.panel import Looks, View
from harness.plan.collections import Plan, faults_of
from harness.plan.run import Run
from harness.stages.ask import ask
from harness.stages.collect import CollectJob, collect
from harness.stages.library import Library
from harness.stages.loop import carry_out_all
from harness.stages.rebuilding import Rebuilder
from harness.stages.record import make_record
from harness.store.store import Store
from harness.types import Decoding, DistillbenchError
from tests.core.running import matrix, run_of


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
    job = Rebuilder(plan, store).job(CollectJob.doing, [one.key])
    carry_out_all([job], plan, store, LocalExecutor())
    side = Library(plan, store).side("student", name)
    assert (side.samples, side.keys) == ((), (one.key, one.requests_key))


def test_a_number_of_samples_below_one_is_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    tasks = {n: dataclasses.replace(t, samples=0) for n, t in run.tasks.items()}
    with pytest.raises(DistillbenchError, match="key samples: expected null or 1 or more, got 0"):
        ask(dataclasses.replace(run, tasks=tasks), Store(run.paths.results))


def recorded_quiz(tmp_path: Path, draws: int, asked: int) -> Run:
    """A run whose models have so many recorded choices of every question, the first right and the others wrong."""
    rows = [
        {"question": f"q{i}", "choice": (i + min(k, 1)) % 4, "draw": k}
        for i in range(40)
        for k in range(draws)
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "choices.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = {"prompt": "question", "choice": "choice", "sample": "draw"}
    model = {"kind": "recorded", "file": "choices.jsonl", "columns": columns}
    quiz = {**matrix()["tasks"]["quiz"], "samples": asked}
    return run_of(
        tmp_path,
        models={"teacher": model, "student": {**model, "same_as": "teacher"}},
        tasks={"quiz": quiz},
        pairs=[{"teacher": "teacher", "student": "student"}],
        controls=[],
        decoding={"temperature": 0.0},
    )


def test_every_recorded_answer_to_a_question_is_graded(tmp_path: Path) -> None:
    run = recorded_quiz(tmp_path, 3, 3)
    store = Store(run.paths.results)
    plan = ask(run, store)
    collect(plan, store)
    side = Library(plan, store).side("student", "quiz")
    every = drawn(side, ("", "acc", "none"))
    assert {d.values for d in every.values()} == {(1.0, 0.0, 0.0)}
    assert {d.answers for d in every.values()} == {
        tuple(str((i + k) % 4) for k in (0, 1, 1)) for i in range(4)
    }
    cells = plan.samples("student", "quiz")
    keys = [cells[0].key, cells[0].requests_key, *(c.grades_key for c in cells)]
    assert Library(plan, store).inputs(Looks((View.GRADES,)), "quiz", "student", None) == keys


def test_a_sample_without_answers_is_none(tmp_path: Path) -> None:
    run = recorded_quiz(tmp_path, 2, 4)
    store = Store(run.paths.results)
    plan = ask(run, store)
    collect(plan, store)
    side = Library(plan, store).side("student", "quiz")
    assert (len(side.samples), len(side.sample_grades)) == (1, 1)
    told = [c.answer_notes for c in make_record(plan, store, []).collections]
    lost = "sample 4 is left out of scores: none of 40 questions has an answer"
    assert sum(lost in notes for notes in told) == 2


def test_samples_that_would_be_alike_are_refused(tmp_path: Path) -> None:
    run = recorded_quiz(tmp_path, 2, 2)
    plan = ask(run, Store(run.paths.results))
    first = plan.collections[0]
    scored = dataclasses.replace(first.summary, work={"score": first.summary.work["choose"]})
    greedy = dataclasses.replace(plan, collections=(dataclasses.replace(first, summary=scored),))
    (fault,) = alike(greedy)
    assert fault.startswith(
        "task quiz: key samples: expected null or 1, got 2: it is asked greedily"
    )
    warm = dataclasses.replace(scored, open_fields=("temperature",))
    drawn_warm = dataclasses.replace(greedy.run, decoding=Decoding(temperature=0.7))
    cell = dataclasses.replace(first, summary=warm)
    assert not alike(dataclasses.replace(greedy, run=drawn_warm, collections=(cell,)))
    assert alike(dataclasses.replace(greedy, collections=(cell,))) == [fault]
    assert not alike(plan)


def alike(plan: Plan) -> list[str]:
    """Faults about samples."""
    return [line for line in faults_of(plan) if "key samples" in line]
