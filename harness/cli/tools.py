"""How the commands beside a run take their words."""

from __future__ import annotations

import argparse
from typing import NoReturn

from harness.types import DistillbenchError


class Parser(argparse.ArgumentParser):
    """A parser whose faults are ours: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Raises DistillbenchError with the fault and how the command is written."""
        raise DistillbenchError(f"{self.prog}: {message}; {' '.join(self.format_usage().split())}")
