"""The contract of executors, as a test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa

from harness.console.forecast import Forecast, Sort
from harness.console.progress import stage
from harness.executors import AbstractExecutor, Desk, Entry, Job, Product
from harness.store.store import Store
from harness.types import DistillbenchError


@final
@dataclass(frozen=True)
class _Small(Job):
    """Makes an entry for its keys; refuses where its title says so."""

    doing = "testing"

    def make(self, desk: Desk) -> Iterator[Product]:
        """A row of numbers for its key; refuses where its title says so."""
        if self.title == "refused":
            raise DistillbenchError("expected rows, got none")
        for key in self.keys:
            yield Entry(key, pa.table({"by": [self.title]}), {})


def check_executor(executor: AbstractExecutor) -> None:
    """Raises AssertionError with a sentence if an executor breaks its contract."""
    jobs = [
        _job("second", needs=("first",)),
        _job("first"),
        _job("refused"),
        _job("never", needs=("refused",)),
        *(_job(f"many {i}") for i in range(4)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        with stage("testing", Forecast((j.part, j.amounts) for j in jobs)) as shown:
            ended = executor.run(jobs, Desk(store, None, shown.hear), shown)
        assert executor.at_once >= 1, f"at_once: expected 1 or more, got {executor.at_once}"
        titles = sorted(e.job.title for e in ended)
        expected = sorted(j.title for j in jobs if j.title != "never")
        assert titles == expected, f"expected the end of {expected}, got {titles}"
        made = {j.title for j in jobs if store.has(j.keys[0])}
        assert made == set(expected) - {"refused"}, f"expected all but one to be made, got {made}"
        errors = {e.job.title: e.error for e in ended if e.error}
        assert errors == {"refused": "expected rows, got none"}, f"errors: {errors}"
        assert store.failure("refused") == errors["refused"], (
            "the store has no reason for a failure"
        )


def _job(title: str, needs: tuple[str, ...] = ()) -> _Small:
    return _Small((title,), title, title, {Sort("x"): 1.0}, needs, apart=True)
