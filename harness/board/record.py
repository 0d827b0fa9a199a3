"""The record of a run: scores, comparisons, provenance and warnings, as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.panel.audits import Audit
from harness.panel.evidence import Origin, Verdict
from harness.panel.topics import Column, Topic
from harness.text.cut import Endings
from harness.text.likeness_tree import Branch
from harness.text.marks import Marks
from harness.types import Better, Control, Level, Pair, Score

Variant = tuple[tuple[str, str], ...]  # swept keys and their values
Facts = Mapping[str, str | int | float]


def setting(variant: Variant) -> str:
    """Swept keys and their values as text; "" where there are none."""
    return " ".join(f"{key}={value}" for key, value in variant)


def settings_among(own: Sequence[Variant], every: Sequence[Variant]) -> tuple[str, ...]:
    """Some of all settings in few words: none where they are all, values of one key where these suffice."""
    if set(own) == set(every):
        return ()
    for key in dict.fromkeys(k for variant in every for k, _ in variant):
        values = dict.fromkeys(dict(variant)[key] for variant in own)
        if {variant for variant in every if dict(variant)[key] in values} == set(own):
            return tuple(f"{key}={value}" for value in values)
    return tuple(map(setting, own))


def named(model: str, variant: Variant) -> str:
    """A model's name with the swept values where there are any."""
    return " ".join(filter(None, [model, setting(variant)]))


@dataclass(frozen=True)
class Comparison:
    """Two students of one teacher, on one base, compared on the same prompts."""

    metric: str
    task: str
    teacher: str
    base: str
    first: str  # student
    second: str  # student
    difference: float  # value of first minus value of second, over the prompts that both have
    low: float
    high: float
    p: float  # two-sided, paired
    # Holm within one metric, teacher and base; board.claims adds Benjamini-Hochberg across the leaderboard
    p_adjusted: float
    n: int
    # minimum detectable effect at 80 % power and the level that Holm leaves, in the metric's unit; None = so few
    # prompts that not even the largest is detectable
    detectable: float | None
    variant: Variant = ()


@dataclass(frozen=True)
class Change:
    """A student compared with its base or its teacher, by a number that each model has alone, on the same prompts."""

    metric: str
    task: str
    teacher: str
    base: str
    student: str
    against: Literal["base", "teacher"]
    difference: float  # value of the student minus the other's
    low: float
    high: float
    p: float  # two-sided, paired
    p_adjusted: float  # Holm within one metric, teacher, base and kind of question
    n: int  # prompts that both have
    # minimum detectable effect at 80 % power and the level that Holm leaves, in the metric's unit; None = so few
    # prompts that not even the largest is detectable
    detectable: float | None
    n_won: (
        int | None
    )  # prompts on which the student is better than the other; None if neither end is better
    n_lost: int | None  # prompts on which it is worse
    unit: str
    better: Better
    variant: Variant = ()

    @property
    def other(self) -> str:
        """The model that the student is compared with."""
        return self.base if self.against == "base" else self.teacher


@dataclass(frozen=True)
class MetricNote:
    """The description that a measure gives of itself."""

    name: str
    unit: str
    better: Better
    level: Level
    explanation: str
    leaderboard: tuple[Column, ...] = ()
    topics: Mapping[Topic, tuple[str, ...]] = field(default_factory=dict)  # as the measure has them
    gap_units: tuple[str, ...] = ()  # in which 0 stands for the base and 1 for the teacher


@dataclass(frozen=True)
class CollectionRecord:
    """How one model's answers to a task were collected, and where they are stored.

    Seconds, latency and memory are provenance, exempt from the promise of equal bytes.
    """

    model: str
    task: str
    sample: int
    n_requests: int
    n_answered: int = 0
    n_tokens: int = 0
    n_prompt_tokens: int | None = (
        None  # tokens of prompts, as a server counts them; None = not told
    )
    wall_s: float = 0.0
    latency_p50_s: float = 0.0
    latency_p95_s: float = 0.0
    peak_memory_bytes: int = 0
    usd: float | None = None
    missing: str = ""  # "" or why there are no outputs
    key: str = ""  # of the outputs in the store
    requests_key: str = ""
    grades_key: str | None = None  # None where the task has no right answers
    n_prompts: int = 0
    n_seen: int | None = None  # prompts that occur in the training data; None = none is named
    n_seen_exactly: int | None = None  # of these, word for word
    secrets: tuple[str, ...] = ()  # environment variables whose value occurs in an answer
    notes: tuple[str, ...] = ()  # what was dropped while the requests were built
    n_cut_prompts: int = 0  # prompts that did not fit and were shortened
    # what a program may have left in its replies; None = no replies, or a further sample
    marks: Marks | None = None
    endings: Endings | None = None  # how its replies ended; None as for marks
    answer_notes: tuple[str, ...] = ()  # how they were asked, read and joined
    variants: tuple[Variant, ...] = ()  # settings of a sweep that these answers belong to; () = all


@dataclass(frozen=True)
class Difference:
    """What makes two models' answers to a task hard to compare."""

    task: str
    student: str
    other: str  # its teacher or its base
    words: str


