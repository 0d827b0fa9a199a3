"""The program that an executor starts on another machine: builds the run again and carries out some of its jobs.

    python -m harness.cli.worker REQUEST LINES      - = standard input and output

What it has to say it appends to LINES (`executors/_lines.py`). It is told its number of threads by OMP_NUM_THREADS,
because sums depend on it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from harness.cli.config import typed_run
from harness.console.foreign import NO_SPACE
from harness.console.progress import hush
from harness.console.secrets import guard_logs
from harness.executors import Desk, Ended
from harness.executors._boundary import carry_out
from harness.executors._lines import (
    Asked,
    Began,
    Done,
    Line,
    Request,
    Stopped,
    read_request,
    written,
)
from harness.plan.collections import Plan, make_plan
from harness.plan.identities import identify
from harness.plan.lacking import without_lacking
from harness.plan.run import Recipe
from harness.stages.loop import summaries_in
from harness.stages.rebuilding import Rebuilder
from harness.store.store import Store
from harness.types import DistillbenchError


def main(words: Sequence[str]) -> int:
    """Carries out a request; 0 where it was looked at to its end, however its jobs ended."""
    guard_logs()
    hush()
    request, lines = words
    if request == "-":
        text = sys.stdin.readline()
        threading.Thread(target=_end_with_parent, daemon=True).start()
    else:
        text = Path(request).read_text("utf-8")
    with _opened(lines) as file:
        return _Worker(read_request(text), file).work()


def _opened(lines: str) -> TextIO:
    if lines == "-":
        file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # what libraries print is no line of ours
        return file
    file = open(lines, "a", encoding="utf-8")  # noqa: SIM115 - the caller closes it
    file.write("\n")  # after half a line of a worker that was killed
    return file


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


class _Worker:
    """One request."""

    def __init__(self, request: Request, file: TextIO) -> None:
        self._request, self._file = request, file
        names = map(os.environ.get, ("DISTILLBENCH_NODE", "SLURMD_NODENAME"))
        self._node = next(filter(None, names), os.uname().nodename)

    def work(self) -> int:
        """The exit code."""
        try:
            desk = self._desk()
            rebuilder = Rebuilder(desk.plan, desk.store)
            with desk.store.in_use():
                for i, asked in enumerate(self._request.jobs):
                    self._tell(Began(i, self._node))
                    self._tell(self._carried_out(i, asked, rebuilder, desk))
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            place = f"{self._node}: {error.filename}: " if error.filename else f"{self._node}: "
            self._tell(Stopped(f"{place}{error.strerror}", error.errno))
        except DistillbenchError as error:
            self._tell(Stopped(f"{self._node}: {'; '.join(str(error).splitlines())}"))
        return 0

    def _desk(self) -> Desk:
        recipe = Recipe(**self._request.recipe)
        os.chdir(recipe.place)
        config = {**recipe.config, "executor": "local", "workers": 1}
        run = typed_run(config, [Path(f) for f in recipe.folders], recipe.choices, recipe.settings)
        run, store = without_lacking(run), Store(run.paths.results, run.paths.lock)
        return Desk(store, make_plan(run, identify(run), summaries_in(store)), self._tell)

    def _carried_out(self, index: int, asked: Asked, rebuilder: Rebuilder, desk: Desk) -> Done:
        try:
            job = rebuilder.job(asked.doing, asked.keys)
        except KeyError:
            return Done(index, self._stranger(asked, desk.plan), False, False, ())
        all_there = all(job.is_done(key, desk.store) for key in job.keys)
        ended = Ended(job) if all_there else carry_out(job, desk)
        made = tuple(key for key in job.keys if job.is_done(key, desk.store))
        return Done(index, ended.error, ended.wrong_input, ended.our_fault, made, ended.damaged)

    def _stranger(self, asked: Asked, plan: Plan) -> str:
        """Why a job of the command is unknown here."""
        faults = plan.identities.faults
        why = faults[0] if faults else "its files or its version of distillbench are not the same"
        return f"{self._node} has no such job ({asked.doing}): {why}"

    def _tell(self, line: Line) -> None:
        self._file.write(written(line) + "\n")
        self._file.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
