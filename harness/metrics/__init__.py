"""Measures: pure functions of stored answers and grades. One file, one subclass of AbstractMetric.

`harness/metrics/capa.py` is the measure `capa` of a matrix. To write one: say in `looks_at` which kind of answers and
whose it looks at; take them from the panel by a view (`panel.texts.align_texts`, `panel.choices.align_choices` ...),
most of which bring everyone to the same prompts; return a Finding for every number, with one of these statistics::

    Mean    of a number per prompt: agreement, length. The interval is Student's t, or exact for shares.
    Ratio   of two sums over prompts, such as a gap recovered; a stratum for every task. Fieller's interval.
    Smooth  any smooth function of means over prompts: kappa, a correlation. The interval is a bootstrap.
    Given   a number with its own interval (over models, say) or with none, and the reason why in `note`.

Statistics carry prompts and clusters, so that intervals and comparisons of two students are made from them, in one
place (`stats/intervals`). A finding with a text instead of a statistic says why there is no number.
`docs/new_metric.md` writes one step by step; `harness.testing.check_metric` is the contract as a test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.panel.panel import GAP_UNIT, Looks, Panel
from harness.panel.topics import Column, Topic
from harness.types import Better, Finding, Level


@dataclass(frozen=True)
class AbstractMetric(ABC):
    """A measure: a pure function of what it looks at."""

    kind: str
    name: str

    unit: ClassVar[str]  # "share", "nats per token", "gap" ...
    better: ClassVar[Better]
    # Kinds of answers, and roles: which tasks fit, who is compared on which prompts, what is in the key of a
    # score, and whether it is asked of models alone (no teacher needed), of pairs (a teacher looked at), or both:
    # what it says of a model alone is then not repeated for its pairs.
    looks_at: ClassVar[Looks]
    level: ClassVar[Level] = "prompts"
    # True = called once per pair with the panels of all fitting tasks
    across_tasks: ClassVar[bool] = False
    explanation: ClassVar[str]  # for the page: what it says, its sign, when not to trust it
    leaderboard: ClassVar[tuple[Column, ...]] = ()  # of the leaderboard
    # what the page reads from it: topic -> parts ("" = the measure itself), the first with a value
    topics: ClassVar[Mapping[Topic, tuple[str, ...]]] = {}
    # units, of parts too, in which 0 stands for the base and 1 for the teacher
    gap_units: ClassVar[tuple[str, ...]] = tuple(GAP_UNIT.values())

    def on_page(self) -> tuple[tuple[Column, ...], Mapping[Topic, tuple[str, ...]]]:
        """Its columns of the leaderboard and its topics, where they depend on its fields."""
        return self.leaderboard, self.topics

    @abstractmethod
    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """What it finds for one student: `panels` has one entry, or one per task where `across_tasks`.

        May raise Unavailable(reason) where there is nothing to say.
        """
