"""Batches, pieces, failures and provenance: the joints between a model and the store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.console.progress import News
from harness.models.fake import FakeSession
from harness.stages import answering
from harness.stages.collect import collect
from harness.stages.unfinished import Unanswered
from harness.store.tables import outputs_from_table
from harness.store.waiting import Pace
from harness.types import Decoding, Outputs, Request
from tests.joints.small import collect_these, planned, requests_of


def test_batches_are_those_that_the_work_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = planned(tmp_path)
    cell = next(c for c in plan.collections if (c.model, c.task) == ("student", "open"))
    n = cell.summary.n_requests
    begun = [[i, i + 1] for i in range(0, n, 2)]
    with store.work(cell.key) as work:
        assert work is not None
        work.batches(lambda: begun)
    asked: list[tuple[str, int]] = []
    honest = FakeSession.answer_batch

    def counted(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        asked.append((self.model.name, len(requests)))
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "answer_batch", counted)
    collect_these(replace(plan, collections=(cell,)), store)
    assert asked == [("student", 2)] * (n // 2)


def test_answers_stand_with_their_own_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = planned(tmp_path)
    cell = next(c for c in plan.collections if (c.model, c.task) == ("student", "open"))
    collect_these(replace(plan, collections=(cell,)), store)
    whole = outputs_from_table(store.table(cell.key))
    other, elsewhere = planned(tmp_path / "again")
    n = cell.summary.n_requests
    backwards = [[i] for i in reversed(range(n))]
    monkeypatch.setattr(FakeSession, "batches", lambda *_: backwards)
    collect_these(replace(other, collections=(cell,)), elsewhere)
    again = outputs_from_table(elsewhere.table(cell.key))
    assert np.array_equal(whole.request, np.arange(n))
    assert dict(zip(again.request.tolist(), again.text, strict=True)) == dict(
        zip(whole.request.tolist(), whole.text, strict=True)
    )


def test_cost_by_hand() -> None:
    outputs = SimpleNamespace(n_tokens=np.array([10] * 100), answered=(True,) * 99 + (False,))
    cost = answering._cost(outputs, [(2.0, 90), (8.0, 10)])  # type: ignore[arg-type]
    assert cost == {
        "wall_s": 10.0,
        "n_tokens": 1000,
        "n_answered": 99,
        "latency_p50_s": 2.0,  # a request waits for its batch
        "latency_p95_s": 8.0,
    }


def test_one_failing_task_does_not_cost_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = planned(tmp_path)
    honest = FakeSession.answer_batch

    def moody(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        if self.model.name == "student" and requests[0].kind == "generate":
            raise ValueError("no words today\nand a second line")
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "answer_batch", moody)
    collect(plan, store)
    missing = [
        (c.model, c.task, store.failure(c.key)) for c in plan.collections if not store.has(c.key)
    ]
    assert missing == [("student", "open", "no words today")]


def test_grades_are_made_for_every_collection_that_has_right_answers(tmp_path: Path) -> None:
    plan, store = planned(tmp_path)
    collect(plan, store)
    graded = [c for c in plan.collections if c.grades_key is not None]
    assert {c.task for c in graded} == {"quiz"}
    assert len(graded) == len(plan.run.models)
    assert all(store.has(str(c.grades_key)) for c in graded)


def test_what_another_process_collects_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = planned(tmp_path)
    first, second = (c for c in plan.collections if c.model == "student")
    heard: list[News] = []
    with ExitStack() as elsewhere:
        elsewhere.enter_context(store.work(first.key))
        model = plan.run.models["student"]
        asked = tuple(
            Unanswered(**vars(c), requests=requests_of(c, store)) for c in (first, second)
        )
        job = answering.ModelJob(model, plan.run.paths, asked)
        pace = Pace(sleep=lambda _: elsewhere.close())
        answering.answer_all(job, store, heard.append, pace)
    task = first.task
    said = [n.line or n.doing for n in heard if n.line or "waits" in (n.doing or "")]
    assert said == [
        f"done student x {second.task}",
        f"student waits for another process that collects {task}",
        f"done student x {task}",
    ]
