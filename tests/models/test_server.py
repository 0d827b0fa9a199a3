"""Servers: every way to fail, what is asked, what counts as an answer, and who answers."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.models import AbstractSession, Answered, Ask, Failed
from harness.models._server_faults import Fault
from harness.models._server_http import Connection
from harness.models._server_session import Identity, Manner, ServerSession
from harness.models._server_tries import Clock
from harness.models.server import ServerModel
from harness.plugins import build
from harness.testing import check_model
from harness.types import Decoding, Message, Paths, Request
from tests.models.failing import FAULTS, STALLS, Failing, failing, prompt_of

PATHS = Paths(Path("r"), Path("c"), ())


def model_of(server: Failing, **fields: Any) -> ServerModel:
    chat = {"kind": "server", "url": server.url, "model": "tiny", "chat": True}
    return build("models", "m", {**chat, **fields})  # type: ignore[no-any-return]


class Ticks:
    """A clock that stands still but for the waits."""

    def __init__(self) -> None:
        self.now_s, self.waits, self.lock = 0.0, list[float](), threading.Lock()

    def wait(self, over: threading.Event, seconds: float) -> None:
        with self.lock:
            self.now_s += seconds
            self.waits.append(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, self.wait, random.Random(7).random)


@contextmanager
def opened(
    model: ServerModel, ticks: Ticks, previous: dict[str, Any] | None = None
) -> Iterator[ServerSession]:
    """The model's session with a clock of ours; responses are waited for by the machine's."""
    connection = Connection(model.url, model._headers(), model.timeout_s)
    manner = Manner(model.connections, model.tries, ticks.clock)
    yield ServerSession(
        model.wire(), connection, "127.0.0.1", manner, Identity(model.name, previous), {}
    )
    connection.close()


def talk(n: int, kind: str = "Tell me about thing") -> list[Request]:
    return [Request(i, "generate", (Message("user", f"{kind} {i}."),)) for i in range(n)]


def events(
    session: AbstractSession, requests: Sequence[Request], decoding: Decoding | None = None
) -> list[Answered | Failed]:
    whole = Ask(
        "key", tuple(requests), tuple(str(i) for i in range(len(requests))), decoding or Decoding()
    )
    batches = tuple(tuple(batch) for batch in session.batches(whole))
    return list(session.answer([replace(whole, missing=batches)]))


def texts(came: Sequence[Answered | Failed]) -> dict[int, str | None]:
    return {int(e.outputs.request[0]): e.outputs.text[0] for e in came if isinstance(e, Answered)}


def said(n: int) -> dict[int, str | None]:
    return {i: f"you said Tell me about thing {i}." for i in range(n)}


def test_the_contract() -> None:
    with failing() as server:
        check_model(model_of(server, connections=3), requests=talk(6))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_costs_no_answer(fault: str) -> None:
    """Three requests in ten fail at their first try, in one way."""
    bad = {f"Tell me about thing {i}." for i in range(0, 30, 3)}
    with failing(lambda prompt, n: fault if n == 1 and prompt in bad else "") as server:
        with opened(model_of(server), Ticks()) as session:
            came = events(session, talk(30))
        assert texts(came) == said(30)
        assert server.n_tries == 40
        assert set(server.answered.values()) == {1}


@pytest.mark.parametrize("fault", STALLS)
def test_an_answer_that_does_not_come_is_asked_for_again(fault: str) -> None:
    with failing(lambda prompt, n: fault if n == 1 and prompt.endswith(" 2.") else "") as server:
        with opened(model_of(server, timeout_s=0.4, tries=50), Ticks()) as session:
            came = events(session, talk(4))
        assert texts(came) == said(4)
        assert server.tries["Tell me about thing 2."] >= 2


def test_all_faults_together_cost_at_most_four_requests_in_ten() -> None:
    luck = random.Random(3)
    faults = {
        f"Tell me about thing {i}.": FAULTS[i % len(FAULTS)] for i in luck.sample(range(100), 30)
    }
    with failing(lambda prompt, n: faults.get(prompt, "") if n == 1 else "") as server:
        with opened(model_of(server), Ticks()) as session:
            came = events(session, talk(100))
        assert texts(came) == said(100)
        assert server.n_tries == 130
        assert max(server.answered.values()) == 1


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("fault", ["400 context_length_exceeded", "500", "no text", "413"])
def test_one_bad_request_is_one_missing_answer(fault: str, connections: int) -> None:
    server = failing(lambda prompt, n: fault if prompt.endswith(" 4.") else "")
    with server as s, opened(model_of(s, connections=connections), Ticks()) as session:
        came = events(session, talk(9))
    answers = {int(e.outputs.request[0]): e for e in came if isinstance(e, Answered)}
    assert len(answers) == len(came) == 9
    assert [i for i, e in answers.items() if not e.outputs.answered[0]] == [4]
    why = {"no text": "answers without a text"}.get(fault, f"answers {fault[:3]}")
    if " context" in fault:
        why += " (context_length_exceeded)"
    assert answers[4].told["missing"] == why


@pytest.mark.parametrize(
    ("fault", "words", "most"),
    [
        ("401", "answers 401; check the API key", 4),
        ("404 model_not_found", "answers 404 (model_not_found); check `url` and `model`", 4),
        ("429 insufficient_quota", "(insufficient_quota); check what is left of the credit", 4),
        ("302", "answers 302, a redirect that is not followed; check `url`", 4),
        ("503", "answers 503, 3 requests in a row", 40),
        ("400", "answers 400, 20 requests in a row", 30),
    ],
)
def test_a_server_that_is_gone_ends_the_cell_and_what_came_is_kept(
    fault: str, words: str, most: int
) -> None:
    with failing() as server:
        server.fault = lambda prompt, n: fault if sum(server.answered.values()) >= 40 else ""
        with opened(model_of(server, connections=4), Ticks()) as session:
            came = events(session, talk(100))
        assert sum(server.answered.values()) == 40
        assert server.n_tries - 40 <= most
    assert len(texts(came)) == 40
    assert all(e.outputs.answered[0] for e in came if isinstance(e, Answered))
    assert isinstance(came[-1], Failed)
    assert words in str(came[-1].error)
    assert "what was answered is kept, and the same command goes on from there" in str(
        came[-1].error
    )


def test_an_answer_that_was_on_its_way_says_nothing_of_a_later_refusal() -> None:
    """The server refuses everything while the first answer is still under way: nothing is missing for good."""
    model = build(
        "models", "m", {"kind": "server", "url": "http://x/v1", "model": "tiny", "chat": True}
    )
    manner = Manner(2, 1, Ticks().clock)
    session = ServerSession(model.wire(), Refusing(), "x", manner, Identity("m", None), {})
    came = events(session, talk(60))
    assert [type(e) for e in came] == [Answered, Failed]
    assert texts(came) == {0: "at last"}


class Refusing:
    """Refuses everything but what it was asked first, and answers that after five refusals."""

    def __init__(self) -> None:
        self.refused, self.five = 0, threading.Event()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if prompt_of(body).endswith(" 0."):
            assert self.five.wait(60)
            return {"choices": [{"message": {"content": "at last"}}]}
        self.refused += 1
        if self.refused == 6:
            self.five.set()
        raise Fault("answers 400", "missing")


def test_a_server_that_is_not_there() -> None:
    with failing() as server:
        model = model_of(server, connections=1)
    ticks = Ticks()
    with opened(model, ticks) as session:
        came = events(session, talk(50))
    assert [type(e) for e in came] == [Failed]
    assert "127.0.0.1 cannot be reached" in str(getattr(came[0], "error", ""))
    assert len(ticks.waits) == 7


def test_a_server_that_refuses_everything_is_no_row_of_missing_answers() -> None:
    with failing(lambda prompt, n: "400") as server, opened(model_of(server), Ticks()) as session:
        came = events(session, talk(5))
    assert [type(e) for e in came] == [Failed]
    assert "answers 400, whatever it is asked" in str(getattr(came[0], "error", ""))


def test_a_server_that_gives_no_log_probabilities_is_told_so() -> None:
    """Its answers hold none; the cure is the key that says so."""
    requests = [Request(i, "score", f"Thing {i} is", continuation=" small") for i in range(30)]
    with failing() as server:
        model = model_of(server, chat=False)
        with opened(model, Ticks()) as session:
            came = events(session, requests)
    assert [type(e) for e in came] == [Failed]
    words = str(getattr(came[0], "error", ""))
    assert "answers without log-probabilities" in words
    assert "set `scores: false` where the server gives no log-probabilities of prompts" in words
