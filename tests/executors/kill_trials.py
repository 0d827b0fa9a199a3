"""The command with two workers, killed with all its processes at a random piece of its work, and started again.

python -m tests.executors.kill_trials [TRIALS]      of a run and of a sweep each; prints what differed
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.executors import slow_run
from tests.executors.slurm_loopback import until

WORKERS = 2
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
        name = f"killed at {moment}".replace(" ", "-")
        process = slow_run.start(self.folder, name, *self.words, apart=True)
        until(lambda: slow_run.n_asked(self.folder) >= moment or process.poll() is not None)
        os.killpg(process.pid, signal.SIGKILL)
        slow_run.ended(process)
        code, said = slow_run.run(self.folder, name, *self.words)
        assert code == 0, said
        same = slow_run.left(self.folder / name) == self.whole
        return Trial(moment, same, slow_run.n_asked(self.folder) - self.needed)


def main() -> None:
    """Prints a line for each kind."""
    n, chance = int((sys.argv[1:] or ["50"])[0]), random.Random(0)
    for kind in WORDS:
        with tempfile.TemporaryDirectory() as folder:
            trials = Trials.of(Path(folder) / kind, kind)
            moments = [chance.randint(1, trials.needed - 1) for _ in range(n)]
            made = []
            for moment in moments:
                made.append(trials.killed_at(moment))
                print(kind, made[-1], flush=True)
        same, most = sum(t.same for t in made), max(t.repeated for t in made)
        print(
            f"{kind}: {same} of {n} the same bytes, at most {most} of {trials.needed} batches again"
        )


if __name__ == "__main__":
    main()
