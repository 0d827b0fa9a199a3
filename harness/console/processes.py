"""Starting worker processes, and when not to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from typing import Any


def may_start_processes() -> bool:
    """Whether this is the program itself; a launcher's worker that starts processes of its own can wait for ever."""
    return current_process().name == "MainProcess"


@contextmanager
def without_main() -> Iterator[None]:
    """Inside, spawned processes do not import the program's main module again.

    Our workers need nothing of it, and importing it costs each a second.
    """
    main = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.update(__spec__=None)
    main.pop("__file__", None)
    try:
        yield
    finally:
        main.update(kept)
