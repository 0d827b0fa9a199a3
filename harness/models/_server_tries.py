"""Tries: a request is sent again after faults that pass, with longer and longer waits, within the run's budget."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, final

from harness.console.foreign import notify
from harness.models._budget import Purse, Spent
from harness.models._server_faults import Fault

T = TypeVar("T")

_FIRST_S, _MOST_S = 1.0, 60.0  # waits before the second try, and at most
_TOO_LONG_S = (
    900.0  # a server that asks for a longer wait is left alone: the same command goes on later
)
_PAID_TRIES = 6  # of a request that is billed each time and not answered
_SPOKEN_S = 1.0  # waits that are worth a line
_SILENCE_S = 5.0  # between two lines about the same fault


@dataclass(frozen=True)
class Clock:
    """Time, and waiting: tests have another one."""

    now_s: Callable[[], float] = time.monotonic
    # waits so many seconds, or until the event is set
    wait: Callable[[threading.Event, float], Any] = threading.Event.wait
    luck: Callable[[], float] = random.random  # in [0, 1)


@final
@dataclass
class Tries:
    """The tries of all requests to one server, made by several threads."""

    name: str  # of the model, in lines
    host: str
    most: int  # tries of one request
    purse: Purse
    clock: Clock = field(default_factory=Clock)
    over: threading.Event = field(default_factory=threading.Event)  # set: nothing is asked any more
    _quiet_until_s: float = 0.0  # the server asked for a pause, of everybody
    _said: dict[str, float] = field(default_factory=dict)  # fault -> when a line was about it
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, once: Callable[[], T]) -> T:
        """What `once` returns, called until it does; raises the last Fault."""
        number = 1
        while True:
            self._pause()
            try:
                self.purse.take()
                return once()
            except Spent as error:
                raise Fault(str(error), "stop") from None
            except Fault as fault:
                number += 1
                most = min(self.most, _PAID_TRIES) if fault.paid else self.most
                if fault.effect != "again" or number > most:
                    raise
                self._wait(fault, number)

    def _pause(self) -> None:
        """Waits as long as the server asked everybody to."""
        while not self.over.is_set() and (left := self._quiet_until_s - self.clock.now_s()) > 0:
            self.clock.wait(self.over, left)
        if self.over.is_set():
            raise Fault("is not asked any more", "stop")

    def _wait(self, fault: Fault, number: int) -> None:
        """Waits before try `number`; raises the fault as a stop where the wait would be too long."""
        seconds = self._seconds(fault, number)
        left_s = self.purse.left_s()
        if left_s is not None and seconds >= left_s:
            limit = self.purse.budget.seconds
            raise Fault(f"{fault}; budget.seconds: {limit:g} s are over", "stop")
        if fault.wait_s is not None:
            if fault.wait_s > _TOO_LONG_S:
                raise Fault(f"{fault} and asks to wait {fault.wait_s:.0f} s", "stop")
            with self._lock:
                until_s = self.clock.now_s() + fault.wait_s
                self._quiet_until_s = max(self._quiet_until_s, until_s)
        self._say(fault, number, seconds)
        self.clock.wait(self.over, seconds)

    def _seconds(self, fault: Fault, number: int) -> float:
        """Doubled from try to try; a random part keeps threads and machines from coming back all at once."""
        planned = min(_MOST_S, _FIRST_S * 2.0 ** (number - 2))
        if fault.wait_s is not None:
            return fault.wait_s + self.clock.luck() * min(planned, 1.0)
        return planned * (0.5 + 0.5 * self.clock.luck())

    def _say(self, fault: Fault, number: int, seconds: float) -> None:
        """A line about a wait, unless the same was said a moment ago."""
        with self._lock:
            now_s, words = self.clock.now_s(), str(fault)
            recent = now_s - self._said.get(words, -_SILENCE_S) < _SILENCE_S
            if seconds < _SPOKEN_S or recent:
                return
            self._said[words] = now_s
        notify(f"{self.name}: {self.host} {fault}; {ordinal(number)} try in {seconds:.0f} s")


def ordinal(number: int) -> str:
    """The number as 1st, 2nd, 3rd, 4th ..."""
    teen = 10 < number % 100 < 20
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
