"""Tasks: whatever asks and, where there are right answers, grades. One file, one final subclass of AbstractTask.

`kind: prompts` in a task's YAML is the class in `harness/tasks/prompts.py`; its fields are the keys of the YAML.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from harness.panel.panel import Side
from harness.types import Decoding, Grades, Outputs, Paths, RequestSet


@dataclass(frozen=True)
class Setting:
    """What a task may depend on besides its own fields."""

    paths: Paths
    chat: bool
    system: str | None
    limit: int | None  # first so many rows only
    seed: int  # of few-shot examples and of tasks that draw their prompts
    # reading tasks: whose answers are read, in the order of the matrix
    authors: tuple[Side, ...] = ()


@dataclass(frozen=True)
class AbstractTask(ABC):
    """Something that asks and, where there is a right answer, grades."""

    kind: str
    name: str
    # name of a conf/decoding file for this task alone; None = the run's
    decoding: str | None = None
    chat: bool | None = None  # True / False overrides the model's own `chat`
    minimum: int = 20  # below so many answered prompts measures are skipped with that reason
    # how often every model is asked, at a temperature above 0; None = the run's
    samples: int | None = None

    @abstractmethod
    def digest(self, setting: Setting) -> str:
        """Hex digest of what determines the requests and the grading; cheap, imports no heavy library."""

    def faults(self, setting: Setting) -> list[str]:
        """What is wrong with the configuration, each one line with its cure; cheap."""
        return []

    @abstractmethod
    def requests(self, setting: Setting) -> RequestSet:
        """All requests of the task."""

    def reads(self) -> str | None:
        """The open-ended task whose collected answers this task gives others to read; None for most tasks."""
        return None

    def authors(self) -> tuple[str, ...] | None:
        """Whose answers are read; None = those of every teacher, base and control."""
        return None

    def readers(self) -> tuple[str, ...] | None:
        """The only models that are asked this task (a judge); None = all."""
        return None

    def drawn(self, decoding: Decoding) -> Decoding:
        """The run's decoding as this task needs it (reading tasks ask for alternatives of every token)."""
        return decoding

    def grade(self, requests: RequestSet, outputs: Outputs, setting: Setting) -> Grades | None:
        """Grades of one model's outputs; None where the task has no right answers."""
        return None
