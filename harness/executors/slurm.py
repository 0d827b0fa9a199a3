"""Jobs as jobs of Slurm, through sbatch, squeue and scontrol; the results folder is one that every node sees.

Source of states and reasons: squeue(1) and sbatch(1), Slurm 22.05.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, final

from harness.console.progress import News, Stage
from harness.console.resources import Duration, Memory, size_bytes, time_s
from harness.console.secrets import holds_key
from harness.executors import AbstractExecutor, Desk, Ended, Job
from harness.executors._cluster import PATIENT, Crew, Gone, Machines, leaves_here
from harness.executors._lines import Line, read_line, request_of
from harness.schema import Bound
from harness.types import DistillbenchError

_LINES_S, _QUEUE_S = 0.25, 2.0  # between looks at lines, and at the queue
_RETRIES_S = (2.0, 10.0)  # between questions to a controller that does not answer
_PATIENCE_S = 30.0  # for the last lines of a worker that has left the queue
_OURS = Path(__file__).resolve().parents[2]
_WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "STOPPED"})
_AT_WORK = _WAITING | {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING"}
_Positive = Annotated[int, Bound("a whole number of 1 or more", lambda n: n >= 1)]


@final
@dataclass(frozen=True)
class SlurmExecutor(AbstractExecutor):
    """A job of Slurm for every model to be asked, and for bundles of smaller work."""

    partition: str | None = None  # as sbatch takes it
    account: str | None = None  # the same
    qos: str | None = None  # the same
    workers: _Positive = 16  # jobs in the queue at once
    cpus: _Positive = 1  # per job
    memory: Memory | None = None  # where a model asks for none
    time: Duration | None = None  # where a model asks for none
    options: tuple[str, ...] = ()  # further options of sbatch: "--constraint=a100"
    setup: tuple[str, ...] = ()  # lines of shell before each job: "module load cuda"

    def __post_init__(self) -> None:
        if shutil.which("sbatch") is None:
            raise DistillbenchError(
                "kind slurm: expected the command sbatch, there is none on this machine; start distillbench on a login "
                "node of the cluster"
            )

    @property
    def at_once(self) -> int:
        """Jobs in the queue at once."""
        return self.workers

    def run(self, jobs: Sequence[Job], desk: Desk, shown: Stage) -> list[Ended]:
        """Sends jobs to the cluster; those that stay are carried out here meanwhile.

        Raises DistillbenchError where Slurm does not answer.
        """
        if any(map(leaves_here, jobs)):
            _expect_answer()
        machines = _Queue(self, desk)
        crew, whole = Crew(machines, self.workers, desk, list(jobs)), False
        try:
            ended = crew.work_off(shown)
            whole = not crew.lost
        finally:
            machines.close(whole=whole)
        return ended

    def command(self, job: Job, folder: Path, number: int, avoid: Set[str]) -> list[str]:
        """The words of sbatch for a request."""
        needs = job.resources
        memory, seconds = needs.memory or self.memory, needs.time or self.time
        asked: dict[str, Any] = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "cpus-per-task": self.cpus,
            "gres": f"gpu:{needs.gpus}" if needs.gpus else None,
            "mem": f"{-(-(size_bytes(memory) or 0) // 2**20)}M" if memory else None,
            "time": -(-(time_s(seconds) or 0) // 60) if seconds else None,  # minutes
            "exclude": ",".join(sorted(avoid)) or None,
            "job-name": "distillbench",
            "output": folder / f"{number}.out",
        }
        given = [f"--{name}={value}" for name, value in asked.items() if value is not None]
        return ["sbatch", "--parsable", "--requeue", "--open-mode=append", *given, *self.options]

    def script(self, folder: Path, number: int) -> str:
        """The shell script of a request; a signal to the program is the end of the job itself."""
        threads = os.environ.get("OMP_NUM_THREADS", "1")
        paths = os.pathsep.join([str(_OURS), *filter(None, [os.environ.get("PYTHONPATH")])])
        words = [
            sys.executable,
            "-m",
            "harness.cli.worker",
            folder / f"{number}.json",
            folder / f"{number}.lines",
        ]
        exports = f"export OMP_NUM_THREADS={shlex.quote(threads)} PYTHONPATH={shlex.quote(paths)}"
        program = " ".join(shlex.quote(str(word)) for word in words)
        return "\n".join(["#!/bin/sh", *self.setup, exports, f"exec {program}", ""])


@dataclass
class _Queued:
    """A request in the queue."""

    name: str  # of the job, as Slurm calls it
    part: str
    lines: Path
    read: int = 0  # bytes of its lines that were read
    avoids: bool = False  # whether nodes are excluded
    says: str = ""  # why it waits
    ended_s: float | None = None  # when it was first seen to have left the queue


@dataclass
class _Queue(Machines):
    """Requests in Slurm's queue."""

    executor: SlurmExecutor
    desk: Desk
    _folder: Path = field(init=False)
    _queued: dict[int, _Queued] = field(default_factory=dict)
    _refused: list[tuple[int, Gone]] = field(default_factory=list)
    _looked_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._folder = self.desk.store.root / "cluster" / uuid.uuid4().hex[:8]

    def submit(self, number: int, jobs: Sequence[Job], avoid: Set[str]) -> None:
        """Puts a request into the queue; one that no node could carry out is refused at once."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        request = self._folder / f"{number}.json"
        request.write_text(request_of(jobs, self.desk.plan.run.recipe), "utf-8")
        words = self.executor.command(jobs[0], self._folder, number, avoid)
        script = self.executor.script(self._folder, number)
        asked = _asked(words, script)
        if asked.returncode and avoid:  # there may be no other node
            asked = _asked([w for w in words if not w.startswith("--exclude=")], script)
        if asked.returncode:
            why = " ".join(asked.stderr.split()).removeprefix("sbatch: error: ")
            self._refused.append((number, Gone(f"sbatch refuses it: {why}", final=True)))
            return
        name = asked.stdout.strip().partition(";")[0]
        lines = self._folder / f"{number}.lines"
        self._queued[number] = _Queued(name, jobs[0].part, lines, avoids=bool(avoid))

    def heard(self) -> Iterator[tuple[int, Line | Gone]]:
        """New lines of all workers, and those who left the queue."""
        time.sleep(_LINES_S)
        refused, self._refused = self._refused, []
        yield from refused
        yield from self._new_lines()
        if time.monotonic() - self._looked_s >= _QUEUE_S:
            yield from self._look()
            self._looked_s = time.monotonic()

    def forget(self, number: int) -> None:
        """Its worker ends by itself."""
        self._queued.pop(number, None)

    def close(self, *, whole: bool) -> None:
        """Takes what is left out of the queue; the folder stays where somebody may want to read it."""
        if names := [q.name for q in self._queued.values()]:
            _asked(["scancel", *names])
        if whole:
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(
                OSError
            ):  # another command has files there, or nothing was sent
                self._folder.parent.rmdir()

    def _new_lines(self) -> Iterator[tuple[int, Line]]:
        for number, queued in list(self._queued.items()):
            yield from ((number, line) for line in _read_on(queued))

    def _look(self) -> Iterator[tuple[int, Line | Gone]]:
        """Says why requests wait, and which have left the queue."""
        states = _states([q.name for q in self._queued.values()])
        if states is None:  # the controller does not answer: it may be restarted
            return
        for number, queued in list(self._queued.items()):
            state, reason = states.get(queued.name, ("", ""))
            if state in _AT_WORK:
                queued.ended_s = None
                yield from ((number, n) for n in _waiting(queued, state, reason))
                if queued.avoids and reason.startswith("ReqNodeNotAvail"):  # the others are down
                    _asked(["scontrol", "update", f"JobId={queued.name}", "ExcNodeList="])
                    queued.avoids = False
                continue
            last = list(_read_on(queued))
            yield from ((number, line) for line in last)
            queued.ended_s = queued.ended_s or time.monotonic()
            ending = _ending(queued.name)
            waited = time.monotonic() - queued.ended_s
            if ending.get("JobState") != "COMPLETED" or waited > _PATIENCE_S:
                del self._queued[number]
                yield number, _gone(ending, self._folder / f"{number}.out")


def _expect_answer() -> None:
    """Waits a little for a controller that may be restarted."""
    for wait_s in (*_RETRIES_S, None):
        asked = _asked(["sinfo", "--noheader"])
        if asked.returncode == 0:
            return
        if wait_s is not None:
            time.sleep(wait_s)
    why = (asked.stderr.strip().splitlines() or ["no words"])[-1]
    raise DistillbenchError(
        f"executor: kind slurm: Slurm does not answer: {why}; start distillbench on a machine of the cluster; what is "
        "collected stays, the same command goes on from here"
    )


def _asked(words: Sequence[str], script: str = "") -> subprocess.CompletedProcess[str]:
    """A command of Slurm, without the keys in our environment and without the allocation that we may run in."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not holds_key(k) and (not k.startswith("SLURM_") or k == "SLURM_CONF")
    }
    return subprocess.run(
        words, input=script, env=kept, capture_output=True, text=True, check=False
    )


