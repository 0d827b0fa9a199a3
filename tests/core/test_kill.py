"""Killed at any moment, a collection goes on where it stopped and ends with the same bytes."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.core.running import REPOSITORY, write_data

# Batches of three requests that take a few milliseconds each, so that a kill falls anywhere: inside
# an answer, between two parts, while a part or the whole is written.
SLOW_COLLECT = """
import sys, time
from pathlib import Path
from harness.models.fake import FakeSession
from harness.stages.collect import collect
from harness.plan.collections import make_plan
from harness.store.store import Store
from tests.core.running import run_of

honest = FakeSession.answer_batch
def slow(self, requests, ids, decoding):
    with open(sys.argv[2], "a") as log:
        log.write(f"{self.model.name} {len(requests)}\\n")
    time.sleep(0.004)
    return honest(self, requests, ids, decoding)
FakeSession.answer_batch = slow
FakeSession.batches = lambda self, ask: [
    list(range(i, min(i + 3, len(ask.requests)))) for i in range(0, len(ask.requests), 3)
]
run = run_of(Path(sys.argv[1]))
store = Store(run.paths.results)
print("begins", flush=True)
collect(make_plan(run, store, lambda line: None), store)
print("ends", flush=True)
"""
N = 60


@contextmanager
def started(folder: Path, log: Path) -> Iterator[subprocess.Popen[str]]:
    """A collection at work, past its imports."""
    command = [sys.executable, "-c", SLOW_COLLECT, str(folder), str(log)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def killed(folder: Path, log: Path, after_s: float) -> bool:
    """Whether a collection was killed before it came to its end."""
    with started(folder, log) as process:
        try:
            process.wait(timeout=after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return True
    return False


def contents(folder: Path) -> dict[str, str]:
    """Digest of every stored table; provenance (seconds, memory) is exempt."""
    store = folder / "results" / "store"
    return {
        str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(store.rglob("*"))
        if p.name in ("rows.parquet", "spec.json")
    }


@pytest.mark.slow
def test_twenty_kills_leave_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        write_data(folder / "data", n=N)
    log = tmp_path / "log"
    with started(whole, tmp_path / "unkilled") as process:
        began = time.perf_counter()
        assert process.wait() == 0
        length = time.perf_counter() - began
    chance = random.Random(0)
    kills = 0
    while kills < 20 and killed(broken, log, chance.uniform(0, length / 12)):
        kills += 1
    assert kills == 20
    with started(broken, log) as process:
        assert process.wait() == 0
    assert contents(broken) == contents(whole)
    asked = len(log.read_text().splitlines())
    needed = len((tmp_path / "unkilled").read_text().splitlines())
    assert needed <= asked <= needed + kills  # at most one batch is repeated for every kill
