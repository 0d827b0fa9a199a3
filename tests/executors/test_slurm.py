"""Slurm: the words of sbatch and what its endings mean; and, on a cluster of its own, kills and a node that stops."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.executor import executor_of
from harness.console.resources import Resources
from harness.executors import AbstractExecutor, slurm
from harness.executors.slurm import SlurmExecutor, _asked, _gone
from harness.testing.executors import check_executor
from harness.types import DistillbenchError
from tests.core.simple_jobs import job
from tests.executors import slow_run, slurm_loopback
from tests.executors.slurm_loopback import Loopback, kill, until


@pytest.fixture
def _sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of that name which takes everything."""
    command = tmp_path / "bin" / "sbatch"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\necho 7\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")


def made(**fields: object) -> AbstractExecutor:
    """The executor of a configuration that is in order."""
    faults: list[str] = []
    executor = executor_of({"kind": "slurm", **fields}, faults)
    assert faults == []
    return executor


@pytest.mark.usefixtures("_sbatch")
def test_the_contract_holds(tmp_path: Path) -> None:
    check_executor(made())


@pytest.mark.usefixtures("_sbatch")
def test_what_a_model_needs_is_asked_of_slurm(tmp_path: Path) -> None:
    executor = made(partition="gpu", time="30m", memory="2G", options=["--constraint=a100"], cpus=4)
    assert isinstance(executor, SlurmExecutor)
    plain = executor.command(job("a"), tmp_path, 3, set())
    assert {"--partition=gpu", "--time=30", "--mem=2048M", "--constraint=a100", "--requeue"} <= set(
        plain
    )
    assert not any(w.startswith(("--gres", "--exclude", "--account")) for w in plain)
    needy = replace(job("a"), resources=Resources(2, "1.5G", "1d"))
    words = set(executor.command(needy, tmp_path, 3, {"n2", "n1"}))
    assert {"--gres=gpu:2", "--mem=1536M", "--time=1440", "--exclude=n1,n2"} <= words


FAULTS = {
    "time: 14400": ({"time": 14400}, "key time: expected null or a time with its unit"),
    "time in figures": ({"time": "4:00:00"}, "such as 90m, 4h or 2d, got '4:00:00'"),
    "memory without a unit": ({"memory": "16"}, "a size with its unit, such as 32G, got '16'"),
    "no job at once": ({"workers": 0}, "key workers: expected a whole number of 1 or more"),
    "unknown": ({"partitoin": "gpu"}, "did you mean 'partition'?"),
}