def _read_on(queued: _Queued) -> Iterator[Line]:
    """Whole lines that were not read before."""
    try:
        with queued.lines.open("rb") as file:
            file.seek(queued.read)
            content = file.read()
    except FileNotFoundError:
        return
    whole = content[: content.rfind(b"\n") + 1]
    queued.read += len(whole)
    for text in whole.decode("utf-8", "replace").splitlines():
        if (line := read_line(text)) is not None:
            yield line


def _states(names: Sequence[str]) -> dict[str, tuple[str, str]] | None:
    """Job -> state and reason, of those in the queue; None where Slurm does not answer."""
    asked = _asked(["squeue", "--noheader", "--format=%i|%T|%r", f"--jobs={','.join(names)}"])
    if asked.returncode and "Invalid job id" not in asked.stderr:
        return None
    rows = [line.strip().split("|") for line in asked.stdout.splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}


def _waiting(queued: _Queued, state: str, reason: str) -> Iterator[News]:
    """Says once why a job waits."""
    why = f" ({reason})" if reason not in ("", "None") else ""
    says = f"waits in the queue{why}" if state in _WAITING else ""
    if says and says != queued.says:
        yield News(queued.part, doing=says)
    queued.says = says


def _ending(name: str) -> Mapping[str, str]:
    """What Slurm remembers of a job that left the queue."""
    shown = _asked(["scontrol", "show", "job", "--oneliner", name])
    if shown.returncode == 0:
        return dict(re.findall(r"(\w+)=(\S*)", shown.stdout))
    asked = _asked(["sacct", "-X", "-n", "-P", "-o", "State,ExitCode,NodeList", "-j", name])
    row = asked.stdout.strip().split("|")
    if asked.returncode or len(row) != 3:
        return {}
    return {"JobState": row[0].split()[0], "ExitCode": row[1], "NodeList": row[2]}


