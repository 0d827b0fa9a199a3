"""Jobs that do what their titles say. Every worker process imports this module: it stays light."""

from __future__ import annotations

import errno
import gc
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import pyarrow as pa

from harness.console.forecast import Forecast, Sort
from harness.console.progress import stage
from harness.executors import Desk, Ended, Entry, Job, Product
from harness.executors.local import LocalExecutor
from harness.store.store import Store
from harness.types import DistillbenchError

TABLE = pa.table({"x": [1]})


@final
@dataclass(frozen=True)
class Simple(Job):
    """Does what its title says."""

    doing: ClassVar[str] = "testing"

    def make(self, desk: Desk) -> Iterator[Product]:
        """An entry for every key."""
        if self.title == "key error":
            raise KeyError("x")
        if self.title == "refused":
            raise DistillbenchError("file f: expected rows, got none")
        if self.title == "full":
            raise OSError(errno.ENOSPC, "no space left")
        if self.title == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.title == "killed once" and not (desk.store.root / "tried").exists():
            (desk.store.root / "tried").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        for key in self.keys:
            yield Entry(
                key, TABLE, {"by": self.title, "collects": gc.isenabled()}, {"pid": os.getpid()}
            )


@final
@dataclass(frozen=True)
class Foreign(Job):
    """Asks a library of somebody else's for something that it does not have."""

    doing: ClassVar[str] = "testing"
    foreign: ClassVar[bool] = True

    def make(self, desk: Desk) -> Iterator[Product]:
        """Nothing."""
        TABLE.column("no such column")
        yield from ()


def job(key: str, title: str = "", *, needs: tuple[str, ...] = (), group: str = "") -> Simple:
    """A job that is worth a process of its own."""
    return Simple((key,), title or key, key, {Sort("x"): 1.0}, needs, group, apart=True)


def run(store: Store, *jobs: Job, workers: int = 1) -> dict[str, Ended]:
    """How each job ended, by its title."""
    with stage("x", Forecast((j.part, j.amounts) for j in jobs)) as shown:
        desk = Desk(store, None, shown.hear)
        return {e.job.title: e for e in LocalExecutor(workers).run(jobs, desk, shown)}
