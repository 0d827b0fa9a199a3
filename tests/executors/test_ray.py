"""Ray: what is refused; and, on a cluster of several nodes, a kill and a node that stops."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.executor import executor_of
from harness.executors import ray as executors_ray
from harness.executors.ray import RayExecutor
from harness.testing.executors import check_executor
from tests.executors import slow_run
from tests.executors.ray_nodes import Nodes, ray_cluster
from tests.executors.slurm_loopback import kill, until

THERE = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not THERE, reason="needs Ray: pip install '.[ray]'")


@needs_ray
def test_the_contract_holds() -> None:
    check_executor(RayExecutor())  # its jobs stay, so no cluster is asked


def test_without_ray_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    faults: list[str] = []
    executor_of("ray", faults)
    assert faults == [
        "executor: kind ray: an optional extra that is not installed: pip install 'distillbench[ray]'"
    ]


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({"num_cpus": 1, "num_gpus": 0}, True),
        ({"num_cpus": 5, "num_gpus": 0}, False),
        ({"num_cpus": 1, "num_gpus": 2}, False),
        ({"num_cpus": 1, "num_gpus": 1, "memory": 2**30}, True),
        ({"num_cpus": 1, "num_gpus": 1, "memory": 2**30 + 1}, False),
    ],
)
def test_what_fits_a_node(asked: dict[str, float], fits: bool) -> None:
    assert executors_ray._fits(asked, {"CPU": 4.0, "GPU": 1.0, "memory": 2.0**30}) is fits


# --- on a cluster -----------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[Nodes]:
    """A head and two nodes of Ray on this machine."""
    with ray_cluster() as nodes:
        yield nodes


@needs_ray
@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("shared", ["true", "false"])
def test_a_killed_worker_and_a_stopped_node_leave_the_same_bytes(
    cluster: Nodes, tmp_path: Path, shared: str
) -> None:
    slow_run.write_run(tmp_path)
    assert slow_run.run(tmp_path, "here", "workers=2")[0] == 0
    needed = slow_run.n_asked(tmp_path)
    on_ray = f"executor={{kind: ray, address: '{cluster.address}', workers: 4, shared: {shared}}}"
    process = slow_run.start(tmp_path, "there", on_ray)
    until(lambda: slow_run.n_asked(tmp_path) - needed >= 8)
    kill(slow_run.workers(tmp_path)[0])
    until(lambda: slow_run.n_asked(tmp_path) - needed >= 30)
    cluster.kill()
    code, said = slow_run.ended(process)
    assert code == 0, said
    assert "killed by signal 9 on " in said
    assert slow_run.left(tmp_path / "there") == slow_run.left(tmp_path / "here")
    # at most one batch again for each of the workers that were stopped; without a shared folder
    # what was on its way is lost with them
    repeated = slow_run.n_asked(tmp_path) - 2 * needed
    assert 0 <= repeated <= (1 + 4) * (1 if shared == "true" else 3)


@needs_ray
@pytest.mark.slow
@pytest.mark.cluster
def test_what_no_node_has_is_said_and_the_rest_goes_on(cluster: Nodes, tmp_path: Path) -> None:
    slow_run.write_run(tmp_path, wait_ms=1)
    on_ray = f"executor={{kind: ray, address: '{cluster.address}'}}"
    code, said = slow_run.run(tmp_path, "there", on_ray, "+models.teacher.gpus=2")
    assert code == 3, said
    assert "missing teacher: no node of the cluster has 1 CPU, 2 GPU" in said
    assert "missing student" not in said


@needs_ray
@pytest.mark.slow  # a command
def test_where_no_cluster_is_one_line_says_so(tmp_path: Path) -> None:
    slow_run.write_run(tmp_path, wait_ms=1)
    code, said = slow_run.run(tmp_path, "there", "executor={kind: ray, address: '127.0.0.1:9'}")
    assert code == 2, said
    assert "executor: key address: expected a cluster of Ray at '127.0.0.1:9'" in said
    assert "Traceback" not in said