def _gone(ending: Mapping[str, str], out: Path) -> Gone:
    """Why a worker ended."""
    state, node = ending.get("JobState", ""), ending.get("BatchHost") or ending.get("NodeList", "")
    node = "" if node == "(null)" else node
    where = f" on {node}" if node else ""
    code, _, signal = ending.get("ExitCode", "0:0").partition(":")
    killed = int(signal or 0) or max(int(code) - 128, 0)
    if state == "CANCELLED":
        return Gone(f"its job was cancelled{where}", node, final=True)
    if state == "OUT_OF_MEMORY":
        return Gone(f"out of memory{where}; ask for more by `memory`", node)
    if state in ("TIMEOUT", "DEADLINE"):
        return Gone(f"its time was over{where}; ask for more by `time`", node, outside=True)
    if state in ("NODE_FAIL", "BOOT_FAIL"):
        return Gone(f"the node {node} failed", node, outside=True, tries=PATIENT)
    if state == "PREEMPTED":
        return Gone(f"pre-empted{where}", node, outside=True, tries=PATIENT)
    if killed:
        return Gone(f"killed by signal {killed}{where}; out of memory?", node)
    if state:
        return Gone(
            f"its program ended with exit code {code}{where}; its words stand in {out}", node
        )
    return Gone(f"its job left the queue without a trace; its words may stand in {out}", node)
