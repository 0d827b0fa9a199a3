"""Servers asked by batch: handed in once, taken up later, by hand too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.plan.collections import Plan
from harness.stages.ask import ask
from harness.stages.run import execute
from harness.store.store import Store
from harness.store.tables import outputs_from_table
from tests.core.running import FAKES, matrix, run_of
from tests.joints.small import collect_these
from tests.models.providers import Providers, providers

APIS = ("openai", "anthropic")
N = 12


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Providers]:
    monkeypatch.setenv("MY_KEY", "key-4711")
    with providers() as running:
        yield running


def of_server(folder: Path, server: Providers, api: str, **fields: Any) -> tuple[Plan, Store]:
    """The collection of a student behind a server that is asked by batch."""
    student = {"kind": "server", "url": server.url, "model": "tiny", "chat": True, "api": api}
    run = run_of(
        folder,
        models={**FAKES, "student": {**student, "api_key_env": "MY_KEY", **fields}},
        tasks={"open": matrix()["tasks"]["open"]},
        metrics={"length": None},
        limit=N,
        collect="batch",
    )
    store = Store(run.paths.results)
    plan = ask(run, store)
    return replace(
        plan, collections=tuple(c for c in plan.collections if c.model == "student")
    ), store


def texts(plan: Plan, store: Store) -> list[str | None]:
    return list(outputs_from_table(store.table(plan.collections[0].key)).text)


def said(*without: int) -> list[str | None]:
    return [None if i in without else f"you said Tell me about thing {i}." for i in range(N)]


@pytest.mark.parametrize("api", APIS)
def test_a_batch_is_handed_in_once_and_its_answers_are_taken_up_later(
    tmp_path: Path, server: Providers, api: str, capfd: pytest.CaptureFixture[str]
) -> None:
    plan, store = of_server(tmp_path, server, api)
    for words in ("handed in", "is in_progress", "is in_progress"):
        collect_these(plan, store)
        assert words in capfd.readouterr().err
        assert (store.failure(plan.collections[0].key) or "").startswith(
            "pending: 12 of 12 answers"
        )
    server.ended = True
    collect_these(plan, store)
    assert texts(plan, store) == said()
    assert len(server.handed_in) == N
    assert server.keys == {"Bearer key-4711" if api == "openai" else "key-4711"}
    assert store.provenance(plan.collections[0].key)["answers_as"] == "tiny-1"
    for path in (tmp_path / "results").rglob("*"):
        assert not path.is_file() or b"key-4711" not in path.read_bytes()


@pytest.mark.parametrize("api", APIS)
def test_what_a_batch_did_not_answer_is_handed_in_again_and_what_it_refused_is_missing(
    tmp_path: Path, server: Providers, api: str
) -> None:
    plan, store = of_server(tmp_path, server, api)
    collect_these(plan, store)
    server.ended = True
    server.fails = {"Tell me about thing 3.": 0, "Tell me about thing 5.": 400}
    collect_these(plan, store)
    assert server.handed_in[N:] == ["Tell me about thing 3."]
    assert (store.failure(plan.collections[0].key) or "").startswith("pending: 1 of 12 answers")
    del server.fails["Tell me about thing 3."]
    collect_these(plan, store)
    assert texts(plan, store) == said(5)
    assert len(server.handed_in) == N + 1
    (note,) = store.provenance(plan.collections[0].key)["notes"]
    assert note.startswith("no answer to 1 request: 127.0.0.1")


@pytest.mark.parametrize("api", APIS)
def test_without_a_key_the_file_is_written_and_what_came_back_is_read(
    tmp_path: Path, server: Providers, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY")
    plan, store = of_server(tmp_path, server, api)
    collect_these(plan, store)
    collect_these(plan, store)
    (path,) = (tmp_path / "results/batches").rglob("*.requests.jsonl")
    assert (len(server.handed_in), len(path.read_text().splitlines())) == (0, N)
    results = results_of(path, server, api, tmp_path / "back.jsonl")
    path.with_name("0001.results.jsonl").write_bytes(results.read_bytes())
    collect_these(plan, store)
    assert texts(plan, store) == said()


def results_of(requests: Path, server: Providers, api: str, results: Path) -> Path:
    """What the provider would return for a file of requests."""
    from tests.models.providers import _Handler

    answers = {"openai": _Handler._openai, "anthropic": _Handler._anthropic}[api]
    handler = type("Handler", (), {"server": server})()
    lines = [json.dumps(answers(handler, json.loads(x))) for x in requests.read_text().splitlines()]
    results.write_text("\n".join(lines))
    return results


@pytest.mark.parametrize("api", APIS)
def test_the_same_file_is_read_as_recorded_answers(
    tmp_path: Path, server: Providers, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY")
    plan, store = of_server(tmp_path / "by_batch", server, api)
    collect_these(plan, store)
    (path,) = (tmp_path / "by_batch/results/batches").rglob("*.requests.jsonl")
    results = results_of(path, server, api, tmp_path / "back.jsonl")
    recorded = {"kind": "recorded", "file": str(results), "prompts_file": str(path)}
    run = run_of(
        tmp_path / "recorded",
        models={**FAKES, "student": recorded},
        tasks={"open": matrix()["tasks"]["open"]},
        limit=N,
    )
    store = Store(run.paths.results)
    plan = ask(run, store)
    plan = replace(plan, collections=tuple(c for c in plan.collections if c.model == "student"))
    collect_these(plan, store)
    assert texts(plan, store) == said()


def test_a_file_that_may_have_been_handed_in_is_not_handed_in_again(
    tmp_path: Path, server: Providers
) -> None:
    plan, store = of_server(tmp_path, server, "openai")
    server.refuses = 500
    collect_these(plan, store)  # nobody knows whether it came in
    server.refuses = 0
    collect_these(plan, store)
    reason = store.failure(plan.collections[0].key) or ""
    assert "an earlier run stopped while it handed in 0001.requests.jsonl" in reason
    (state,) = (tmp_path / "results/batches").rglob("0001.json")
    state.unlink()
    collect_these(plan, store)
    assert len(server.handed_in) == N


@pytest.mark.parametrize("status", [400, 401, 429])
def test_a_batch_that_is_refused_is_handed_in_by_the_next_run(
    tmp_path: Path, server: Providers, status: int
) -> None:
    plan, store = of_server(tmp_path, server, "openai")
    server.refuses = status
    collect_these(plan, store)
    assert f"answers {status}" in (store.failure(plan.collections[0].key) or "")
    server.refuses = 0
    collect_these(plan, store)
    assert len(server.handed_in) == N


def test_a_run_that_waits_for_a_batch_ends_with_3(tmp_path: Path, server: Providers) -> None:
    run = replace(of_server(tmp_path, server, "openai")[0].run, limit=None)
    assert execute(run, tmp_path, alone=True).code == 3
    server.ended = True
    assert execute(run, tmp_path, alone=True).code == 0


def test_results_of_another_form_are_refused(tmp_path: Path, server: Providers) -> None:
    plan, store = of_server(tmp_path, server, "openai")
    collect_these(plan, store)
    (path,) = (tmp_path / "results/batches").rglob("*.requests.jsonl")
    path.with_name("0001.results.jsonl").write_text("<html>\n")
    collect_these(plan, store)
    assert "0001.results.jsonl: expected a JSON object with custom_id" in (
        store.failure(plan.collections[0].key) or ""
    )
