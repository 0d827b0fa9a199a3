"""What a run may spend on servers, and what all of its processes have spent so far."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from harness.types import DistillbenchError


class Spent(Exception):
    """Nothing more may be spent; the message says which limit was reached."""


@dataclass(frozen=True)
class Budget:
    """The limits of one run; None = no limit."""

    seconds: float | None = None  # since the run began to collect
    requests: int | None = None  # tries, failed ones too
    usd: float | None = None  # by the prices of the models and the tokens that servers state

    def __post_init__(self) -> None:
        wrong = [
            f"key {key}: expected a number above 0, or null for no limit; got {limit:g}"
            for key, limit in vars(self).items()
            if limit is not None and not 0 < limit < float("inf")
        ]
        if wrong:
            raise DistillbenchError("\n".join(wrong))

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in vars(self).values())


@dataclass(frozen=True)
class Purse:
    """A budget and the file in which the processes of a run count what they spend. Can be pickled."""

    budget: Budget = field(default_factory=Budget)
    path: Path | None = None  # None = nothing is counted, there is no limit
    began_s: float = 0.0
    lock: bool = True  # False on file systems without flock
    now_s: Callable[[], float] = time.time

    @classmethod
    def opened(cls, budget: Budget, folder: Path, *, lock: bool = True) -> Purse:
        """The purse of a run that begins now; its file is in `folder`."""
        if not budget.is_limited:
            return cls()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"spent.{os.getpid()}.{uuid.uuid4().hex[:8]}.json"
        path.write_text(json.dumps({"requests": 0, "usd": 0.0}), "utf-8")
        return cls(budget, path, time.time(), lock)

    def close(self) -> None:
        """Removes the file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def left_s(self) -> float | None:
        """Seconds until the time is over, negative after that; None = there is no limit."""
        limit = self.budget.seconds
        return None if limit is None else self.began_s + limit - self.now_s()

    def take(self) -> None:
        """Counts one request that is about to be sent; raises Spent where none may be sent any more."""
        left_s, budget = self.left_s(), self.budget
        if left_s is not None and left_s <= 0:
            raise Spent(f"budget.seconds: {budget.seconds:g} s are over")
        if self.path is None:
            return
        with self._counted() as spent:
            if budget.requests is not None and spent["requests"] >= budget.requests:
                raise Spent(f"budget.requests: {budget.requests} requests were sent")
            if budget.usd is not None and spent["usd"] >= budget.usd:
                raise Spent(f"budget.usd: {spent['usd']:.2f} of {budget.usd:g} dollars are spent")
            spent["requests"] += 1

    def pay(self, usd: float) -> None:
        """Counts what an answer cost."""
        if self.path is not None and usd:
            with self._counted() as spent:
                spent["usd"] += usd

    @contextlib.contextmanager
    def _counted(self) -> Iterator[dict[str, float]]:
        """The counts; what is changed inside is written."""
        assert self.path is not None
        with self.path.open("r+", encoding="utf-8") as file:
            if self.lock:
                fcntl.flock(file, fcntl.LOCK_EX)
            spent = json.load(file)
            yield spent
            _overwrite(file, json.dumps(spent))


def _overwrite(file: TextIO, text: str) -> None:
    file.seek(0)
    file.write(text)
    file.truncate()
    file.flush()
