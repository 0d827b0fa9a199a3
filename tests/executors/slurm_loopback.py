"""A cluster of Slurm on this machine: munge, a controller and two nodes, of which each is a daemon of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

CONFIG = """
ClusterName=loopback
SlurmctldHost=localhost
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=6
SlurmctldTimeout=10
InactiveLimit=0
KillWait=2
MinJobAge=300
JobRequeue=1
SchedulerParameters=sched_interval=1,sched_min_interval=100000
SchedulerType=sched/builtin
{nodes}
PartitionName=all Nodes=node[1-2] Default=YES MaxTime=INFINITE State=UP
"""


@dataclass
class Loopback:
    """A running cluster."""

    folder: Path
    nodes: dict[str, subprocess.Popen[bytes]]

    def stop_node(self, name: str) -> None:
        """Ends a node with everything that runs on it, as a loss of power does."""
        self.nodes[name].kill()
        self.nodes[name].wait()
        own = descendants(f"SLURMD_NODENAME={name}")
        for pid in [*filter(_is_step, map(_parent, own)), *own]:  # nobody is left to tell of it
            kill(pid)

    def stop(self) -> None:
        """Ends all nodes."""
        for name in self.nodes:
            self.stop_node(name)

    def start_node(self, name: str) -> None:
        """Starts a node."""
        config = self.folder / "slurm.conf"
        words = [shutil.which("slurmd") or "slurmd", "-D", "-N", name, "-f", str(config)]
        with (self.folder / f"{name}.out").open("ab") as log:
            self.nodes[name] = subprocess.Popen(words, stdout=log, stderr=log)


def missing() -> str:
    """Why there can be no such cluster here; "" where there can."""
    lacking = [name for name in COMMANDS if shutil.which(name) is None]
    if lacking:
        return f"needs {', '.join(lacking)} (Debian: apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "needs to be root, as Slurm's daemons do"


@contextmanager
def slurm(folder: Path) -> Iterator[Loopback]:
    """A cluster with its files in a folder, until the block ends; SLURM_CONF then names its configuration."""
    folder.chmod(0o755)
    ports = free_ports(3)
    nodes = "\n".join(
        f"NodeName=node{i + 1} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={ports[i + 1]} CPUs=4 "
        "RealMemory=1000 State=UNKNOWN"
        for i in range(2)
    )
    (folder / "state").mkdir()
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(controller=ports[0], folder=folder, nodes=nodes))
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(config)
    with ExitStack() as stack:
        stack.callback(lambda: _restore("SLURM_CONF", before))
        stack.enter_context(_munge(folder))
        stack.enter_context(_process(folder, "slurmctld", "-D", "-f", str(config)))
        cluster = Loopback(folder, {})
        stack.callback(cluster.stop)
        for name in ("node1", "node2"):
            cluster.start_node(name)
        until(lambda: _idle() == 2, 30)
        yield cluster
        subprocess.run(["scancel", "--user=root"], check=False)


def free_ports(n: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Waits until something holds; raises AssertionError where that takes too long."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def kill(pid: int) -> None:
    """SIGKILL, unless it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def descendants(variable: str) -> list[int]:
    """Processes with `NAME=value` in their environment."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if variable.encode() in path.read_bytes().split(b"\0"):
                pids.append(int(path.parent.name))
        except OSError:
            continue
    return pids


def _parent(pid: int) -> int:
    """The process that started another; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return 0


def _is_step(pid: int) -> bool:
    """Whether a process is Slurm's, in charge of a job."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"slurmstepd")
    except FileNotFoundError:
        return False


def _idle() -> int:
    asked = subprocess.run(
        ["sinfo", "-h", "-N", "-o", "%T"], capture_output=True, text=True, check=False
    )
    return asked.stdout.split().count("idle")


def _restore(name: str, value: str | None) -> None:
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value


@contextmanager
def _munge(folder: Path) -> Iterator[None]:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    places = {
        "socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log", "seed-file": "munge.seed",
        "key-file": "munge.key",
    }  # fmt: skip
    words = [f"--{name}={folder / file}" for name, file in places.items()]
    with _process(folder, "munged", "--foreground", "--force", *words):
        until(lambda: (folder / "munge.socket").exists(), 10)
        yield


@contextmanager
def _process(folder: Path, name: str, *words: str) -> Iterator[None]:
    with (folder / f"{name}.out").open("wb") as log:
        process = subprocess.Popen([shutil.which(name) or name, *words], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()
