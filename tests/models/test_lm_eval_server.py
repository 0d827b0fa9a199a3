"""A server that dies, or becomes another: nothing that it answered is asked again, or mixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.plan.collections import Plan
from harness.stages.ask import ask
from harness.store.store import Store
from harness.store.tables import outputs_from_table
from tests.core.loopback import Loopback, loopback
from tests.core.running import FAKES, matrix, run_of
from tests.joints.small import collect_these, requests_of

pytest.importorskip("lm_eval")
pytest.importorskip("tenacity", reason="lm-eval's API clients need it: pip install 'lm-eval[api]'")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setenv("MY_KEY", "key-4711")
    with loopback("chat") as running:
        running.name = "tiny-1"
        yield running


def of_server(folder: Path, server: Loopback, **args: Any) -> tuple[Plan, Store]:
    """The collection of a student behind a server."""
    student = {
        "kind": "lm_eval",
        "model": "local-chat-completions",
        "chat": True,
        "snapshot": "2026-01-31",
        "api_key_env": "MY_KEY",
        "args": {"base_url": server.url, "model": "tiny", "max_retries": 1, **args},
    }
    run = run_of(
        folder,
        models={**FAKES, "student": student},
        tasks={"open": matrix()["tasks"]["open"]},
        metrics={"length": None},
    )
    store = Store(run.paths.results)
    plan = ask(run, store)
    cells = tuple(c for c in plan.collections if c.model == "student")
    assert len(cells) == 1
    return replace(plan, collections=cells), store


def rows(plan: Plan, store: Store) -> bytes:
    return store.promised(plan.collections[0].key)[0]


@pytest.mark.parametrize("connections", [1, 4])
def test_after_a_server_died_only_the_rest_is_asked(
    tmp_path: Path, server: Loopback, connections: int
) -> None:
    plan, store = of_server(tmp_path / "whole", server, num_concurrent=connections)
    collect_these(plan, store)
    whole = rows(plan, store)
    assert server.answered == 40
    plan, store = of_server(tmp_path / "broken", server, num_concurrent=connections)
    for total in (40 + 17, 40 + 18):
        server.dies_after = total
        collect_these(plan, store)
        reason = store.failure(plan.collections[0].key)
        assert reason is not None
        assert "local-chat-completions failed on" in reason
    server.dies_after = None
    collect_these(plan, store)
    assert rows(plan, store) == whole
    # what was under way when the server died may have been answered in vain
    assert 80 <= server.answered <= 80 + 2 * (connections - 1)
    assert store.provenance(plan.collections[0].key)["answers_as"] == "tiny-1"


def test_a_server_that_calls_itself_another_model_is_refused(
    tmp_path: Path, server: Loopback
) -> None:
    plan, store = of_server(tmp_path, server)
    server.dies_after = 5
    collect_these(plan, store)
    server.dies_after, server.name = None, "tiny-2"
    collect_these(plan, store)
    reason = store.failure(plan.collections[0].key)
    assert reason is not None
    assert "the answers that are there came from 'tiny-1', the server now calls itself" in reason
    assert server.answered == 6  # one answer was enough to see it
    server.name = "tiny-1"
    collect_these(plan, store)
    assert store.has(plan.collections[0].key)


def test_answers_stand_with_their_own_requests(tmp_path: Path, server: Loopback) -> None:
    plan, store = of_server(tmp_path, server, num_concurrent=4)
    collect_these(plan, store)
    outputs = outputs_from_table(store.table(plan.collections[0].key))
    for i, request in enumerate(requests_of(plan.collections[0], store).requests):
        prompt = requests_of(plan.collections[0], store).prompts[request.prompt].text
        assert outputs.text[i] == f"you said {prompt} with Bearer key-4711"


@pytest.mark.parametrize("bad", [[0], [17, 18], [39], [5, 39]])
def test_a_request_that_fails_alone_is_missing_and_the_others_are_answered(
    tmp_path: Path, server: Loopback, bad: list[int]
) -> None:
    plan, store = of_server(tmp_path, server)
    prompts = [p.text for p in requests_of(plan.collections[0], store).prompts]
    server.refuses = tuple(prompts[i] for i in bad)
    collect_these(plan, store)
    outputs = outputs_from_table(store.table(plan.collections[0].key))
    assert [i for i, there in enumerate(outputs.answered) if not there] == bad
    assert server.answered == 40 - len(bad) + (39 in bad)  # once more, to see that it lives


def test_a_server_that_refuses_everything_ends_its_collection_soon(
    tmp_path: Path, server: Loopback
) -> None:
    plan, store = of_server(tmp_path, server)
    server.refuses = ("",)
    collect_these(plan, store)
    assert "failed on 1 request" in (store.failure(plan.collections[0].key) or "")
    assert not store.has(plan.collections[0].key)
    assert server.answered == 0


def test_the_last_request_is_not_missing_where_the_server_died_before_it(
    tmp_path: Path, server: Loopback
) -> None:
    plan, store = of_server(tmp_path, server)
    server.dies_after = 39
    collect_these(plan, store)
    assert not store.has(plan.collections[0].key)
    server.dies_after = None
    collect_these(plan, store)
    outputs = outputs_from_table(store.table(plan.collections[0].key))
    assert all(outputs.answered)
    assert server.answered == 40
