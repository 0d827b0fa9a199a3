"""Work in processes of its own that tell the parent what they are at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from queue import Empty
from typing import Any

from harness.console.processes import without_main, worker_context
from harness.console.progress import News, hush

Tell = Callable[[News], None]

_LOOK_S = 0.2  # how often the parent looks for news


def run_apart(
    work: Callable[..., None],
    calls: Sequence[tuple[Any, ...]],
    workers: int,
    hear: Tell,
    begin: Callable[[], None],
    imported: Sequence[str] = (),
) -> None:
    """Calls `work` with each of the arguments, and with a function to tell news by, in `workers` processes.

    `begin` is called once in every process; `hear` gets the news here. Modules that all of them need are `imported`
    once.
    """
    context = worker_context(*imported)
    queue = context.Queue()
    with (
        without_main(),
        ProcessPoolExecutor(workers, context, _worker_begins, (queue, begin)) as pool,
    ):
        futures = [pool.submit(_worker_works, work, call) for call in calls]
        while not all(f.done() for f in futures):
            _drain(queue, hear, _LOOK_S)
        for future in futures:
            future.result()
    _drain(queue, hear, 0.0)


def _drain(queue: Any, hear: Tell, wait_s: float) -> None:
    try:
        while True:
            hear(queue.get(timeout=wait_s) if wait_s else queue.get_nowait())
    except Empty:
        return


# --- in a worker ----------------------------------------------------------------------------------

_queue: Any = None  # to the parent


def _worker_begins(queue: Any, begin: Callable[[], None]) -> None:
    global _queue
    _queue = queue
    hush()
    begin()


def _worker_works(work: Callable[..., None], call: tuple[Any, ...]) -> None:
    work(*call, _queue.put)
