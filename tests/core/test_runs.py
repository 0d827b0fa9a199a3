"""A matrix from its cells to its report: what is collected once, what is missing, and the same bytes again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from harness.models import Ask
from harness.models.fake import FakeModel, FakeSession
from harness.panel.panel import Looks, View
from harness.plan.summary import summarize
from harness.stages.ask import ask
from harness.stages.collect import collect, collect_jobs
from harness.stages.library import Library
from harness.stages.run import CELLS_MISSING, DONE, OUR_FAULT, execute
from harness.stages.score import score
from harness.store.store import Store
from harness.tasks import Setting
from harness.tasks.choices import ChoicesTask
from harness.types import (
    Decoding,
    DistillbenchError,
    Outputs,
    Prompt,
    Request,
    RequestSet,
    Unavailable,
)
from harness.zoo import recipe
from tests.core.running import FAKES, matrix, run_of

NOWHERE = Path("nowhere.csv")


def silent(line: str) -> None:
    """Says nothing."""


def test_every_model_answers_every_task_once_whatever_the_pairs(tmp_path: Path) -> None:
    pairs = [
        {"teacher": t, "student": s, "base": "base"}
        for t in ("teacher", "other")
        for s in ("student",)
    ]
    run = run_of(tmp_path, pairs=pairs, controls=[])
    store = Store(run.paths.results)
    plan = ask(run, store)
    # 4 models x 2 tasks, and a second sample of the open task for each of two teachers
    assert len(plan.collections) == 4 * 2 + 2
    collect(plan, store)
    assert collect_jobs(ask(run, store), lambda key: not store.has(key)) == []


def test_a_second_run_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path)
    first = execute(run, NOWHERE, alone=True)
    folder = run.paths.results / "report"
    report = {p.name: p.read_bytes() for p in folder.iterdir()}

    def refuse(self: FakeSession, *_: object) -> Outputs:
        raise AssertionError("a model was asked again")

    monkeypatch.setattr(FakeSession, "answer_batch", refuse)
    second = execute(run, NOWHERE, alone=True)
    assert first.code == second.code == DONE
    again = {p.name: p.read_bytes() for p in folder.iterdir()}
    before, after = json.loads(report.pop("run.json")), json.loads(again.pop("run.json"))
    assert after.pop("spent").keys() == {"whole_s"} < before.pop("spent").keys()
    counts = [(w["computed"], w["reused"]) for w in before.pop("work")]
    assert [(w["computed"], w["reused"]) for w in after.pop("work")] == [(0, c) for c, _ in counts]
    assert all(reused == 0 < computed for computed, reused in counts)
    assert (again, after) == (report, before)


def test_deleting_everything_gives_the_same_scores(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = run_of(tmp_path / "one"), run_of(tmp_path / "two")
    for run in (one, two):
        execute(run, NOWHERE, alone=True)
    for name in ("scores.csv", "leaderboard.csv", "scores.json"):
        paths = [r.paths.results / "report" / name for r in (one, two)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_batch_that_was_finished_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, models={**FAKES, "student": {**FAKES["student"]}})
    store = Store(run.paths.results)
    plan = ask(run, store)
    asked: list[int] = []
    honest = FakeSession.answer_batch

    def small(self: FakeSession, ask: Ask) -> list[list[int]]:
        return [[i] for i in range(len(ask.requests))]

    def mortal(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        asked.append(len(requests))
        if len(asked) == 30:
            raise KeyboardInterrupt
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "batches", small)
    monkeypatch.setattr(FakeSession, "answer_batch", mortal)
    with pytest.raises(KeyboardInterrupt):
        collect(plan, store)
    collect(plan, store)
    total = sum(c.summary.n_requests for c in plan.collections)
    assert len(asked) == total + 1  # the one that was interrupted is asked again


def test_a_cell_that_fails_is_missing_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path)
    honest = FakeSession.answer_batch

    def broken(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        if self.model.name == "student":
            raise RuntimeError("the server said no")
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "answer_batch", broken)
    outcome = execute(run, NOWHERE, alone=True)
    assert outcome.code == CELLS_MISSING
    assert outcome.record is not None
    reasons = {s.reason for s in outcome.record.scores if s.student == "student"}
    assert any("the server said no" in r for r in reasons)
    assert any(s.value is not None for s in outcome.record.scores if s.student == "other")
    monkeypatch.setattr(FakeSession, "answer_batch", honest)
    again = execute(run, NOWHERE, alone=True)
    assert again.code == DONE
    assert again.record is not None
    assert any(s.value is not None for s in again.record.scores if s.student == "student")


def test_a_reading_task_whose_author_fails_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(
        tmp_path,
        tasks={
            **matrix()["tasks"],
            "reads": {"kind": "reading", "answers_to": "open", "by": ["teacher"]},
        },
    )
    honest = FakeSession.answer_batch

    def broken(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        if self.model.name == "teacher":
            raise RuntimeError("the server said no")
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "answer_batch", broken)
    assert execute(run, NOWHERE, alone=True).code == CELLS_MISSING
    assert "everyone x reads: it reads answers that are among these" in capsys.readouterr().err


def test_a_model_whose_contents_change_is_asked_again(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    store = Store(run.paths.results)
    collect(ask(run, store), store)
    retrained = {**FAKES, "student": {**FAKES["student"], "seed": 9}}
    plan = ask(run_of(tmp_path, models=retrained), store)
    jobs = collect_jobs(plan, lambda key: not store.has(key))
    assert [job.part for job in jobs] == ["student"]


def test_models_behind_a_server_are_asked_from_here_and_others_anywhere(tmp_path: Path) -> None:
    server = {"kind": "server", "url": "http://127.0.0.1:1/v1", "model": "m"}
    clients = {
        "with_a_key": {
            "kind": "lm_eval",
            "model": "openai-completions",
            "args": {"model": "m"},
            "snapshot": "s",
        },
        "alone": {
            "kind": "lm_eval",
            "model": "local-completions",
            "args": {"model": "m"},
            "snapshot": "s",
        },
    }
    here = {"kind": "lm_eval", "model": "vllm", "args": {"pretrained": "m"}, "snapshot": "s"}
    models = {**FAKES, "server": server, **clients, "engine": here}
    run = run_of(tmp_path, models=models)
    stays = {name for name, model in run.models.items() if model.stays()}
    assert stays == {"server", *clients}
    tasks = {k: v for k, v in matrix()["tasks"].items() if k == "open"}
    plan = ask(
        run_of(tmp_path, models={**FAKES, "server": server}, tasks=tasks), Store(run.paths.results)
    )
    jobs = {job.part: job.bundle for job in collect_jobs(plan, lambda key: True)}
    assert jobs["server"] == 0
    assert jobs["teacher"] == 1


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        (
            {"pairs": [{"teacher": "teacher", "student": "studnet", "base": "nobody"}]},
            [
                "pairs[0].student: 'studnet' is unknown; did you mean 'student'?",
                "pairs[0].base: 'nobody' is unknown",
            ],
        ),
        (
            {"pairs": [{"teacher": "teacher", "student": "teacher"}]},
            ["'teacher' is both teacher and student"],
        ),
        (
            {"controls": [{"model": "otter", "lineage": "x"}]},
            ["controls[0]: 'otter' is unknown; did you mean 'other'?"],
        ),
        ({"pairs": [{"teacher": "teacher", "student": "student"}] * 2}, ["stand twice"]),
    ],
)
def test_faults_of_a_matrix_are_named_together(
    tmp_path: Path, changes: dict[str, object], messages: list[str]
) -> None:
    run = run_of(tmp_path, **changes)
    with pytest.raises(DistillbenchError) as caught:
        ask(run, Store(run.paths.results))
    for message in messages:
        assert message in str(caught.value)


def test_what_a_model_cannot_do_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeModel, "offers", lambda self: frozenset({"generate"}))
    run = run_of(tmp_path)
    with pytest.raises(
        DistillbenchError, match="task quiz needs recorded choices, which model teacher"
    ):
        ask(run, Store(run.paths.results))


def effective_decoding(decoding: Decoding, request: Request) -> Decoding:
    asked = RequestSet("t", (Prompt("p", "p", "p", ""),), (request,), False, "1", ("text",))
    return summarize(asked, "").effective(decoding)


def test_only_what_changes_the_answers_is_in_the_key() -> None:
    drawn = Decoding(temperature=0.7, top_p=0.9, max_new_tokens=5, seed=3, sample=1)
    assert effective_decoding(drawn, Request(0, "score", "")) == Decoding()
    assert effective_decoding(drawn, Request(0, "generate", "")) == drawn
    greedy = dataclasses.replace(drawn, temperature=0.0)
    assert effective_decoding(greedy, Request(0, "generate", "")) == Decoding(max_new_tokens=5)
    stated = Request(0, "generate", "", temperature=0.0, max_new_tokens=9)
    assert effective_decoding(drawn, stated) == Decoding()


def test_different_system_prompts_are_not_compared(tmp_path: Path) -> None:
    models = {n: {**f, "chat": True} for n, f in FAKES.items()}
    models["student"]["system"] = "Answer like a pirate."
    run = run_of(tmp_path, models=models)
    store = Store(run.paths.results)
    plan = ask(run, store)
    collect(plan, store)
    looks = Looks((View.STYLE,), needs=("teacher",))
    with pytest.raises(Unavailable, match="student and teacher had different system prompts"):
        Library(plan, store).seats(looks, "open", "student", run.pairs[0])
    warned = dataclasses.replace(plan, run=dataclasses.replace(run, comparability="warn"))
    seats = Library(warned, store).seats(looks, "open", "student", run.pairs[0])
    assert [s.model for s in seats["teacher"]] == ["teacher"]


def test_scores_do_not_depend_on_the_order_of_models_tasks_or_prompts(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    store = Store(run.paths.results)
    plan = ask(run, store)
    collect(plan, store)
    forward = {(s.metric, s.task, s.student, s.teacher): s for s in score(plan, store).scores}
    path = tmp_path / "data" / "prompts.jsonl"
    path.write_text("\n".join(reversed(path.read_text().splitlines())))
    models = dict(reversed(list(run.models.items())))
    turned = dataclasses.replace(run, models=models, tasks=dict(reversed(list(run.tasks.items()))))
    again = ask(turned, store)
    collect(again, store)
    backward = {(s.metric, s.task, s.student, s.teacher): s for s in score(again, store).scores}
    assert forward.keys() == backward.keys()
    for place, one in forward.items():
        two = backward[place]
        assert (one.value, one.low, one.high, one.n, one.reason) == (
            two.value,
            two.low,
            two.high,
            two.n,
            two.reason,
        )


@pytest.mark.parametrize(("ours", "code"), [(True, OUR_FAULT), (False, CELLS_MISSING)])
def test_a_task_that_cannot_be_built_does_not_cost_the_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ours: bool,
    code: int,
) -> None:
    """A KeyError of ours is our fault; one in a library that a task calls is not."""

    def broken(self: ChoicesTask, setting: Setting) -> RequestSet:
        if ours:
            recipe.work("nobody", "full")
        pa.table({"x": [1]}).column("y")
        raise AssertionError

    monkeypatch.setattr(ChoicesTask, "requests", broken)
    outcome = execute(run_of(tmp_path, metrics={"length": None}), NOWHERE, alone=True)
    assert outcome.code == code
    assert "everyone x quiz: " in capsys.readouterr().err
    assert outcome.record is not None
    assert any(s.value is not None for s in outcome.record.scores if s.task == "open")
