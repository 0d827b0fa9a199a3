"""The command with two workers, killed with all its processes at a random piece of its work, and started again.

python -m tests.executors.kill_trials [TRIALS]      of a run and of a sweep each; prints what differed
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.models._batches import slices
from harness.models.fake import FakeSession
from harness.plan.run import Run
from harness.stages.ask import ask
from harness.stages.collect import collect
from harness.store.store import Store
from tests.core.running import run_of
from tests.core.test_kill import contents
from tests.executors import slow_run
from tests.executors.slurm_loopback import until

WORKERS = 2
_honest = FakeSession.answer_batch
WORDS = {"run": (), "sweep": ("-m", "seed=0,1")}


@dataclass(frozen=True)
class Trial:
    """What a kill left."""

    moment: int  # batches that were asked before
    same: bool  # whether the bytes are those of a whole run
    repeated: int  # batches that were asked again


@dataclass(frozen=True)
class Trials:
    """Runs of one kind, beside one that nobody killed."""

    folder: Path
    words: Sequence[str]
    whole: dict[str, str]
    needed: int

    @classmethod
    def of(cls, folder: Path, kind: str) -> Trials:
        """Makes the whole one."""
        folder.mkdir()
        slow_run.write_run(folder, wait_ms=15)
        words = ("stages=[collect]", f"workers={WORKERS}", *WORDS[kind])
        code, said = slow_run.run(folder, "whole", *words)
        assert code == 0, said
        return cls(folder, words, slow_run.left(folder / "whole"), slow_run.n_asked(folder))

    def killed_at(self, moment: int) -> Trial:
        """Kills after so many batches, and goes on."""
        (self.folder / "cache/asked").unlink()
        name = f"killed-{moment}-{time.monotonic_ns()}"
        process = slow_run.start(self.folder, name, *self.words, apart=True)
        until(lambda: slow_run.n_asked(self.folder) >= moment or process.poll() is not None)
        os.killpg(process.pid, signal.SIGKILL)
        slow_run.ended(process)
        code, said = slow_run.run(self.folder, name, *self.words)
        assert code == 0, said
        same = slow_run.left(self.folder / name) == self.whole
        return Trial(moment, same, slow_run.n_asked(self.folder) - self.needed)


@dataclass(frozen=True)
class Forked:
    """Two processes on one store, forked from this one; each collects everything that the other does not."""

    folder: Path
    runs: Sequence[Run]

    def collect(self, name: str) -> None:
        """Collects the runs of one trial, which share a store."""
        self._patch(name)
        for run in self.runs:
            paths = replace(run.paths, results=self.folder / name / "results")
            store = Store(paths.results)
            collect(ask(replace(run, paths=paths), store), store)

    def start(self, name: str) -> int:
        """A process that does so."""
        pid = os.fork()
        if pid == 0:
            with open(os.devnull, "w") as nothing:
                os.dup2(nothing.fileno(), 2)
            self.collect(name)
            os._exit(0)
        return pid

    def asked(self, name: str) -> int:
        """Batches that were asked."""
        log = self.folder / name / "asked"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def killed_at(self, moment: int, needed: int, whole: dict[str, str]) -> Trial:
        """Kills both after so many batches, and goes on with one."""
        name = f"killed-{moment}-{time.monotonic_ns()}"
        pids = [self.start(name) for _ in range(WORKERS)]
        until(lambda: self.asked(name) >= moment)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.waitpid(self.start(name), 0)
        same = contents(self.folder / name) == whole
        return Trial(moment, same, self.asked(name) - needed)

    def _patch(self, name: str) -> None:
        """Three requests at a time, each batch with a line in a log, and not at once."""
        log = self.folder / name / "asked"
        log.parent.mkdir(exist_ok=True)

        def answer(session: FakeSession, *asked: Any) -> Any:
            """Answers after a while."""
            time.sleep(0.004)
            with log.open("a") as file:
                file.write("x\n")
            return _honest(session, *asked)

        setattr(FakeSession, "answer_batch", answer)  # noqa: B010 - a method, for the types
        setattr(FakeSession, "batches", lambda _, ask: slices(len(ask.requests), 3))  # noqa: B010


def forked(n: int) -> None:
    """Prints a line for each kind."""
    for kind, seeds in (("run", (0,)), ("sweep", (0, 1))):
        chance = random.Random(0)
        with tempfile.TemporaryDirectory() as folder:
            trials = Forked(Path(folder), [run_of(Path(folder), seed=seed) for seed in seeds])
            trials.collect("whole")  # here: what it imports is there in every fork
            needed, whole = trials.asked("whole"), contents(Path(folder) / "whole")
            moments = [chance.randint(1, needed - 1) for _ in range(n)]
            _say(kind, [trials.killed_at(m, needed, whole) for m in moments], needed)


def _say(kind: str, made: Sequence[Trial], needed: int) -> None:
    same, most = sum(t.same for t in made), max(t.repeated for t in made)
    print(f"{kind}: {same} of {len(made)} the same bytes, at most {most} of {needed} batches again")


def main() -> None:
    """Prints a line for each kind."""
    if sys.argv[1:2] == ["--forked"]:
        forked(int(sys.argv[2]))
        return
    n, chance = int((sys.argv[1:] or ["50"])[0]), random.Random(0)
    for kind in WORDS:
        with tempfile.TemporaryDirectory() as folder:
            trials = Trials.of(Path(folder) / kind, kind)
            made = []
            for _ in range(n):
                made.append(trials.killed_at(chance.randint(1, trials.needed - 1)))
                print(kind, made[-1], flush=True)
        _say(kind, made, trials.needed)


if __name__ == "__main__":
    main()
