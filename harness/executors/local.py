"""Jobs on this machine: in worker processes where that pays, else in this process."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import final

from harness.console.processes import may_start_processes, use_threads, without_main, worker_context
from harness.console.progress import News, Stage, hush
from harness.console.secrets import guard_logs
from harness.executors import AbstractExecutor, Desk, Ended, Job
from harness.executors._boundary import carry_out, say_over
from harness.plugins import folders, use_folders

_LOOK_S = 0.2  # interval between updates of the display
_TRIES = 2  # a worker may be killed for what another program did


@final
@dataclass(frozen=True)
class LocalExecutor(AbstractExecutor):
    """Worker processes, forked from a server that has imported their modules once."""

    workers: int = 0  # processes at once; 0 = as suits the work

    def suited(self, processes: int) -> LocalExecutor:
        """With so many processes, unless it was given a number of its own."""
        return replace(self, workers=self.workers or processes)

    @property
    def at_once(self) -> int:
        """Processes at once."""
        return max(1, self.workers) if may_start_processes() else 1

    def run(self, jobs: Sequence[Job], desk: Desk, shown: Stage) -> list[Ended]:
        """Runs jobs worth a separate process `workers` at a time, the others here, one after another."""
        waiting, ended = list(jobs), list[Ended]()
        while ready := [j for j in waiting if j.may_start(desk.store)]:
            apart = self._apart(waiting, ready) if may_start_processes() else []
            if apart:
                with _Crew(self.at_once, replace(desk, shared={}), apart) as crew:
                    done = crew.work_off(shown)
                for end in done:
                    waiting.remove(end.job)
                ended += done
                continue
            for job in ready:
                ended.append(carry_out(job, desk))
                say_over(ended[-1:], waiting, shown)
                waiting.remove(job)
        return ended

    def _apart(self, waiting: Sequence[Job], ready: Sequence[Job]) -> list[Job]:
        """The jobs for worker processes: several that are worth one, else each whose process may be killed."""
        if self.workers > 1 and any(j.apart for j in ready):
            several = [j for j in waiting if j.apart]
            if len(several) > 1:
                return several
        return [j for j in waiting if j.imports] if any(j.imports for j in ready) else []


@dataclass
class _Worker:
    """A process and its current job."""

    process: BaseProcess
    connection: Connection
    job: Job | None = None
    holds: str = ""  # what its last job shares with others


@dataclass
class _Crew:
    """Workers, and the jobs that wait for them."""

    size: int
    desk: Desk
    waiting: list[Job]
    _workers: list[_Worker] = field(default_factory=list)
    _tries: dict[tuple[str, ...], int] = field(default_factory=dict)

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *exc: object) -> None:
        for worker in self._workers:
            worker.connection.close()  # which ends it
            if exc[0] is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join()

    def work_off(self, shown: Stage) -> list[Ended]:
        """How each job that could start ended."""
        ended: list[Ended] = []
        self._employ()
        while busy := [w for w in self._workers if w.job is not None]:
            for worker in self._with_news(busy):
                for message in self._heard(worker):
                    if isinstance(message, Ended):
                        ended.append(message)
                        say_over([message], [*self.waiting, *self._at_work()], shown)
                        self._employ()
                    else:
                        shown.hear(message)
        return ended

    def _employ(self) -> None:
        """Gives every free worker a job that may start; hires as many as there are such jobs."""
        at_work = self._at_work()
        groups = {name for j in at_work for name in (j.group, j.shares) if name}
        for job in self._in_order():
            if len(self._at_work()) == self.size:
                return
            if job.may_start(self.desk.store) and not groups & {job.group, job.shares}:
                self.waiting.remove(job)
                groups |= {name for name in (job.group, job.shares) if name}
                self._send(job)

    def _in_order(self) -> list[Job]:
        """The waiting jobs, first those that share what a free worker holds."""
        held = {w.holds for w in self._workers if w.job is None and w.holds}
        return sorted(self.waiting, key=lambda job: job.shares not in held)

    def _send(self, job: Job) -> None:
        """Gives a job to a free worker; one that was killed while it had nothing to do is replaced."""
        free = [w for w in self._workers if w.job is None]
        for worker in sorted(free, key=lambda w: w.holds != job.shares):
            try:
                worker.connection.send(job)
            except OSError:
                self._dismiss(worker)
                continue
            worker.job, worker.holds = job, job.shares
            return
        hired = self._hired()
        hired.job, hired.holds = job, job.shares
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # heard of in `_heard`
            hired.connection.send(job)

    def _hired(self) -> _Worker:
        jobs = [*self.waiting, *self._at_work()]
        modules = {name for j in jobs for name in (*j.imports, type(j).__module__)}
        context = worker_context(*sorted(modules))
        ours, theirs = context.Pipe()
        with without_main():
            process = _started(context, theirs, os.cpu_count() or 1 if self.size == 1 else 1)
        theirs.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            ours.send(replace(self.desk, tell=_silent))
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _dismiss(self, worker: _Worker) -> None:
        """Takes leave of a worker that was killed."""
        worker.connection.close()
        worker.process.join()
        self._workers.remove(worker)

    def _at_work(self) -> list[Job]:
        return [w.job for w in self._workers if w.job is not None]

    @staticmethod
    def _with_news(busy: Sequence[_Worker]) -> list[_Worker]:
        heard = wait([w.connection for w in busy], _LOOK_S)
        return [w for w in busy if w.connection in heard]

    def _heard(self, worker: _Worker) -> Iterator[News | Ended]:
        """Messages of a worker; a job whose worker was killed is given to another one, once."""
        try:
            message: News | Ended | BaseException = worker.connection.recv()
        except (EOFError, OSError):  # killed, perhaps in the middle of a message
            job = worker.job
            assert job is not None
            self._dismiss(worker)
            self._tries[job.keys] = self._tries.get(job.keys, 0) + 1
            if self._tries[job.keys] < _TRIES:
                self.waiting.insert(0, job)
                self._employ()
                return
            yield _killed(job, self.desk, worker.process.exitcode)
            return
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, Ended):
            worker.job = None
        yield message


def _started(context: ForkServerContext, connection: Connection, threads: int) -> BaseProcess:
    process = context.Process(target=_serve, args=(connection, folders(), threads), daemon=True)
    process.start()
    return process


def _killed(job: Job, desk: Desk, code: int | None) -> Ended:
    how = (
        f"killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
    )
    reason = f"its process was {how}, twice; out of memory?"
    for key in job.keys:
        if not job.is_done(key, desk.store):
            desk.store.note_failure(key, reason)
    return Ended(job, reason)


def _silent(news: News) -> None:
    """Ignores news."""


# --- in a worker ----------------------------------------------------------------------------------


def _serve(connection: Connection, plugins: Sequence[Path], threads: int) -> None:
    """Carries out jobs until the parent closes the connection; the first message is the desk.

    `plugins`: folders that the desk's plug-ins come from. `threads`: of libraries.
    """
    gc.freeze()  # what the server has imported stays: nobody need look through it for garbage
    gc.enable()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    guard_logs()
    use_threads(threads)
    hush()
    use_folders(plugins)
    with _until_closed():
        desk = replace(connection.recv(), tell=connection.send)
        while True:
            job = connection.recv()
            try:
                connection.send(carry_out(job, desk))
            except OSError as error:  # no space left: the parent ends the run
                connection.send(OSError(error.errno, error.strerror, error.filename))


@contextmanager
def _until_closed() -> Iterator[None]:
    try:
        yield
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
