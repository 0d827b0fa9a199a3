"""Scoring over shared prefixes, killed at random batches by SIGKILL and started again: the same bytes?

python -m tests.executors.kill_scoring [TRIALS]      a tiny Llama, questions with five examples, batches of six options
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.models._hf_session import HfSession
from harness.plan.run import Run
from tests.bench.inputs import make_tasks
from tests.core.running import run_of
from tests.core.test_kill import contents
from tests.executors.kill_trials import Forked
from tests.models import architectures

N_QUESTIONS = 40
TASKS = ("bench_fixed_5", "bench_easy_0")
_honest = HfSession.answer_batch


class Scored(Forked):
    """Two processes that score with a checkpoint; whoever comes second waits for the first one's locks."""

    def _patch(self, name: str) -> None:
        """Each batch leaves a line in a log before it is answered."""
        log = self.folder / name / "asked"
        log.parent.mkdir(exist_ok=True)

        def answer(session: HfSession, *asked: Any) -> Any:
            """Answers."""
            with log.open("a") as file:
                file.write("x\n")
            return _honest(session, *asked)

        setattr(HfSession, "answer_batch", answer)  # noqa: B010 - a method, for the types


def scoring_run(folder: Path) -> Run:
    """The run whose processes are killed."""
    make_tasks(folder / "tasks", N_QUESTIONS, 1, 1)
    checkpoint = architectures.save(folder / "model", "llama")
    model = {"kind": "hf", "path": str(checkpoint), "device": "cpu", "batch_size": 6}
    tasks = {t: {"kind": "lm_eval", "task": t, "include": str(folder / "tasks")} for t in TASKS}
    run = run_of(folder, models={"m": model}, tasks=tasks, pairs=[], controls=[], metrics={})
    return replace(run, workers=1)


def main() -> None:
    """Prints what the kills left; 1 where bytes differ."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    n, chance = int((sys.argv[1:] or ["20"])[0]), random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trials = Scored(folder, [scoring_run(folder)])
        trials.collect("whole")
        needed, whole = trials.asked("whole"), contents(folder / "whole")
        made = [trials.killed_at(chance.randint(1, needed - 1), needed, whole) for _ in range(n)]
    same, most = sum(t.same for t in made), max(t.repeated for t in made)
    print(f"{same} of {n} the same bytes, at most {most} of {needed} batches again")
    sys.exit(int(same < n))


if __name__ == "__main__":
    main()
