"""What the page shows: the scores of a run, how they compare, and how they were made. Frozen, no logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.panel.panel import Side
from harness.types import Better, Column, Control, Level, Pair, Score, Topic


@dataclass(frozen=True)
class Comparison:
    """Two students of one teacher compared on the same prompts."""

    metric: str
    task: str
    teacher: str
    first: str  # student
    second: str  # student
    difference: float  # value of first minus value of second, over the prompts that both have
    low: float
    high: float
    p: float  # two-sided, paired
    # Holm within a (metric, task, teacher); Benjamini-Hochberg across the leaderboard is the page's
    p_adjusted: float
    n: int
    detectable: float  # minimum detectable effect at 80 % power, in the metric's unit
    variant: tuple[tuple[str, str], ...] = ()  # swept keys and their values


@dataclass(frozen=True)
class MetricNote:
    """What the page says of a column."""

    name: str
    unit: str
    better: Better
    level: Level
    explanation: str
    leaderboard: tuple[Column, ...] = ()  # of the leaderboard
    topics: Mapping[Topic, tuple[str, ...]] = field(default_factory=dict)  # as the measure has them
    gap_units: tuple[str, ...] = ()  # in which 0 stands for the base and 1 for the teacher


@dataclass(frozen=True)
class CellRecord:
    """How one collection went: provenance, exempt from the promise of equal bytes."""

    model: str
    task: str
    sample: int
    n_requests: int
    n_answered: int
    n_tokens: int
    wall_s: float
    latency_p50_s: float
    latency_p95_s: float
    peak_memory_bytes: int
    usd: float | None
    missing: str  # "" or why there are no outputs


@dataclass(frozen=True)
class RunRecord:
    """Everything the report draws from; scores of every job of a sweep."""

    title: str
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    pairs: tuple[Pair, ...]
    controls: tuple[Control, ...]
    roles: Mapping[
        str, str
    ]  # model -> "student", "teacher", "base", "control", "ceiling" or "other": the first that fits
    # model -> kind, digest, parameters, size_bytes, device ...
    models: Mapping[str, Mapping[str, str | int | float]]
    # task -> kind, version, n_prompts, chat, yields
    tasks: Mapping[str, Mapping[str, str | int | float]]
    metrics: tuple[MetricNote, ...]
    cells: tuple[CellRecord, ...]
    warnings: tuple[str, ...]  # what a careful reader asks first
    versions: Mapping[str, str]  # package -> version, plus python, platform
    # (model, task, sample) -> stored answers, for the sample browser
    answers: Callable[[str, str, int], Side | None]
    variants: tuple[str, ...] = ()  # swept keys
