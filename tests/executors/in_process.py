"""A cluster in this process: a request is carried out by the worker's own program, or is lost as a script says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from harness.cli import worker
from harness.console.forecast import Forecast
from harness.console.progress import News, stage
from harness.executors import Desk, Ended, Job
from harness.executors._boundary import carry_out
from harness.executors._cluster import Crew, Gone, Machines
from harness.executors._lines import Began, Done, Line, read_line, request_of
from harness.store.store import Store


@dataclass
class Program(Machines):
    """Every request is carried out by `harness.cli.worker` at once."""

    folder: Path
    desk: Desk
    sizes: list[int] = field(default_factory=list)  # of the requests
    _lines: list[tuple[int, Line]] = field(default_factory=list)

    def submit(self, number: int, jobs: Sequence[Job], avoid: Set[str]) -> None:
        """Runs the worker."""
        self.sizes.append(len(jobs))
        request, lines = self.folder / f"{number}.json", self.folder / f"{number}.lines"
        request.write_text(request_of(jobs, self.desk.plan.run.recipe))
        with mock.patch.object(worker, "hush"):
            assert worker.main([str(request), str(lines)]) == 0
        read = map(read_line, lines.read_text().splitlines())
        self._lines += [(number, line) for line in read if line is not None]

    def heard(self) -> Iterator[tuple[int, Line | Gone]]:
        """What the workers said."""
        said, self._lines = self._lines, []
        yield from said

    def forget(self, number: int) -> None:
        """Nothing is left of it."""

    def close(self, *, whole: bool) -> None:
        """Nothing is left of it."""


@dataclass
class Scripted(Machines):
    """Carries out jobs here, but for those that a script loses: title -> how, for each of its tries."""

    desk: Desk
    losses: dict[str, list[Line | Gone]] = field(default_factory=dict)
    asked: list[tuple[list[str], set[str]]] = field(default_factory=list)  # titles, nodes to avoid
    _said: list[tuple[int, Line | Gone]] = field(default_factory=list)

    def submit(self, number: int, jobs: Sequence[Job], avoid: Set[str]) -> None:
        """Carries them out until one is lost."""
        self.asked.append(([j.title for j in jobs], set(avoid)))
        for i, job in enumerate(jobs):
            self._said.append((number, Began(i, "here")))
            losses = self.losses.get(job.title, [])
            while losses and isinstance(losses[0], News):
                self._said.append((number, losses.pop(0)))
            if losses:
                self._said.append((number, losses.pop(0)))
                return
            ended = carry_out(job, self.desk)
            end = Done(i, ended.error, ended.wrong_input, ended.our_fault, job.keys)
            self._said += [(number, end), (number, end)]  # as a worker that came back says it

    def heard(self) -> Iterator[tuple[int, Line | Gone]]:
        """What was said."""
        said, self._said = self._said, []
        yield from said

    def forget(self, number: int) -> None:
        """Nothing is left of it."""

    def close(self, *, whole: bool) -> None:
        """Nothing is left of it."""


def work_off(
    store: Store, *jobs: Job, size: int = 4, **losses: list[Line | Gone]
) -> tuple[dict[str, Ended], Scripted]:
    """How jobs ended, by their titles, on a scripted cluster."""
    with stage("x", Forecast((j.part, j.amounts) for j in jobs)) as shown:
        desk = Desk(store, None, shown.hear)
        machines = Scripted(desk, losses)
        ended = Crew(machines, size, desk, list(jobs)).work_off(shown)
        return {e.job.title: e for e in ended}, machines
