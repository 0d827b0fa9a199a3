"""Killed after any step, a collection goes on where it stopped and ends with the same bytes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.core.loopback import loopback
from tests.core.running import FAKES, REPOSITORY, matrix, promised, write_data

# For each line "FOLDER LOG STEPS" a child of its own collects and kills itself before its so-manieth
# step (0 = never): a step is a batch of three requests that is answered, or a file that is put on
# the disk, so that a kill falls between answers, between a temporary file and its name, and while
# the whole is published.
COLLECTS = """
import json, os, signal, sys
from pathlib import Path
from harness.models.fake import FakeSession
from harness.stages.collect import collect
from harness.stages.ask import ask
from harness.store import drafts, journal, store as stores
from harness.store.store import Store
from tests.core.running import run_of

honest_answer, honest_sync = FakeSession.answer_batch, drafts.sync
steps = 0
def step():
    global steps
    steps += 1
    if steps == die_before:
        os.kill(os.getpid(), signal.SIGKILL)
def answer(self, requests, ids, decoding):
    step()
    with open(log, "a") as file:
        file.write(f"{self.model.name} {len(requests)}\\n")
    return honest_answer(self, requests, ids, decoding)
def sync(path):
    honest_sync(path)
    step()
FakeSession.answer_batch, drafts.sync, stores.sync, journal.sync = answer, sync, sync, sync
FakeSession.batches = lambda self, ask: [
    list(range(i, min(i + 3, len(ask.requests)))) for i in range(0, len(ask.requests), 3)
]
changes = json.loads(sys.argv[1])
if changes:
    import lm_eval.models.openai_completions
runs = {}
for line in sys.stdin:
    folder, log, steps_to_live = line.split()
    die_before = int(steps_to_live)
    run = runs.get(folder) or runs.setdefault(folder, run_of(Path(folder), **changes))
    child = os.fork()
    if child == 0:
        store = Store(run.paths.results)
        collect(ask(run, store), store)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
KILLS = 20


class Collector:
    """Collects in processes that kill themselves."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, folder: Path, log: Path, die_before: int = 0) -> int:
        """Exit code of one collection."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(folder, log, die_before, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


@contextmanager
def collector(**changes: Any) -> Iterator[Collector]:
    """Collects the small matrix with these changes."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", COLLECTS, json.dumps(changes)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        yield Collector(process)


def contents(folder: Path) -> dict[str, str]:
    """Digest of every entry; provenance (seconds, memory) is exempt."""
    return promised(folder / "results")


@pytest.mark.slow
def test_twenty_kills_leave_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unkilled, log = tmp_path / "unkilled", tmp_path / "log"
    for folder in (whole, broken):
        write_data(folder / "data")
    chance = random.Random(0)
    with collector() as collects:
        assert collects.run(whole, unkilled) == 0
        for _ in range(KILLS):
            assert collects.run(broken, log, chance.randint(1, 24)) == -signal.SIGKILL
        assert collects.run(broken, log) == 0
    assert contents(broken) == contents(whole)
    asked = len(log.read_text().splitlines())
    needed = len(unkilled.read_text().splitlines())
    assert needed <= asked <= needed + KILLS  # at most one batch is repeated for every kill


@pytest.mark.slow
def test_an_answer_of_a_server_is_asked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tenacity", reason="lm-eval's API clients need it")
    monkeypatch.setenv("OPENAI_API_KEY", "key-4711")
    whole, broken, log = tmp_path / "whole", tmp_path / "broken", tmp_path / "log"
    with loopback("chat") as server:
        args = {"base_url": server.url, "model": "tiny"}
        student = {
            "kind": "lm_eval",
            "model": "local-chat-completions",
            "chat": True,
            "snapshot": "2026-01-31",
            "args": args,
        }
        models = {"student": student, "teacher": FAKES["teacher"]}
        changes = {
            "models": models,
            "tasks": {"open": matrix()["tasks"]["open"]},
            "pairs": [{"teacher": "teacher", "student": "student", "ceiling": None}],
            "controls": [],
        }
        with collector(**changes) as collects:
            assert collects.run(whole, log) == 0
            assert server.answered == 40
            for die_before in (3, 20, 9):
                assert collects.run(broken, log, die_before) == -signal.SIGKILL
            assert collects.run(broken, log) == 0
        assert (
            80 <= server.answered <= 80 + 3
        )  # one under way at each kill, whatever the disk takes
    assert contents(broken) == contents(whole)
