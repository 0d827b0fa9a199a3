"""Servers in a run: what came is kept, who answers is checked, what is missing and what it cost is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.models import Budget
from harness.plan.collections import Plan
from harness.stages.ask import ask
from harness.stages.collect import collect
from harness.stages.run import execute
from harness.store.store import Store
from harness.store.tables import outputs_from_table
from harness.types import DistillbenchError
from tests.core.running import FAKES, matrix, run_of
from tests.joints.small import collect_these
from tests.models.failing import FAULTS, Failing, failing
from tests.models.test_server import Ticks


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """A server, and a clock that waits for nothing."""
    monkeypatch.setattr("harness.models.server.Clock", lambda: Ticks().clock)
    with failing() as running:
        yield running


def of_server(folder: Path, server: Failing, n: int = 40, **fields: Any) -> tuple[Plan, Store]:
    """The collection of a student behind a server."""
    student = {"kind": "server", "url": server.url, "model": "tiny", "chat": True}
    run = run_of(
        folder,
        models={**FAKES, "student": {**student, **fields}},
        tasks={"open": matrix()["tasks"]["open"]},
        metrics={"length": None},
        limit=n,
    )
    store = Store(run.paths.results)
    plan = ask(run, store)
    cells = tuple(c for c in plan.collections if c.model == "student")
    assert len(cells) == 1
    return replace(plan, collections=cells), store


def rows(plan: Plan, store: Store) -> bytes:
    return (store.folder(plan.collections[0].key) / "rows.parquet").read_bytes()


def reason(plan: Plan, store: Store) -> str:
    return store.failure(plan.collections[0].key) or ""


def test_a_server_that_fails_gives_the_bytes_of_one_that_does_not(
    tmp_path: Path, server: Failing
) -> None:
    plan, store = of_server(tmp_path / "whole", server)
    collect_these(plan, store)
    whole = rows(plan, store)
    server.tries.clear()
    bad = {f"Tell me about thing {i}.": FAULTS[i % len(FAULTS)] for i in range(0, 40, 3)}
    server.fault = lambda prompt, n: bad.get(prompt, "") if n == 1 else ""
    plan, store = of_server(tmp_path / "failing", server)
    collect_these(plan, store)
    assert rows(plan, store) == whole
    assert server.n_tries == 54
    how = store.provenance(plan.collections[0].key)
    assert (how["prompt_tokens"], how["completion_tokens"], how["n_answered"]) == (280, 120, 40)
    assert "usd" not in how


def test_after_a_server_died_only_the_rest_is_asked(tmp_path: Path, server: Failing) -> None:
    plan, store = of_server(tmp_path / "whole", server)
    collect_these(plan, store)
    whole = rows(plan, store)
    server.answered.clear()
    plan, store = of_server(tmp_path / "broken", server)
    for most in (17, 30):
        server.fault = lambda prompt, n, most=most: "500" * (server.answered.total() >= most)  # type: ignore[misc]
        collect_these(plan, store)
        assert (
            f"{server.host} answers 500, 3 requests in a row; what was answered is kept"
            in reason(plan, store)
        )
        assert server.answered.total() == most
    server.fault = lambda prompt, n: ""
    collect_these(plan, store)
    assert rows(plan, store) == whole
    assert set(server.answered.values()) == {1}


def test_a_server_that_calls_itself_another_model_is_refused(
    tmp_path: Path, server: Failing, capfd: pytest.CaptureFixture[str]
) -> None:
    plan, store = of_server(tmp_path, server)
    server.fault = lambda prompt, n: "401" * (server.answered.total() >= 5)
    collect_these(plan, store)
    server.fault, server.model = lambda prompt, n: "", "tiny-2"
    collect_these(plan, store)
    assert "the answers that are there came from 'tiny-1', the server now calls itself" in reason(
        plan, store
    )
    assert server.answered.total() == 6  # one answer was enough to see it
    server.model, server.fingerprint = "tiny-1", "fp_2"
    collect_these(plan, store)
    how = store.provenance(plan.collections[0].key)
    assert (how["answers_as"], how["system_fingerprint"]) == ("tiny-1", "fp_1, fp_2")
    assert "fingerprint was fp_1 and is fp_2 now" in capfd.readouterr().err


def test_requests_without_an_answer_are_said_with_their_reasons(
    tmp_path: Path, server: Failing
) -> None:
    bad = {"Tell me about thing 3.": "400 content_policy", "Tell me about thing 7.": "no text"}
    server.fault = lambda prompt, n: bad.get(prompt, "")
    plan, store = of_server(tmp_path, server, usd_per_million_input=10, usd_per_million_output=100)
    collect_these(plan, store)
    key = plan.collections[0].key
    outputs = outputs_from_table(store.table(key))
    assert [i for i, there in enumerate(outputs.answered) if not there] == [3, 7]
    how = store.provenance(key)
    assert sorted(how["notes"]) == [
        f"no answer to 1 request: {server.host} answers 400 (content_policy)",
        f"no answer to 1 request: {server.host} answers without a text",
    ]
    assert how["usd"] == pytest.approx(38 * (7 * 10 + 3 * 100) / 1e6)


@pytest.mark.parametrize(
    ("budget", "n", "words"),
    [
        (Budget(requests=12), 12, "budget.requests: 12 requests were sent"),
        (Budget(usd=0.00185), 5, "budget.usd: 0.00 of 0.00185 dollars are spent"),
        (Budget(seconds=1e-9), 0, "budget.seconds: 1e-09 s are over"),
    ],
)
def test_a_budget_ends_a_cell_and_what_came_is_kept(
    tmp_path: Path, server: Failing, budget: Budget, n: int, words: str
) -> None:
    prices = {"usd_per_million_input": 10, "usd_per_million_output": 100}
    plan, store = of_server(tmp_path, server, connections=1, **prices)
    kept = plan.collections
    plan = replace(plan, run=replace(plan.run, budget=budget))
    collect(plan, store)
    assert server.answered.total() == n
    assert f"{words}; what was answered is kept" in reason(plan, store)
    assert not list((store.root / "work").glob("spent*"))
    collect(replace(plan, run=replace(plan.run, budget=Budget())), store)
    assert store.has(kept[0].key)
    assert set(server.answered.values()) == {1}


def test_a_missing_answer_leaves_the_numbers_of_the_others(tmp_path: Path, server: Failing) -> None:
    server.fault = lambda prompt, n: "400" * prompt.endswith(" 3.")
    student = {"kind": "server", "url": server.url, "model": "tiny", "chat": True}
    tasks = {"open": matrix()["tasks"]["open"]}
    run = run_of(
        tmp_path, models={**FAKES, "student": student}, tasks=tasks, metrics={"length": None}
    )
    outcome = execute(run, tmp_path, alone=True)
    assert outcome.code == 0
    assert "no answer to 1 request" in (tmp_path / "results/report/index.html").read_text()


def test_two_models_that_would_share_their_answers_are_refused(
    tmp_path: Path, server: Failing
) -> None:
    alike = {"kind": "server", "url": server.url, "model": "tiny", "chat": True}
    for models, words in (
        ({"a": alike, "b": {**alike, "url": server.url + "/"}}, "say `same_as: a` in b"),
        ({"a": alike, "b": {**alike, "same_as": "c"}}, "key same_as: 'c' is unknown"),
        ({"a": alike, "b": {**alike, "model": "x", "same_as": "a"}}, "a has other answers than b"),
        ({"a": alike, "b": {**alike, "same_as": "a"}}, ""),
        ({"a": alike, "b": {**alike, "snapshot": "2"}}, ""),
    ):
        run = run_of(
            tmp_path, models={**FAKES, **models}, tasks={"open": matrix()["tasks"]["open"]}
        )
        if not words:
            ask(run, Store(run.paths.results))
            continue
        with pytest.raises(DistillbenchError, match=words.replace("(", r"\(")):
            ask(run, Store(run.paths.results))
