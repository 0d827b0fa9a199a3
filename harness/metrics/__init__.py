"""Measures: pure functions of stored answers and grades. One file, one subclass of AbstractMetric.

`harness/metrics/capa.py` is the measure `capa` of a matrix; files that begin with an underscore are shared by several.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from harness.panel.panel import Sides
from harness.types import Better, Column, Found, Level, Topic


@dataclass(frozen=True)
class AbstractMetric(ABC):
    """A measure: a pure function of stored outputs and grades."""

    kind: str
    name: str

    unit: ClassVar[str]  # "share", "nats per token", "gap" ...
    better: ClassVar[Better]
    needs: ClassVar[frozenset[str]]
    # needs: of "teacher", "base", "controls" (roles), "grades", "text", "choices", "tokens",
    # "reading", "answers", "next_token", "verdicts" (what a task yields). The score stage calls a
    # metric only where they are there; otherwise the reason is written by the stage.
    of: ClassVar[Literal["model", "pair", "both"]] = "pair"
    # of: "model" = asked of every model alone (teacher and base too), "pair" = of students against
    # their teacher, "both" = both ways: what it says of a model alone is then not repeated for its
    # pairs.
    level: ClassVar[Level] = "prompts"
    # True = called once per pair with the Sides of all fitting tasks
    across_tasks: ClassVar[bool] = False
    explanation: ClassVar[str]  # for the page: what it says, its sign, when not to trust it
    leaderboard: ClassVar[tuple[Column, ...]] = ()  # of the leaderboard
    # what the page reads from it: topic -> parts ("" = the measure itself), the first with a value
    topics: ClassVar[Mapping[Topic, tuple[str, ...]]] = {}
    # units, of parts too, in which 0 stands for the base and 1 for the teacher
    gap_units: ClassVar[tuple[str, ...]] = ("gap recovered", "gap transferred")

    @abstractmethod
    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """What the measure finds for one student: `sides` has one entry, or one per task where `across_tasks`.

        May raise Unavailable(reason) where there is nothing to say.
        """
