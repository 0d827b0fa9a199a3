"""What a plug-in is, and how a name in a configuration becomes one.

Every configured thing is a flat frozen dataclass in a file of its own: `kind: hf` in a model's YAML is the
one final subclass of AbstractBackend in `harness/backends/hf.py`. Adding a plug-in is adding that file and a YAML.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from harness.board.record import RunRecord
from harness.types import (
    Better,
    Decoding,
    DistillbenchError,
    Found,
    Grades,
    Kind,
    Level,
    Outputs,
    Request,
    RequestSet,
    Side,
    Sides,
)


@dataclass(frozen=True)
class Paths:
    """Where things are; from the configuration's `paths`, made absolute."""

    results: Path  # what a run leaves: store, work, report
    cache: Path  # what can be made again: zoo, memoised digests
    tasks: tuple[Path, ...]  # folders with task files, ours last
    data: Path | None = None  # recorded outputs
    datasets: Path | None = None  # local copies of hub data sets, in the hub's layout


@dataclass(frozen=True)
class AbstractBackend(AbstractContextManager["AbstractBackend"], ABC):
    """A model: something that answers requests. Entered, it holds its memory; left, it frees it.

    Fields common to all back ends come first; none of them changes an answer except `chat` and `system`.
    """

    kind: str
    name: str  # the configuration's name of the model
    # ask in conversations (the model's chat template applies) rather than in plain text
    chat: bool = False
    system: str | None = None  # system message of every conversation
    lineage: str | None = None  # for controls: models of one lineage count once
    identity: tuple[str, ...] = ()  # names under which it may rightly speak of itself
    usd_per_hour: float | None = None  # speed and cost only
    usd_per_million_tokens: float | None = None
    # file whose texts the model was trained on, for overlap checks
    training_data: str | None = None
    training_columns: tuple[str, ...] = ()  # its columns that hold text; () = every text of a row

    # overridden by a field where the key's variable is configurable
    api_key_env: ClassVar[str | None] = None

    @abstractmethod
    def digest(self, paths: Paths) -> str:
        """Hex digest of what determines the answers: contents, never places. Loads no model.

        Raises DistillbenchError where the model's files are missing or unreadable.
        """

    @abstractmethod
    def offers(self) -> frozenset[Kind | Literal["tokens"]]:
        """Kinds of request that it can answer; "tokens" = per-token log-probabilities with alternatives."""

    def faults(self, paths: Paths) -> list[str]:
        """What is wrong with the configuration, each one line with its cure; checked before any model loads."""
        return []

    @classmethod
    def prepare(cls, backends: Sequence[Self], paths: Paths) -> None:
        """Makes what all these models need before the first is entered (the zoo trains what is missing)."""

    @abstractmethod
    def batches(self, requests: Sequence[Request], decoding: Decoding) -> list[list[int]]:
        """Indices into `requests`, cut into batches: the unit of work that a kill can lose. Called once per cell."""

    @abstractmethod
    def answer(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch; Outputs.request counts 0..len(requests)-1 and keeps their order.

        `prompt_ids` (aligned with requests) and Decoding.seed and .sample seed every sampled request on its own.
        """

    def facts(self) -> dict[str, str | int | float]:
        """Provenance known once entered: parameters, size_bytes, device, dtype, threads, versions."""
        return {}

    def __exit__(self, *exc: object) -> None:
        return None


@dataclass(frozen=True)
class Circumstance:
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
    def digest(self, circumstance: Circumstance) -> str:
        """Hex digest of what determines the requests and the grading; cheap, imports no heavy library."""

    def faults(self, circumstance: Circumstance) -> list[str]:
        """What is wrong with the configuration, each one line with its cure; cheap."""
        return []

    @abstractmethod
    def requests(self, circumstance: Circumstance) -> RequestSet:
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

    def grade(
        self, requests: RequestSet, outputs: Outputs, circumstance: Circumstance
    ) -> Grades | None:
        """Grades of one model's outputs; None where the task has no right answers."""
        return None


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

    @abstractmethod
    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """What the measure finds for one student: `sides` has one entry, or one per task where `across_tasks`.

        May raise Unavailable(reason) where there is nothing to say.
        """


@dataclass(frozen=True)
class AbstractFigure(ABC):
    """A picture on the page."""

    kind: str
    name: str

    title: ClassVar[str]
    reading: ClassVar[str]  # one line: how to read this
    order: ClassVar[int]  # place on the page
    per: ClassVar[Literal["run", "student", "metric"]] = "run"
    # per: "student" = drawn once per student, from a record that holds its pair and variant alone;
    # "metric" = drawn for any measure that no other figure shows

    @abstractmethod
    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """A plotly figure as JSON-ready dict ("data", "layout"), or None where there is nothing to draw.

        "table" ({"columns": [...], "rows": [[...]]}) holds the same numbers in words; "reading" and "notes" (a list)
        may replace or add to the class's reading.
        """


_BASES: dict[str, type] = {
    "backends": AbstractBackend,
    "adapters": AbstractTask,
    "metrics": AbstractMetric,
    "figures": AbstractFigure,
}
_WORD = {"backends": "model", "adapters": "task", "metrics": "metric", "figures": "figure"}


def kinds(package: str) -> list[str]:
    """Names of the plug-ins in harness/<package>."""
    module = importlib.import_module(f"harness.{package}")
    return sorted(
        m.name for m in pkgutil.iter_modules(module.__path__) if not m.name.startswith("_")
    )


@cache
def plugin_class(package: str, kind: str) -> type[Any]:
    """The one class that harness/<package>/<kind>.py defines."""
    if kind not in kinds(package):
        raise DistillbenchError(f"kind: {unknown(kind, kinds(package))}")
    module = importlib.import_module(f"harness.{package}.{kind}")
    base = _BASES[package]
    found = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, base) and c.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(
            f"harness/{package}/{kind}.py: expected one {base.__name__}, found {len(found)}"
        )
    return found[0]


