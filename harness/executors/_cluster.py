"""Jobs on other machines: what goes together, who is tried again elsewhere, and what stays here."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice

from harness.console.progress import News, Stage
from harness.executors import Desk, Ended, Job
from harness.executors._boundary import carry_out, say_over
from harness.executors._lines import Began, Done, Line, Stopped

_TRIES = 2  # a worker may be killed for what another program did
PATIENT = 5  # tries of a job that has nothing to do with its losses
_PATIENCE_S = (
    60.0  # for what another machine has written: longer than NFS remembers that a file was missing
)
_LOOK_S = 0.2


@dataclass(frozen=True)
class Gone:
    """A worker ended before its request was carried out."""

    reason: str  # "killed by signal 9; out of memory?"
    node: str = ""  # where it ran, as far as that is known
    final: bool = False  # no other machine would do better
    # of the cluster, not of the job (pre-empted, a failed node): it does not count where the job got further
    outside: bool = False
    tries: int = _TRIES  # after which the job is given up


class Machines(ABC):
    """A cluster: takes requests, and tells what becomes of them."""

    @abstractmethod
    def submit(self, number: int, jobs: Sequence[Job], avoid: Set[str]) -> None:
        """Asks for jobs, which one worker carries out one after another, if possible on a node not in `avoid`."""

    @abstractmethod
    def heard(self) -> Iterator[tuple[int, Line | Gone]]:
        """What came since the last call, by the number of the request; waits a moment where that is nothing."""

    @abstractmethod
    def forget(self, number: int) -> None:
        """Nothing more is wanted of a request: its jobs have ended."""

    @abstractmethod
    def close(self, *, whole: bool) -> None:
        """Ends whatever is still at work; `whole` = everything went well, and no trace of it is needed."""


@dataclass
class _Sent:
    """A request that is at work."""

    jobs: tuple[Job, ...]
    at: int | None = None  # the job that it is at
    node: str = ""
    got_on: bool = False  # whether a piece of work was done
    done: set[int] = field(default_factory=set)

    def left(self) -> list[Job]:
        """Jobs that have not ended."""
        return [j for i, j in enumerate(self.jobs) if i not in self.done]

    def hit(self) -> list[Job]:
        """Those of them that were at work; all where none had begun."""
        at = self.at is not None and self.at not in self.done
        return [self.jobs[self.at]] if at and self.at is not None else self.left()


def leaves_here(job: Job) -> bool:
    """Whether a job can be made on another machine."""
    return job.bundle > 0


@dataclass
class Crew:
    """Jobs that wait, and requests that are at work, `size` at once."""

    machines: Machines
    size: int
    desk: Desk
    waiting: list[Job]
    leaves: Callable[[Job], bool] = leaves_here
    lost: bool = False  # whether a worker ended before its time
    _sent: dict[int, _Sent] = field(default_factory=dict)
    _number: int = 0
    _tries: Counter[tuple[tuple[str, ...], bool]] = field(default_factory=Counter)  # job, outside
    _avoid: dict[tuple[str, ...], set[str]] = field(default_factory=dict)

    def work_off(self, shown: Stage) -> list[Ended]:
        """How each job that could start ended."""
        ended: list[Ended] = []
        self._send()
        while True:
            here = list(islice(filter(self._starts_here, self.waiting), 1))
            done = [carry_out(job, self.desk) for job in here]
            self.waiting = [j for j in self.waiting if j not in here]
            if not here and not self._sent:
                return ended
            if self._sent:
                done += [
                    e
                    for number, line in self.machines.heard()
                    for e in self._take(number, line, shown)
                ]
            if done:
                say_over(done, [*self.waiting, *self._at_work()], shown)
                ended += done
            if done or len(self._sent) < self.size:
                self._send()

    def _starts_here(self, job: Job) -> bool:
        """Whether a job that stays is to be carried out now; long ones wait until nobody has to be heard."""
        long = job.apart and self._sent
        return not self.leaves(job) and not long and job.may_start(self.desk.store)

    def _at_work(self) -> list[Job]:
        return [job for sent in self._sent.values() for job in sent.left()]

    def _send(self) -> None:
        """Sends what may start, as many requests as there is room for."""
        groups = {j.group for j in self._at_work() if j.group}
        ready: list[Job] = []
        for job in self.waiting:
            if self.leaves(job) and job.group not in groups and job.may_start(self.desk.store):
                groups |= {job.group} if job.group else set()
                ready.append(job)
        for jobs in _bundles(ready, self.size - len(self._sent)):
            avoid = {node for job in jobs for node in self._avoid.get(job.keys, ())}
            self.waiting = [j for j in self.waiting if j not in jobs]
            self._number += 1
            self._sent[self._number] = _Sent(tuple(jobs))
            self.machines.submit(self._number, jobs, avoid)

    def _take(self, number: int, line: Line | Gone, shown: Stage) -> list[Ended]:
        """How jobs ended, if the line says that any did."""
        sent = self._sent.get(number)
        if isinstance(line, News):
            shown.hear(line)
            if sent is not None and line.seconds is not None:
                sent.got_on = True
            return []
        if sent is None:  # it has ended
            return []
        if isinstance(line, Began):
            sent.at, sent.node = line.job, line.node
            return []
        if isinstance(line, Done):
            return self._done(number, sent, line)
        if isinstance(line, Stopped) and line.errno:
            raise OSError(line.errno, line.reason)
        gone = Gone(line.reason) if isinstance(line, Stopped) else line
        return self._gone(self._sent.pop(number), gone, shown)

    def _done(self, number: int, sent: _Sent, line: Done) -> list[Ended]:
        if line.job in sent.done:
            return []  # a worker that came back says it again
        job = sent.jobs[line.job]
        sent.done.add(line.job)
        if not sent.left():
            del self._sent[number]
            self.machines.forget(number)
        if self._unseen(job, line.made):
            return [
                self._failed(
                    job,
                    f"made on {sent.node}, but not to be seen here for {_PATIENCE_S:.0f} s; expected "
                    f"{self.desk.store.root} to be the same folder on all machines",
                )
            ]
        return [Ended(job, line.error, line.wrong_input, line.our_fault, line.damaged)]

    def _unseen(self, job: Job, made: Sequence[str]) -> bool:
        """Whether something that was made elsewhere does not appear here."""
        until = time.monotonic() + _PATIENCE_S
        while not all(job.is_done(key, self.desk.store) for key in made):
            if time.monotonic() > until:
                return True
            self.desk.store.packs.refresh()
            if not all(job.is_done(key, self.desk.store) for key in made):
                time.sleep(_LOOK_S)
        return False

    def _gone(self, sent: _Sent, gone: Gone, shown: Stage) -> list[Ended]:
        """A job whose worker was lost is tried once more elsewhere; those after it have lost nothing."""
        self.lost = True
        hit, node = sent.hit(), gone.node or sent.node
        counts = 0 if gone.outside and sent.got_on else 1
        self.waiting[:0] = [j for j in sent.left() if j not in hit]
        ended = []
        for job in hit:
            self._tries[job.keys, gone.outside] += counts
            self._avoid.setdefault(job.keys, set()).update({node} if node else ())
            tried = self._tries[job.keys, gone.outside]
            if gone.final or tried >= gone.tries:
                times = "" if gone.final else f" (try {tried} of {gone.tries})"
                ended.append(self._failed(job, gone.reason + times))
            else:
                self.waiting.insert(0, job)
                shown.hear(News(job.part, alarm=f"{job.title}: {gone.reason}; tried again"))
        return ended

    def _failed(self, job: Job, reason: str) -> Ended:
        for key in job.keys:
            if not job.is_done(key, self.desk.store):
                self.desk.store.note_failure(key, reason)
        self.desk.tell(News(job.part, alarm=f"missing {job.title}: {reason}"))
        return Ended(job, reason)


def _bundles(ready: Sequence[Job], room: int) -> Iterator[list[Job]]:
    """At most `room` lists of jobs that do alike and need alike; as many in each as are worth a start, or more."""
    kinds: dict[object, list[Job]] = {}
    for job in ready:
        kinds.setdefault((job.doing, job.resources, job.bundle), []).append(job)
    for jobs in kinds.values():
        if room <= 0:
            return
        least = jobs[0].bundle
        size = 1 if least == 1 else max(least, math.ceil(len(jobs) / room))
        for i in range(0, min(len(jobs), size * room), size):
            room -= 1
            yield jobs[i : i + size]
