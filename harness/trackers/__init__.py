"""Trackers: services that are told the numbers of finished runs. One file, one subclass of AbstractTracker.

To write one, copy this into `harness/trackers/NAME.py`; a run with `track=[NAME]` then tells it::

    from dataclasses import dataclass
    from pathlib import Path
    from typing import ClassVar
    from harness.trackers import AbstractTracker, Told

    @dataclass(frozen=True)
    class Lines(AbstractTracker):
        \"\"\"lines.txt: a number a line.\"\"\"

        package: ClassVar[str] = "json"

        def track(self, told: Told) -> None:
            lines = [f"{name} {value}" for name, value in told.numbers.items()]
            Path("lines.txt").write_text("\\n".join(lines), encoding="utf-8")

A tracker has no secrets in its fields: it finds its credentials where its own package looks for them.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Told:
    """What is told of one run; of a sweep, of one job. Nothing in it is secret."""

    title: str  # the run's, with its swept values
    # "MODEL/MEASURE" of the leaderboard, "MODEL/MEASURE/TASK" of a model's own score; the same with /low, /high, /n
    numbers: Mapping[str, float]
    # configuration (digest of what was asked), page (path), versions, swept values: for looking the run up
    facts: Mapping[str, str]


@dataclass(frozen=True)
class AbstractTracker(ABC):
    """A service, or a folder of its own, that gets the headline numbers of every run."""

    package: ClassVar[str]  # the module that it imports
    install: ClassVar[str] = ""  # what pip installs it with; "" = the module's name

    kind: str
    name: str
    project: str = "distillbench"  # under which the service keeps the runs

    def faults(self) -> list[str]:
        """What is wrong before anything runs, each one line with its cure."""
        if importlib.util.find_spec(self.package) is not None:
            return []
        cure = f"pip install {self.install or self.package}"
        return [f"track.{self.name}: the package {self.package} is not installed: {cure}"]

    @abstractmethod
    def track(self, told: Told) -> None:
        """Hands one run over; whatever it raises is a missing part of the report, and nothing else is lost."""