@pytest.mark.usefixtures("_sbatch")
@pytest.mark.parametrize(("fields", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_configuration_is_one_line(fields: dict[str, object], words: str) -> None:
    faults: list[str] = []
    executor_of({"kind": "slurm", **fields}, faults)
    (line,) = faults
    assert words in line
    assert line.startswith("executor: ")


def test_without_slurm_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    faults: list[str] = []
    executor_of("slurm", faults)
    assert "expected the command sbatch" in faults[0]


@pytest.mark.usefixtures("_sbatch")
def test_keys_and_the_allocation_that_we_run_in_are_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin/sbatch").write_text("#!/bin/sh\nenv\n")
    for name, value in {
        "MY_API_KEY": "k-1",
        "SLURM_JOB_ID": "7",
        "SLURM_CONF": "c",
        "PLAIN": "p",
    }.items():
        monkeypatch.setenv(name, value)
    lines = _asked(["sbatch"]).stdout.splitlines()
    assert {"SLURM_CONF=c", "PLAIN=p"} <= set(lines)
    assert not any(line.startswith(("MY_API_KEY", "SLURM_JOB_ID")) for line in lines)


@pytest.mark.usefixtures("_sbatch")
def test_where_slurm_does_not_answer_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin/sinfo").write_text(
        "#!/bin/sh\necho 'sinfo: error: no controller' >&2\nexit 1\n"
    )
    (tmp_path / "bin/sinfo").chmod(0o755)
    monkeypatch.setattr(slurm, "_RETRIES_S", (0.0,))
    desk: Any = None
    with pytest.raises(
        DistillbenchError, match="does not answer: sinfo: error: no controller; start"
    ):
        made().run([replace(job("a"), bundle=1)], desk, desk)


ENDINGS = {
    "FAILED 0:9": ("killed by signal 9 on n1; out of memory?", False),
    "FAILED 137:0": ("killed by signal 9 on n1; out of memory?", False),
    "FAILED 2:0": ("its program ended with exit code 2 on n1; its words stand in o", False),
    "OUT_OF_MEMORY 0:125": ("out of memory on n1; ask for more by `memory`", False),
    "TIMEOUT 0:15": ("its time was over on n1; ask for more by `time`", False),
    "NODE_FAIL 0:0": ("the node n1 failed", False),
    "PREEMPTED 0:15": ("pre-empted on n1", False),
    "CANCELLED 0:15": ("its job was cancelled on n1", True),
}


@pytest.mark.parametrize(("ending", "gone"), ENDINGS.items(), ids=ENDINGS)
def test_why_a_job_ended(ending: str, gone: tuple[str, bool]) -> None:
    state, code = ending.split()
    said = _gone({"JobState": state, "ExitCode": code, "NodeList": "n1"}, Path("o"))
    assert (said.reason, said.final, said.node) == (*gone, "n1")
    assert "without a trace" in _gone({}, Path("o")).reason


# --- on a cluster -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """Two nodes of Slurm on this machine."""
    if why := slurm_loopback.missing():
        pytest.skip(why)
    with slurm_loopback.slurm(tmp_path_factory.mktemp("slurm")) as nodes:
        yield nodes


ON_SLURM = "executor={kind: slurm, workers: 4}"


@pytest.mark.slow
@pytest.mark.cluster
def test_two_killed_workers_and_a_stopped_node_leave_the_same_bytes(
    cluster: Loopback, tmp_path: Path
) -> None:
    slow_run.write_run(tmp_path)
    assert slow_run.run(tmp_path, "here", "workers=2")[0] == 0
    needed = slow_run.n_asked(tmp_path)
    process = slow_run.start(tmp_path, "there", ON_SLURM)
    until(lambda: slow_run.n_asked(tmp_path) - needed >= 8)
    kill(slow_run.workers(tmp_path)[0])
    until(lambda: slow_run.n_asked(tmp_path) - needed >= 30)
    cluster.stop_node("node2")
    code, said = slow_run.ended(process)
    cluster.start_node("node2")
    assert code == 0, said
    assert "killed by signal 9 on node" in said
    assert slow_run.left(tmp_path / "there") == slow_run.left(tmp_path / "here")
    # at most one batch for each of the workers that were stopped: one, and those of a node
    assert needed <= slow_run.n_asked(tmp_path) - needed <= needed + 1 + 4


@pytest.mark.slow
@pytest.mark.cluster
def test_a_worker_killed_twice_is_one_missing_model(cluster: Loopback, tmp_path: Path) -> None:
    slow_run.write_run(tmp_path)
    process = slow_run.start(tmp_path, "there", ON_SLURM, "only.models=[teacher]")
    for _ in range(2):
        until(lambda: len(slow_run.workers(tmp_path)) == 1)
        (pid,) = slow_run.workers(tmp_path)
        until(lambda: slow_run.pieces(tmp_path / "there") > 0)
        kill(pid)
        until(lambda: pid not in slow_run.workers(tmp_path))  # noqa: B023 - called at once
    code, said = slow_run.ended(process)
    assert code == 3, said
    assert "out of memory? (try 2 of 2)" in said
    assert slow_run.run(tmp_path, "there", "only.models=[teacher]")[0] == 0  # goes on from there


@pytest.mark.slow
@pytest.mark.cluster
def test_what_no_node_has_is_said_and_the_rest_goes_on(cluster: Loopback, tmp_path: Path) -> None:
    slow_run.write_run(tmp_path, wait_ms=1)
    code, said = slow_run.run(tmp_path, "there", ON_SLURM, "+models.teacher.gpus=2")
    assert code == 3, said
    assert "missing teacher: sbatch refuses it: " in said
    assert "missing student" not in said
