"""Starting worker processes, and when not to."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import current_process, forkserver, get_context
from multiprocessing.context import ForkServerContext
from typing import Any

# What loading and asking a checkpoint imports: seconds, which every worker would spend again.
CHECKPOINTS = (
    "torch",
    "tokenizers",
    "transformers.generation.utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
)
_QUIET = "harness.executors._quiet"  # is imported before all others
_OURS = "_DISTILLBENCH_OMP"  # the number of threads was set here


def collect_seldom() -> None:
    """Lets Python look for cycles after 200,000 new objects, not 700: of a large run that took 8 % of the time."""
    gc.set_threshold(200_000, 20, 50)


def may_start_processes() -> bool:
    """Whether this is the program itself; a launcher's worker that starts processes of its own can wait for ever."""
    return current_process().name == "MainProcess"


def worker_context(*imported: str) -> ForkServerContext:
    """Where worker processes come from: a server that imports these modules once and forks itself for each worker.

    The server lives as long as the program, and what it was first asked to import stays. Libraries in it use one
    thread, unless OMP_NUM_THREADS says otherwise.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([_QUIET, *imported])
    ours = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": "1", _OURS: "1"}
    with without_main():
        os.environ.update(ours)
        forkserver.ensure_running()
        for name in ours:
            del os.environ[name]
    return context


def use_threads(n: int) -> None:
    """In a worker: lets libraries use n threads, where the user has not said how many.

    They were imported for several workers, which do best with one thread each.
    """
    if os.environ.pop(_OURS, None) is None:
        return
    os.environ["OMP_NUM_THREADS"] = str(n)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(n)


@contextmanager
def without_main() -> Iterator[None]:
    """Inside, spawned processes do not import the program's main module again.

    Our workers need nothing of it, and importing it costs each a second.
    """
    main = vars(sys.modules["__main__"])
    own: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.update(__spec__=None)
    main.pop("__file__", None)
    try:
        yield
    finally:
        main.update(own)
