"""A command line that was finished before and of which nothing changed: said again before Hydra is imported."""

from __future__ import annotations

import sys

from harness.cli.streams import make_lasting
from harness.stages.again import said_again


def again() -> int | None:
    """The exit code of the command; None where it has to be run."""
    make_lasting()
    try:
        return said_again(sys.argv[1:])
    except OSError:  # a disk that is full or out of reach: who runs the command says it
        return None
