"""What Ray runs on a node: the worker's program, whose lines and files it hands on.

Ray finds this function by its name on every node: distillbench is installed there. What goes in and out is text and
bytes, so that nothing of ours is pickled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.executors._parcels import Watch, opened, receive
from harness.executors._parcels import parcel as packed
from harness.store.store import Store

_OURS = Path(__file__).resolve().parents[2]


def serve(request: str, files: bytes, threads: str) -> Iterator[str | bytes]:
    """The node, the lines of a worker (text), before each the files that are new (bytes); at last its exit code.

    files: what the worker needs of the results folder; b"" = it works in the results folder itself.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    yield json.dumps({"node": node})
    with tempfile.TemporaryDirectory(prefix="distillbench-") as folder:
        watch = None
        if files:
            store = Store(Path(folder) / "results")
            receive(opened(files), store)
            request = _moved(request, Path(folder))
            watch = Watch(store.root)
            watch.news()
        paths = os.pathsep.join([str(_OURS), *filter(None, [os.environ.get("PYTHONPATH")])])
        changes = {"OMP_NUM_THREADS": threads, "PYTHONPATH": paths, "DISTILLBENCH_NODE": node[:8]}
        words = [sys.executable, "-m", "harness.cli.worker", "-", "-"]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            words, stdin=pipe, stdout=pipe, env={**os.environ, **changes}, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(request + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if watch is not None and (new := watch.news()):
                    yield packed(new)
                yield line
        yield json.dumps({"code": process.returncode})


def _moved(request: str, folder: Path) -> str:
    """The request with its results in a folder of this machine."""
    plain = json.loads(request)
    recipe = plain["recipe"]
    recipe["config"]["paths"] = {**recipe["config"]["paths"], "results": str(folder / "results")}
    if not Path(recipe["place"]).is_dir():
        recipe["place"] = str(folder)
    return json.dumps(plain, ensure_ascii=False)
