"""How long what another process makes is waited for, and what is said meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.console.progress import Clock
from harness.store.locks import BEAT_S, Holder
from harness.types import Unavailable

WAIT_S = 1.0  # between two looks at what another process collects
_SAY_S = 5.0  # of waiting, until its holder is named
_SILENT_S = 30 * BEAT_S  # without a sign of life: stopped, or gone


@dataclass(frozen=True)
class Pace:
    """The clock by which one waits."""

    clock: Clock = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Wait:
    """The wait for one cell, or one thing of the zoo."""

    name: str  # "student x zoo_facts"
    since_s: float
    its: str = "collects"  # what its holder does
    cure: str = "run again with paths.lock=false"  # where its holder is gone
    _sign: object = None  # the last sign of life, whatever it is
    _sign_s: float = 0.0  # when it was first seen
    _said: bool = False

    def look(self, holder: Holder | None, sign: object, now_s: float) -> str | Unavailable:
        """A line to say now ("" = none), or the reason why it is no longer waited for."""
        if sign != self._sign:
            self._sign, self._sign_s = sign, now_s
        who = str(holder or "another process")
        if now_s - self._sign_s >= _SILENT_S:
            return Unavailable(
                f"{who} has locked it and has shown no sign of life for {_SILENT_S:.0f} s: if it is stopped, let it go "
                f"on or end it, then run again; if it is gone, {self.cure}"
            )
        if not self._said and now_s - self.since_s >= _SAY_S:
            self._said = True
            return f"{self.name}: waiting for {who}, which {self.its} it"
        return ""