@dataclass(frozen=True)
class WorkCount:
    """How many results were computed in this run, and how many were already in the store."""

    model: str  # "" where it is not about one model
    task: str
    metric: str  # "" for answers and grades
    computed: int
    reused: int


@dataclass(frozen=True)
class MethodNote:
    """The description that a verdict gives of itself, and what it cost.

    Seconds are provenance, exempt from the promise of equal bytes.
    """

    name: str
    explanation: str
    cpu_s: float | None = None  # seconds of one processor for all verdicts; None = not measured


@dataclass(frozen=True)
class LikenessTree:
    """Which models are joined before others join them, by their function words on a task: likeness, not descent."""

    task: str
    branches: tuple[Branch, ...]  # in the order in which they are joined; all models last


@dataclass(frozen=True)
class CaseRecord:
    """Of whom a run asks whose answers it learned from, and what is documented of others."""

    suspect: str  # "" = everybody whose training is documented is a case
    candidates: tuple[str, ...]  # families; () = all
    families: Mapping[str, tuple[str, ...]]  # family -> its versions
    origins: tuple[Origin, ...]
    methods: tuple[MethodNote, ...]
    missing: tuple[str, ...] = ()  # methods without a verdict, and why
    # model -> what its YAML states of its terms of use
    terms: Mapping[str, str] = field(default_factory=dict)
    trees: tuple[LikenessTree, ...] = ()  # of a case without a suspect
    # family -> odds, as the user states them, that the suspect learned from it; none stated = 1
    prior_odds: Mapping[str, float] = field(default_factory=dict)
    # "method on task" -> what it fitted, for later runs
    calibrations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """Everything that is known about a run, or about all jobs of a sweep; all of it can be stored."""

    title: str
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    # of a sweep: what is true in any of its jobs; facts of models and tasks: what is true in all
    pairs: tuple[Pair, ...]
    controls: tuple[Control, ...]
    models: Mapping[str, Facts]  # model -> role, kind, digest, parameters, size_bytes, device ...
    tasks: Mapping[str, Facts]  # task -> kind, version, n_prompts, chat, yields
    metrics: tuple[MetricNote, ...]
    collections: tuple[CollectionRecord, ...]
    versions: Mapping[str, str]  # package -> version, plus python, platform
    lineages: Mapping[str, str] = field(default_factory=dict)  # model -> its lineage
    recipes: Mapping[str, str] = field(default_factory=dict)  # model -> what it is a seed of
    changes: tuple[Change, ...] = ()  # students against their bases and teachers
    judges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # task -> who judges it
    differences: tuple[Difference, ...] = ()
    work: tuple[WorkCount, ...] = ()
    warnings: tuple[str, ...] = ()  # board.cautions of the record; of a sweep, those of its jobs
    variants: tuple[str, ...] = ()  # swept keys
    columns: tuple[str, ...] = ()  # of the leaderboard that are to be seen; () = the usual ones
    figures: tuple[str, ...] = ()  # kinds of those on the page, in their order; () = all
    interactive: bool = True  # whether the page holds the library that draws figures anew
    # further exporters, and trackers, with their fields
    exports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trackers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)  # task -> why the run did without it
    # digest of what was asked of whom, whatever the places; "" = not known
    configuration: str = ""
    verdicts: tuple[Verdict, ...] = ()  # what methods say of whose answers a model learned from
    case: CaseRecord | None = None  # None = nobody's training was weighed
    audits: tuple[Audit, ...] = ()  # what is said of a file of training answers, task by task
    jobs: tuple[JobRecord, ...] = ()  # of a sweep
    # where the time of the run went: seconds of all processes together (`load_s`, `tokens_in_s`, `scoring_s/NAME`),
    # `whole_s` and `page_s` by the clock, and `forward_tokens`; provenance, exempt from the promise of equal bytes
    spent: Mapping[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> tuple[Variant, ...]:
        """The values of the swept keys, job by job."""
        return tuple(job.variant for job in self.jobs)

    def role(self, model: str, variant: Variant = ()) -> str:
        """The role of a model under a setting: the first of student, teacher, base, control, ceiling, other."""
        facts = next((j.facts for j in self.jobs if j.facts and j.variant == variant), self)
        return str(facts.models.get(model, {}).get("role", "other"))

    def runs(self) -> dict[Variant, RunRecord]:
        """Setting -> the record of its job, as a run of its own has it; a run alone is its only one."""
        if not self.jobs:
            return {(): self}
        return {j.variant: self._of(j.variant, j.facts) for j in self.jobs if j.facts is not None}

    def _of(self, variant: Variant, facts: RunRecord) -> RunRecord:
        own = (c for c in self.collections if variant in c.variants or not c.variants)
        return replace(
            facts,
            scores=tuple(s for s in self.scores if s.variant == variant),
            comparisons=tuple(c for c in self.comparisons if c.variant == variant),
            changes=tuple(c for c in self.changes if c.variant == variant),
            collections=tuple(replace(c, variants=()) for c in own),
        )


@dataclass(frozen=True)
class JobRecord:
    """One job of a sweep, and what is true of it alone."""

    variant: Variant
    missing: str = ""  # why it gave no record
    facts: RunRecord | None = (
        None  # without scores, comparisons, changes and collections, which the sweep's record has
    )
