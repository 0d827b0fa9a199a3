"""Ray on this machine, every node a process of its own: a program that tests start, and tell on stdin what to do.

python -m tests.executors.ray_nodes      says its address, then takes "kill" (a node without the head) and "end"
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.core.running import REPOSITORY


@dataclass
class Nodes:
    """A running cluster."""

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """Ends a node with everything that runs on it."""
        self.say("kill")

    def say(self, word: str) -> str:
        """Has it do something; what it answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(word, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()


@contextmanager
def ray_cluster() -> Iterator[Nodes]:
    """A head without room for work, and two nodes."""
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.executors.ray_nodes"],
        env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=REPOSITORY,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield Nodes(process.stdout.readline().strip(), process)
        finally:
            process.communicate("end\n", timeout=60)


def main() -> None:
    """Runs a cluster until it is told to end."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    memory = 100 * 2**20
    cluster.add_node(num_cpus=0, object_store_memory=memory, include_dashboard=False)
    nodes = [cluster.add_node(num_cpus=4, object_store_memory=memory) for _ in range(2)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("killed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
