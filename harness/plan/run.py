"""A run as it was asked for: models, tasks, metrics, pairs and controls, all typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.metrics import AbstractMetric
from harness.models import AbstractModel
from harness.tasks import AbstractTask
from harness.types import Control, Decoding, Pair, Paths

Stage = Literal["collect", "score", "report", "gate"]
STAGES: tuple[Stage, ...] = ("collect", "score", "report", "gate")


@dataclass(frozen=True)
class Condition:
    """One condition of a gate over the rows of scores.csv."""

    where: dict[str, str]  # column -> value; exactly one row must match
    column: Literal["value", "low", "high", "n"] = "value"
    min: float | None = None
    max: float | None = None
    within: float | None = None  # largest distance from the same column of the reference row
    # row of results/reference/scores.csv; None = the same `where`
    reference: dict[str, str] | None = None


@dataclass(frozen=True)
class Run:
    """Everything that a run was asked for."""

    title: str
    stages: tuple[Stage, ...]
    models: Mapping[str, AbstractModel]
    tasks: Mapping[str, AbstractTask]
    metrics: Mapping[str, AbstractMetric]
    pairs: tuple[Pair, ...]
    controls: tuple[Control, ...]
    decoding: Decoding
    task_decodings: Mapping[str, Decoding]  # task -> its own decoding, where it names one
    samples: int
    conditions: tuple[Condition, ...]
    paths: Paths
    lock: bool
    limit: int | None
    seed: int
    workers: int
    comparability: Literal["refuse", "warn"]
