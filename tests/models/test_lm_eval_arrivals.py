"""Answers of a server arrive one by one, and none is asked for before the one before it is stored."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any

from harness.models._lm_eval_client import arrivals


class _Client:
    """Answers its requests in order, as lm-eval's clients do, and notes each."""

    def __init__(self, asked: Sequence[tuple[str, ...]]) -> None:
        self.asked, self.answered, self.hook = asked, list[str](), None

    def set_cache_hook(self, hook: Any) -> None:
        self.hook = hook

    def call(self) -> list[str]:
        assert self.hook is not None
        for (prompt,) in self.asked:
            self.answered.append(prompt)
            self.hook.add_partial("generate_until", (prompt,), prompt.upper())
        return [prompt.upper() for (prompt,) in self.asked]


ASKED = [("a",), ("b",), ("a",), ("c",)]


def test_nothing_is_asked_while_an_answer_is_being_stored() -> None:
    client = _Client(ASKED)
    for stored, arrival in enumerate(arrivals(client, ASKED, client.call), start=1):
        time.sleep(0.05)  # a slow disk: time enough for a client that does not wait
        assert len(client.answered) == stored
        assert arrival.answer == client.asked[arrival.request][0].upper()


def test_a_caller_that_stops_listening_holds_nothing_up() -> None:
    client = _Client(ASKED)
    coming = arrivals(client, ASKED, client.call)
    assert isinstance(coming, Generator)
    next(coming)
    coming.close()
    deadline = time.monotonic() + 10
    while len(client.answered) < len(ASKED) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(client.answered) == len(ASKED)