def build(package: str, name: str, fields: Mapping[str, Any]) -> Any:
    """The plug-in that a YAML describes; every unknown key, wrong type or missing value is one clear error."""
    where = f"{_WORD[package]} {name}"
    kind = fields.get("kind")
    if not isinstance(kind, str):
        raise DistillbenchError(
            f"{where}: expected a key `kind`, one of {', '.join(kinds(package))}; got {kind!r}"
        )
    try:
        cls = plugin_class(package, kind)
    except DistillbenchError as error:
        raise DistillbenchError(f"{where}: {error}") from None
    return build_dataclass(cls, {**fields, "name": name}, where)


def build_dataclass(cls: type[Any], fields: Mapping[str, Any], where: str) -> Any:
    """An instance of a flat frozen dataclass from plain values, checked key by key against its annotations."""
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls) if f.init}
    faults = [f"{where}: key {unknown(key, list(known))}" for key in fields if key not in known]
    values: dict[str, Any] = {}
    for key, spec in known.items():
        if key in fields:
            try:
                values[key] = _coerce(fields[key], hints[key])
            except TypeError as error:
                faults.append(f"{where}: key {key}: expected {error}, got {fields[key]!r}")
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            faults.append(f"{where}: key {key} is missing; expected {_spell(hints[key])}")
    if faults:
        raise DistillbenchError("\n".join(faults))
    try:
        return cls(**values)
    except DistillbenchError as error:
        raise DistillbenchError(f"{where}: {error}") from None


def unknown(got: str, known: Sequence[str]) -> str:
    """The words of an error about an unknown name, with the nearest known one."""
    near = difflib.get_close_matches(got, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{got!r} is unknown{hint} (known: {', '.join(sorted(known)) or 'none'})"


def _coerce(value: Any, hint: Any) -> Any:
    """`value` as the annotated type; raises TypeError with the expected type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        for option in args:
            try:
                return _coerce(value, option)
            except TypeError:
                continue
        raise TypeError(_spell(hint))
    if hint is type(None):
        if value is None:
            return None
    elif origin is Literal:
        if value in args:
            return value
    elif origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_coerce(v, args[0]) for v in value)
    elif origin in (dict, Mapping) or origin is getattr(typing, "Mapping", None):
        if isinstance(value, Mapping):
            return {_coerce(k, args[0]): _coerce(v, args[1]) for k, v in value.items()}
    elif hint is Any:
        return value
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif (
        isinstance(hint, type)
        and isinstance(value, hint)
        and not (hint is int and isinstance(value, bool))
    ):
        return value
    raise TypeError(_spell(hint))


def _spell(hint: Any) -> str:
    """A type in the words of a YAML author."""
    words = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        type(None): "null",
    }
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_spell(a) for a in args)
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin is tuple:
        return f"a list of {_spell(args[0])}"
    if origin is not None:
        return "a mapping"
    return words.get(hint, getattr(hint, "__name__", str(hint)))
