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
    return store.promised(plan.collections[0].key)[0]


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


def test_a_model_that_changed_between_two_tasks_is_refused(tmp_path: Path, server: Failing) -> None:
    """What it called itself beside complete answers counts too; a new snapshot asks all of it again."""
    plan, store = of_server(tmp_path, server)
    collect_these(plan, store)
    later, _ = of_server(tmp_path, server, n=39)
    both = replace(later, collections=(*plan.collections, *later.collections))
    server.model = "tiny-2"
    collect_these(both, store)
    assert "came from 'tiny-1', the server now calls itself 'tiny-2'" in reason(later, store)
    assert server.answered.total() == 41
    server.model = "tiny-1"
    collect_these(both, store)
    assert store.has(later.collections[0].key)


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


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", ["401", "400 bad_prompt", "500", "302", "HTML", ""])
def test_no_key_stands_in_a_file_or_a_line(
    tmp_path: Path,
    server: Failing,
    api: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key = "canary-8f3a91c7d2"
    monkeypatch.setenv("WORD", key)
    server.fault = lambda prompt, n: fault if prompt.endswith("1.") or fault == "401" else ""
    plan, store = of_server(tmp_path, server, api=api, api_key_env="WORD")
    collect_these(plan, store)
    names = {"authorization", "x-api-key"}
    sent = {v for h in server.headers for k, v in h.items() if k.lower() in names}
    assert sent == {f"Bearer {key}" if api == "openai" else key}
    said = "".join(capfd.readouterr())
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not [p for p in files if key.encode() in p.read_bytes()]
    assert key not in said + reason(plan, store)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": ""}, "key url is missing; expected an address such as http://127.0.0.1:8000/v1"),
        ({"url": "localhost:8000"}, "key url: expected an address such as"),
        ({"url": "ftp://x/v1"}, "key url: expected an address such as"),
        ({"url": "http://x/v1/chat/completions"}, "expected the address without /chat/completions"),
        (
            {"url": "http://me:pw@x/v1"},
            "key url: expected an address without user name and password; put the key",
        ),
        ({"url": "http://x/v1?api_key=1"}, "key url: expected an address without a query"),
        ({"model": ""}, "key model is missing"),
        ({"connections": 0}, "key connections: expected 1 or more, got 0"),
        ({"tries": 0}, "key tries: expected 1 or more, got 0"),
        ({"timeout_s": 0.0}, "key timeout_s: expected seconds above 0, got 0"),
        ({"timeout_s": float("nan")}, "timeout_s: expected finite numbers, got nan"),
        ({"usd_per_million_input": -1.0}, "key usd_per_million_input: expected 0 or more, got -1"),
        (
            {"usd_per_million_tokens": 1.0},
            "key usd_per_million_tokens: expected usd_per_million_input",
        ),
        ({"api": "google"}, "key api: expected one of 'openai', 'anthropic'"),
    ],
)
def test_a_wrong_field_is_one_line(
    tmp_path: Path, server: Failing, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(DistillbenchError) as caught:
        of_server(tmp_path, server, **fields)
    (line,) = str(caught.value).splitlines()
    assert words in line
    assert "student" in line


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"api": "anthropic", "chat": False}, "anthropic takes conversations only"),
        ({"scores": True}, "servers give log-probabilities of plain text only"),
        ({"body": {"api_key": "x"}}, "expected no secret in a configuration"),
        ({"api_key_env": "sk-4711-4711-4711"}, "expected the name of an environment variable"),
    ],
)
def test_what_a_server_cannot_be_is_said_before_it_is_asked(
    tmp_path: Path, server: Failing, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(DistillbenchError, match=words):
        of_server(tmp_path, server, **fields)
    assert server.n_tries == 0


def test_a_budget_in_dollars_needs_prices_and_a_client_that_keeps_it(
    tmp_path: Path, server: Failing
) -> None:
    tasks = {"open": matrix()["tasks"]["open"]}
    own = {"kind": "server", "url": server.url, "model": "tiny", "chat": True}
    theirs = {"kind": "lm_eval", "model": "local-chat-completions", "chat": True, "snapshot": "1"}
    run = run_of(
        tmp_path, models={**FAKES, "own": own, "theirs": theirs}, tasks=tasks, budget={"usd": 1}
    )
    with pytest.raises(DistillbenchError) as caught:
        ask(run, Store(run.paths.results))
    assert "budget.usd: model own names no prices" in str(caught.value)
    assert "budget: model theirs: local-chat-completions of lm-eval keeps to no" in str(
        caught.value
    )
