"""Starting worker processes, and when not to."""

from __future__ import annotations

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


def may_start_processes() -> bool:
    """Whether this is the program itself; a launcher's worker that starts processes of its own can wait for ever."""
    return current_process().name == "MainProcess"


def worker_context(*imported: str) -> ForkServerContext:
    """Where worker processes come from: a server that imports these modules once and forks itself for each worker.

    The server lives as long as the program, and what it was first asked to import stays. Libraries in it use one
    thread, unless OMP_NUM_THREADS says otherwise.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(list(imported))
    unset = "OMP_NUM_THREADS" not in os.environ
    with without_main():
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        forkserver.ensure_running()
        if unset:
            del os.environ["OMP_NUM_THREADS"]
    return context


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
