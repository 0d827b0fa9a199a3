"""A run: the configuration as it is written, and the built run that it describes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from harness.executors import AbstractExecutor
from harness.executors.local import LocalExecutor
from harness.exports import AbstractExporter
from harness.metrics import AbstractMetric
from harness.models import AbstractModel, Budget, Purse
from harness.models.recorded import RecordedModel
from harness.panel.evidence import Confidence, Origin, Standing, families_of
from harness.schema import Bound
from harness.tasks import AbstractTask
from harness.trackers import AbstractTracker
from harness.types import Control, Decoding, DistillbenchError, Pair, Paths
from harness.verdicts import AbstractVerdict

Stage = Literal["build", "plan", "collect", "score", "report", "gate"]
# of a whole run; "plan" stands alone and says what would be done, after "build" with all requests known
STAGES: tuple[Stage, ...] = ("collect", "score", "report", "gate")
# columns of scores.csv that tell one row from another
SCORE_NAMES = ("metric", "task", "student", "teacher", "base", "unit", "better")

Name = Annotated[str | int, Bound("text")]  # a model may be called 7
Word = Annotated[str | bool | int | float, Bound("text")]
Count = Annotated[int, Bound("a whole number of 1 or more", lambda n: n >= 1)]
Named = Mapping[str, Mapping[str, Any] | None] | tuple[Name, ...]  # name -> changes to its YAML


@dataclass(frozen=True)
class Condition:
    """One condition of a gate over the rows of scores.csv."""

    # column of scores.csv, or key of the command line -> value; exactly one row must match
    where: Mapping[str, Word]
    # the number that is looked at: the value, an end of its interval, or the prompts
    column: Literal["value", "low", "high", "n"] = "value"
    # it has to be this or more
    min: float | None = None
    # it has to be this or less
    max: float | None = None
    within: float | None = None  # largest distance from the same column of the reference row
    # row of results/reference/scores.csv; None = the same `where`
    reference: Mapping[str, Word] | None = None
    # on no task significantly worse than the student's base or teacher, or than the run that `baseline` names
    not_worse_than: Literal["base", "teacher", "baseline"] | None = None
    required: bool = False  # the row has a value, whatever it is
    tier: Literal["must", "should"] = (
        "must"  # should = it is said where it does not hold, and fails nothing
    )

    def __post_init__(self) -> None:
        empty = [
            f"{key}: expected columns of scores.csv, such as metric and student; got none"
            for key, row in (("where", self.where), ("reference", self.reference))
            if row is not None and not row
        ]
        faults = [*_bound_faults(self), *empty]
        if faults:
            raise DistillbenchError("\n".join(faults))

    @property
    def words(self) -> str:
        """The condition without its bounds: the column, and the row that it is about."""
        row = " ".join(f"{k}={v}" for k, v in self.where.items())
        relative = f" beside the {self.not_worse_than}" if self.not_worse_than else ""
        return f"{self.column} of {row}{relative}"

    @property
    def whole(self) -> str:
        """The condition with its bounds: two of one row have different ones."""
        bounds = {"min": self.min, "max": self.max, "within": self.within}
        said = [f"{k} {v:g}" for k, v in bounds.items() if v is not None]
        return ", ".join([self.words, *said, *(["required"] if self.required else [])])

    @property
    def row(self) -> dict[str, Word]:
        """The part of `where` that chooses a row of scores.csv."""
        return {k: v for k, v in self.where.items() if k in SCORE_NAMES}

    @property
    def job(self) -> dict[str, Word]:
        """The part of `where` that chooses a job of a sweep: keys of the command line."""
        return {k.lstrip("+"): v for k, v in self.where.items() if k not in SCORE_NAMES}


def _bound_faults(condition: Condition) -> list[str]:
    """What is wrong with the bounds of a condition; at most one fault at a time."""
    bounds = {"min": condition.min, "max": condition.max, "within": condition.within}
    given = {k: v for k, v in bounds.items() if v is not None}
    relative = condition.not_worse_than is not None
    if not given and not relative and not condition.required:
        return ["expected one of min, max, within, not_worse_than, required; got none"]
    if relative and (given or condition.column != "value"):
        return [
            "not_worse_than: expected no bounds and no column beside it: it compares values, paired by prompt"
        ]
    if condition.within is not None and condition.within < 0:
        return [f"within: expected 0 or more, got {condition.within:g}"]
    if condition.min is not None and condition.max is not None and condition.min > condition.max:
        return [
            f"min {condition.min:g} is above max {condition.max:g}: no number lies between them"
        ]
    if condition.reference is not None and condition.within is None:
        return ["reference: only `within` compares with it, and there is none"]
    return []


_Conditions = Annotated[tuple[Condition, ...], Bound("a list (each begins with `- `)")]


@dataclass(frozen=True)
class Gate:
    """The keys of a gate file."""

    # all of them have to hold
    conditions: _Conditions | None = ()
    # results of a run that `within` and `not_worse_than: baseline` compare with, or for the former its scores.csv;
    # null = the scores that come with distillbench
    baseline: str | None = None

    def __post_init__(self) -> None:
        relative = any(c.not_worse_than == "baseline" for c in self.conditions or ())
        if relative and self.baseline is None:
            raise DistillbenchError(
                "baseline: expected the results of a run, which `not_worse_than: baseline` compares with; got none"
            )


@dataclass(frozen=True)
class Objective:
    """The one number that a sweeper optimises: a measure of a model, over all its tasks where none is named."""

    # name of the measure
    metric: Name
    # model that is measured
    student: Name
    # None = the only one
    teacher: Name | None = None
    # None = all tasks of the measure together
    task: Name | None = None


@dataclass(frozen=True)
class Only:
    """Exactly what to run; None = everything of the matrix."""

    # names of models
    models: tuple[Name, ...] | None = None
    # names of tasks
    tasks: tuple[Name, ...] | None = None
    # names of measures
    metrics: tuple[Name, ...] | None = None


@dataclass(frozen=True)
class Draws(Decoding):
    """The keys of a decoding: how text is drawn, and how often for one prompt."""

    # answers to every prompt
    samples: Count = 1


_Controls = Annotated[
    tuple[Control | Name, ...], Bound("a list of names of models, or of mappings")
]


_SomeOdds = Annotated[
    float, Bound("a number above 0, such as 0.01 for 1 : 100", lambda x: 0 < x < math.inf)
]
_PriorOdds = _SomeOdds | Mapping[Name, _SomeOdds]


@dataclass(frozen=True)
class OriginChange:
    """Cells of a row of a table of models, to be read instead of those that stand there."""

    # what the model is
    role: Standing | None = None
    # whose answers it learned from, or whose model it is
    family: Name | None = None
    # further families in its training
    also: tuple[Name, ...] | None = None
    # models of one lineage count once
    lineage: Name | None = None
    # how well its training is documented
    confidence: Confidence | None = None


@dataclass(frozen=True)
class Documented:
    """A table of models whose training is documented, and how their answers are read."""

    file: str  # CSV with columns model, role, family, also, lineage, confidence; relative to paths.data
    # a model with its `kind`, {name} in it being the model's name; {} = all stand in `models`
    answers: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)  # our name of a column -> the file's
    # model -> cells of its row that are to be read differently
    changes: Mapping[Name, OriginChange] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """How the page is made."""

    interactive: Literal["plotly", "none"] = "plotly"  # what draws a figure that a reader opens
    exports: Named | None = None  # further files, each in a folder of its name


_Pause = Annotated[float, Bound("seconds, more than 0", lambda s: 0 < s < math.inf)]
_Seconds = Annotated[float, Bound("seconds, 0 or more", lambda s: s >= 0)]


@dataclass(frozen=True)
class Watch:
    """How a folder of checkpoints is watched, and when that ends; without an end, Ctrl-C ends it."""

    # seconds between two looks; a checkpoint is scored once two looks found it whole and unchanged
    every: _Pause = 2.0
    # seconds without a new checkpoint after which it ends
    patience: _Seconds | None = None
    until: int | None = None  # it ends when a checkpoint of this step, or a later one, is scored


@dataclass(frozen=True)
class Configuration:
    """The keys of config.yaml, before any name in it is looked up."""

    title: str  # of the page
    # what is done, in this order; `build` and `plan` only say what would be
    stages: Annotated[tuple[Stage, ...], Bound(f"some of {', '.join(STAGES)}", bool)]
    seed: Annotated[int, Bound("a whole number of 0 or more", lambda n: n >= 0)]
    workers: Count  # processes that collect at once
    comparability: Literal["refuse", "warn"]
    paths: Paths  # where things are
    limit: Count | None = None  # first so many prompts of every task
    models: Named = field(default_factory=dict)
    tasks: Named = field(default_factory=dict)
    metrics: Named = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    controls: _Controls = ()
    suspect: Name | None = None  # the model of which is asked whose answers it learned from
    candidates: tuple[
        Name, ...
    ] = ()  # families or models that may have taught it; () = all documented
    # odds, before the answers were looked at, that the suspect learned from a family: one number, or family -> number
    prior_odds: _PriorOdds = 1.0
    lineages: tuple[Documented, ...] = ()
    verdicts: Named | None = None
    # file of training answers whose rows are compared with those of candidates, or how it is read
    data: str | Mapping[str, Any] | None = None
    exhibit: str | None = None  # empty folder for a bundle about the suspect
    columns: tuple[str, ...] = ()  # of the leaderboard that are to be seen; () = the usual ones
    figures: tuple[str, ...] = ()  # of the page, in their order; () = all
    # how the page is made
    report: Report = field(default_factory=Report)
    track: Named | None = None  # trackers that are told the headline numbers
    only: Only | None = None
    skip_missing: bool = False  # whether tasks whose data are not there are left out
    # how text is drawn; conf/decoding has whole ones by name
    decoding: Draws = field(default_factory=Draws)
    objective: Objective | None = None
    executor: Name | Mapping[str, Any] = "local"  # a kind, or its fields with `kind`
    budget: Budget = field(default_factory=Budget)  # what may be spent on servers
    collect: Literal["now", "batch"] = "now"  # how servers are asked that take batches
    watch: bool | Watch = False  # whether new checkpoints that a path with * matches are scored
    gate: Any = None  # built as a Gate, where the name of its file is known


@dataclass(frozen=True)
class Case:
    """Of whom is asked whose answers it learned from, and what is documented of others."""

    suspect: str | None = None  # None = everybody whose training is documented is a case
    candidates: tuple[str, ...] = ()  # families; () = all
    origins: tuple[Origin, ...] = ()
    # family -> odds, as the user states them, that the suspect learned from it; {} = nobody is the suspect
    prior_odds: Mapping[str, float] = field(default_factory=dict)

    @property
    def families(self) -> Mapping[str, tuple[str, ...]]:
        """Candidate family -> its versions."""
        return families_of(self.origins, self.candidates)


@dataclass(frozen=True)
class Recipe:
    """What a run was built from, in plain values: the same run can be built from it on another machine."""

    config: Mapping[str, Any]  # as composed
    folders: tuple[str, ...]  # of configuration files, absolute
    choices: Mapping[str, str]  # group -> name of the file that was chosen
    settings: Mapping[str, str]
    place: str  # the folder that relative paths begin at


@dataclass(frozen=True)
class Run:
    """Everything that a run is to do, with all plug-ins built."""

    title: str
    stages: tuple[Stage, ...]
    models: Mapping[str, AbstractModel]
    tasks: Mapping[str, AbstractTask]
    metrics: Mapping[str, AbstractMetric]
    pairs: tuple[Pair, ...]
    controls: tuple[Control, ...]
    decoding: Decoding
    task_decodings: Mapping[str, Decoding]  # task -> its own decoding, if it names one
    samples: int
    conditions: tuple[Condition, ...]
    paths: Paths
    limit: int | None
    seed: int
    workers: int
    comparability: Literal["refuse", "warn"]
    baseline: Path | None = (
        None  # reference scores of the gate; None = those that come with distillbench
    )
    objective: Objective | None = None
    skip_missing: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)  # task -> why the run does without it
    columns: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    interactive: bool = True  # whether plotly stands in the page
    exports: Mapping[str, AbstractExporter] = field(default_factory=dict)  # further ones
    trackers: Mapping[str, AbstractTracker] = field(default_factory=dict)
    verdicts: Mapping[str, AbstractVerdict] = field(default_factory=dict)
    case: Case = field(default_factory=Case)
    data: RecordedModel | None = None  # training answers whose rows are compared
    exhibit: Path | None = None  # where a bundle about the suspect goes
    executor: AbstractExecutor = field(default_factory=LocalExecutor)
    settings: Mapping[str, str] = field(
        default_factory=dict
    )  # keys of the command line with their values
    budget: Budget = field(default_factory=Budget)
    purse: Purse = field(default_factory=Purse)  # what is left of the budget, once it collects
    recipe: Recipe | None = field(default=None, repr=False)  # None where it was not built from one

    @cached_property
    def judges_alone(self) -> frozenset[str]:
        """Models that judge and have no other role."""
        judges = {m for t in self.tasks.values() for m in t.readers() or ()}
        roles = {m for p in self.pairs for m in (p.teacher, p.student, p.base, p.ceiling)}
        return frozenset(judges - roles - {c.model for c in self.controls})

    @cached_property
    def sampled_twice(self) -> frozenset[str]:
        """Teachers whose second sample is a ceiling."""
        return frozenset(p.teacher for p in self.pairs if p.ceiling == "second_sample")
