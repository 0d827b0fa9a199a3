"""Jobs on a cluster of Ray: one task for every request, which starts the worker's program on a node.

Ray is told text and bytes only. Where the nodes do not see the results folder (`shared: false`) files travel both ways,
a finished batch as soon as it is there; what would need too many of them, such as scoring, stays at the command.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Annotated, Any, final

from harness.console.progress import Stage
from harness.console.resources import Memory, Resources, size_bytes
from harness.executors import AbstractExecutor, Desk, Ended, Job
from harness.executors._cluster import PATIENT, Crew, Gone, Machines, leaves_here
from harness.executors._lines import Line, read_line, request_of
from harness.executors._parcels import needed, opened, parcel, receive
from harness.executors._ray_task import serve
from harness.schema import Bound
from harness.types import DistillbenchError

_LOOK_S = 0.25
_Positive = Annotated[int, Bound("a whole number of 1 or more", lambda n: n >= 1)]


@final
@dataclass(frozen=True)
class RayExecutor(AbstractExecutor):
    """A task of Ray for every model to be asked, and for bundles of smaller work."""

    address: str | None = (
        None  # of the cluster; "auto" = the one of this machine; null = one started for this run
    )
    workers: _Positive = 16  # tasks at once
    cpus: _Positive = 1  # per task
    memory: Memory | None = None  # where a model asks for none
    shared: bool = True  # whether every node sees the results folder under its path
    grows: bool = False  # whether the cluster adds nodes when it is asked for what none has

    def __post_init__(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise DistillbenchError(
                "kind ray: an optional extra that is not installed: pip install 'distillbench[ray]'"
            )

    @property
    def at_once(self) -> int:
        """Tasks at once."""
        return self.workers

    def run(self, jobs: Sequence[Job], desk: Desk, shown: Stage) -> list[Ended]:
        """Sends jobs to the cluster; those that stay are carried out here meanwhile."""
        machines = _Tasks(self, desk)
        leaves = leaves_here if self.shared else _leaves_alone
        crew = Crew(machines, self.workers, desk, list(jobs), leaves)
        try:
            return crew.work_off(shown)
        finally:
            machines.close(whole=not crew.lost)


def _leaves_alone(job: Job) -> bool:
    """Whether a job can leave, and names all that it needs of the store."""
    return leaves_here(job) and bool(job.needs)


@dataclass
class _Task:
    """A request that Ray carries out."""

    stream: Any  # ray.ObjectRefGenerator
    node: str = ""


@dataclass
class _Tasks(Machines):
    """Requests as tasks of Ray."""

    executor: RayExecutor
    desk: Desk
    _tasks: dict[int, _Task] = field(default_factory=dict)
    _refused: list[tuple[int, Gone]] = field(default_factory=list)

    def submit(self, number: int, jobs: Sequence[Job], avoid: Set[str]) -> None:
        """Starts a task; one that fits no node is refused at once, unless the cluster grows."""
        ray = _connected(self.executor.address)
        options = self._options(jobs[0].resources)
        nodes = [n for n in ray.nodes() if n["Alive"]]
        fitting = [n["NodeID"] for n in nodes if _fits(options, n["Resources"])]
        if not fitting and not self.executor.grows:
            needs = ", ".join(f"{v} {k}" for k, v in _amounts(options).items())
            self._refused.append((number, Gone(f"no node of the cluster has {needs}", final=True)))
            return
        others = [node for node in fitting if node not in avoid]
        if avoid and others:
            strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            options["scheduling_strategy"] = strategy(others[number % len(others)], soft=True)
        files = b"" if self.executor.shared else self._files(jobs)
        request = request_of(jobs, self.desk.plan.run.recipe)
        threads = os.environ.get("OMP_NUM_THREADS", "1")
        task = ray.remote(num_returns="streaming", max_retries=0, **options)(serve)
        self._tasks[number] = _Task(task.remote(request, files, threads))

    def heard(self) -> Iterator[tuple[int, Line | Gone]]:
        """What tasks have said; their files are put into the results folder first."""
        refused, self._refused = self._refused, []
        yield from refused
        import ray

        streams = {task.stream: number for number, task in self._tasks.items()}
        if not streams:
            return
        ready, _ = ray.wait(
            list(streams), num_returns=len(streams), timeout=_LOOK_S, fetch_local=False
        )
        for stream in ready:
            number = streams[stream]
            if number in self._tasks:
                yield from self._said(number, self._tasks[number])

    def forget(self, number: int) -> None:
        """Its task ends by itself."""
        self._tasks.pop(number, None)

    def close(self, *, whole: bool) -> None:
        """Cancels what is still at work."""
        import ray

        for task in self._tasks.values():
            ray.cancel(task.stream, force=False)
        self._tasks.clear()

    def _options(self, needs: Resources) -> dict[str, Any]:
        options: dict[str, Any] = {"num_cpus": self.executor.cpus, "num_gpus": needs.gpus}
        if memory := needs.memory or self.executor.memory:
            options["memory"] = size_bytes(memory)
        return options

    def _files(self, jobs: Sequence[Job]) -> bytes:
        """What workers need of the results folder: all requests, and what the jobs name."""
        keys = [s.key for s in self.desk.plan.sets if s.summary is not None]
        keys += [key for job in jobs for key in (*job.needs, *job.keys)]
        return parcel(needed(dict.fromkeys(keys), self.desk.store))

    def _said(self, number: int, task: _Task) -> Iterator[tuple[int, Line | Gone]]:
        """The next thing that a task says, if it is a line or its end."""
        import ray

        try:
            said = ray.get(next(task.stream))
        except StopIteration:
            del self._tasks[number]
            yield number, Gone("its task ended before its jobs", task.node)
        except ray.exceptions.RayError as error:
            del self._tasks[number]
            yield number, _loss(error, task.node)
        else:
            yield from ((number, line) for line in self._read(said, task))

    def _read(self, said: str | bytes, task: _Task) -> Iterator[Line | Gone]:
        if isinstance(said, bytes):
            receive(opened(said), self.desk.store)
            return
        line = read_line(said)
        if line is not None:
            yield line
            return
        plain = _plain(said)
        task.node = plain.get("node", task.node)
        code = plain.get("code", 0)
        where = f" on {task.node[:8]}" if task.node else ""
        if code < 0:
            yield Gone(f"killed by signal {-code}{where}; out of memory?", task.node)
        elif code:
            yield Gone(f"its program ended with exit code {code}{where}", task.node)


def _plain(text: str) -> dict[str, Any]:
    """A line of the task itself; {} for anything else that a program prints."""
    try:
        plain = json.loads(text)
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}


def _connected(address: str | None) -> Any:
    """Ray, connected; it is not to report home. Raises DistillbenchError where there is no cluster at the address."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    import ray.util.scheduling_strategies

    if not ray.is_initialized():
        try:
            _knock(address or "")
            ray.init(
                address=address,
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level="error",
            )
        except (OSError, ValueError, RuntimeError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DistillbenchError(
                f"executor: key address: expected a cluster of Ray at {address!r}: {why}; start one (ray start --head) "
                "or leave address out"
            ) from error
    return ray


def _knock(address: str) -> None:
    """Raises OSError where nobody answers at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _amounts(options: dict[str, Any]) -> dict[str, float]:
    named = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    return {named[k]: v for k, v in options.items() if v}


def _fits(options: dict[str, Any], has: dict[str, float]) -> bool:
    return all(has.get(name, 0) >= amount for name, amount in _amounts(options).items())


def _loss(error: Exception, node: str) -> Gone:
    """Why a task was lost."""
    name, where = type(error).__name__, f" on {node[:8]}" if node else ""
    if name == "OutOfMemoryError":
        return Gone(f"out of memory{where}; ask for more by `memory`", node)
    if name in ("NodeDiedError", "ObjectLostError", "OwnerDiedError"):
        return Gone(f"the node {node[:8]} failed", node, outside=True, tries=PATIENT)
    return Gone(f"its task was lost{where} ({name}); out of memory?", node)
