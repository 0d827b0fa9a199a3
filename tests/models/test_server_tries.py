"""Waits between tries, what a response asks for, and what ends all tries; no clock runs here."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from harness.models._budget import Budget, Purse
from harness.models._server_faults import (
    Fault,
    error_code,
    fault_inside,
    fault_of_status,
    retry_after_s,
)
from harness.models._server_http import Connection, is_here
from harness.models._server_tries import Clock, Tries, ordinal
from tests.models.test_server import Ticks


def tries(ticks: Ticks, most: int = 8, purse: Purse | None = None, luck: float = 1.0) -> Tries:
    clock = Clock(lambda: ticks.now_s, ticks.wait, lambda: luck)
    return Tries("m", "here:1", most, purse or Purse(), clock)


def failing(*faults: Fault | None) -> Callable[[], str]:
    """Raises one fault after the other, then answers."""
    left = list(faults)

    def once() -> str:
        if left and (fault := left.pop(0)) is not None:
            raise fault
        return "answer"

    return once


def again(**options: Any) -> Fault:
    return Fault("answers 500", "again", **options)


def test_waits_are_doubled_up_to_a_minute_with_a_random_part(
    capfd: pytest.CaptureFixture[str],
) -> None:
    ticks = Ticks()
    with pytest.raises(Fault, match="answers 500"):
        tries(ticks, most=9).ask(failing(*[again() for _ in range(9)]))
    assert ticks.waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert "m: here:1 answers 500; 5th try in 8 s" in capfd.readouterr().err
    ticks = Ticks()
    assert tries(ticks, luck=0.0).ask(failing(again(), again(), again())) == "answer"
    assert ticks.waits == [0.5, 1, 2]


def test_the_same_is_not_said_of_every_request(capfd: pytest.CaptureFixture[str]) -> None:
    several = tries(Ticks())
    for _ in range(3):
        several._say(again(), 2, 2.0)
    several._say(Fault("answers 429", "again"), 3, 8.0)
    said = ["m: here:1 answers 500; 2nd try in 2 s", "m: here:1 answers 429; 3rd try in 8 s"]
    assert capfd.readouterr().err.splitlines() == said


def test_a_server_that_asks_to_wait_is_left_alone_by_everybody() -> None:
    ticks = Ticks()
    shared = tries(ticks)
    shared._wait(Fault("answers 429", "again", wait_s=20.0), 2)
    ticks.now_s -= 15  # another thread comes before the wait is over
    before = len(ticks.waits)
    assert shared.ask(failing()) == "answer"
    assert ticks.waits[before:] == [pytest.approx(14.0)]
    with pytest.raises(Fault, match="asks to wait 3600 s") as caught:
        shared.ask(failing(Fault("answers 429", "again", wait_s=3600.0)))
    assert caught.value.effect == "stop"


def test_answers_without_an_answer_are_paid_for_six_times_at_most() -> None:
    ticks = Ticks()
    with pytest.raises(Fault):
        tries(ticks).ask(failing(*[again(paid=True) for _ in range(9)]))
    assert len(ticks.waits) == 5


@pytest.mark.parametrize("effect", ["missing", "stop"])
def test_what_does_not_pass_is_not_tried_again(effect: Any) -> None:
    ticks = Ticks()
    with pytest.raises(Fault):
        tries(ticks).ask(failing(Fault("answers 400", effect)))
    assert not ticks.waits


def test_no_wait_reaches_beyond_the_budget_s_end() -> None:
    ticks = Ticks()
    purse = Purse(Budget(seconds=5.0), None, 0.0, now_s=lambda: ticks.now_s)
    with pytest.raises(Fault, match=r"answers 500; budget.seconds: 5 s are over") as caught:
        tries(ticks, purse=purse).ask(failing(*[again() for _ in range(9)]))
    assert caught.value.effect == "stop"
    assert sum(ticks.waits) < 5


def test_ordinals() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)
    assert " ".join(map(ordinal, numbers)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th"


NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Fri, 27 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 27 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 27 Nov 2026 14:00:30 +0200"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
    ],
)
def test_how_long_a_response_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "effect"),
    [
        *((s, "again") for s in (408, 409, 425, 429, 500, 502, 503, 504, 524, 529)),
        *((s, "missing") for s in (400, 403, 413, 415, 422, 451)),
        *((s, "stop") for s in (301, 302, 307, 308, 401, 402, 404, 405, 407)),
    ],
)
def test_what_a_status_means(status: int, effect: str) -> None:
    fault = fault_of_status(status, {}, None)
    assert fault is not None
    assert (fault.effect, str(fault).startswith(f"answers {status}")) == (effect, True)


def test_no_text_of_an_error_is_quoted_but_its_code() -> None:
    assert (
        error_code({"error": {"code": "model_not_found", "message": "key sk-1 is wrong"}})
        == "model_not_found"
    )
    assert (
        error_code({"error": {"type": "invalid_request_error", "code": 400}})
        == "invalid_request_error"
    )
    for odd in ("the key sk-123", "sk-123-abc", "UPPER", "", 3, None, ["x"]):
        assert error_code({"error": {"code": odd}}) == ""
    assert error_code({"error": "text"}) == error_code(None) == error_code([1]) == ""


def test_an_error_inside_of_a_success_has_its_own_status() -> None:
    effects = [
        getattr(fault_inside({"error": error}), "effect", None)
        for error in (
            {"code": 400},
            {"code": 429},
            {"code": 401},
            {"code": "x"},
            {"code": True},
            "no",
        )
    ]
    assert effects == ["missing", "again", "stop", "again", "again", "again"]
    assert fault_inside({"choices": [1], "error": None}) is None
    assert fault_inside([1]) is not None


def connection(answer: Callable[[httpx2.Request], httpx2.Response], **options: Any) -> Connection:
    transport = httpx2.MockTransport(answer)
    return Connection(
        "https://there/v1", {"authorization": "Bearer k"}, 60.0, transport=transport, **options
    )


def raising(error: Exception) -> Callable[[httpx2.Request], httpx2.Response]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "words", "effect", "is_gone"),
    [
        (httpx2.ConnectError("sk-123"), "cannot be reached", "again", True),
        (httpx2.ConnectTimeout("sk-123"), "cannot be reached", "again", True),
        (
            httpx2.ConnectError("CERTIFICATE_VERIFY_FAILED"),
            "no certificate that is trusted",
            "stop",
            False,
        ),
        (httpx2.ReadTimeout("sk-123"), "does not answer within 60 s", "again", False),
        (httpx2.WriteTimeout("sk-123"), "does not answer within 60 s", "again", False),
        (httpx2.ReadError("sk-123"), "broke off in the middle", "again", False),
        (httpx2.RemoteProtocolError("sk-123"), "broke off in the middle", "again", False),
        (httpx2.DecodingError("sk-123"), "broke off in the middle", "again", False),
        (httpx2.LocalProtocolError("sk-123"), "check `url`", "stop", False),
    ],
)
def test_what_the_client_raises(error: Exception, words: str, effect: str, is_gone: bool) -> None:
    with pytest.raises(Fault, match=words) as caught:
        connection(raising(error)).post("/x", {})
    assert (caught.value.effect, caught.value.is_gone) == (effect, is_gone)
    assert "sk-123" not in str(caught.value)


def test_an_answer_that_comes_too_slowly_is_none() -> None:
    times = iter([0.0, 30.0, 59.0, 61.0])

    def slow(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=(b"x" for _ in range(9)))

    with pytest.raises(Fault, match="does not answer within 60 s"):
        connection(slow, now_s=lambda: next(times)).post("/x", {})


def test_a_redirect_is_not_followed_and_takes_no_key_along() -> None:
    seen: list[str] = []

    def moved(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        return httpx2.Response(307, headers={"location": "https://elsewhere/v1/x"})

    with pytest.raises(Fault, match="answers 307, a redirect that is not followed"):
        connection(moved).post("/x", {})
    assert seen == ["https://there/v1/x"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": ', b"[" * 200_000, b"\xff\xfe", b"null", b"3"]
)
def test_what_is_not_a_json_object_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(Fault, match="JSON") as caught:
        connection(lambda request: httpx2.Response(200, content=body)).post("/x", {})
    assert caught.value.effect == "again"


def test_no_proxy_leads_back_to_this_machine() -> None:
    assert all(map(is_here, ("http://localhost:1", "http://127.0.0.1/v1", "http://[::1]:8000")))
    assert not any(
        map(
            is_here,
            ("https://api.openai.com/v1", "http://10.0.0.1", f"http://{socket.gethostname()}x"),
        )
    )
