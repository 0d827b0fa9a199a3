"""Executors: whatever carries out jobs. One file, one final subclass of AbstractExecutor, found by the file's name.

Everything expensive is a *job*: it has the keys of what it makes, the keys that it needs, what loads once for it (its
group), and how much work it is. A job yields products; the executor, in whatever process a job runs, writes them (a
collection writes its pieces itself, as they come). Between processes of one machine jobs are pickled; anywhere else a
job is rebuilt from the configuration and its keys (`stages.rebuilding`), in the program `cli.worker`; a job whose
`bundle` is 0 cannot be, and stays where the command runs.

To write an executor: call `_boundary.carry_out` with each job that `may_start`, in any process, never two jobs of one
group at a time, until no job is left that could start. Return what it returns, pass every News to `shown`, and tell it
`over` when nothing of a part is left. `local.py` is an example; `_cluster.py` is what `slurm.py` and `ray.py` share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from harness.console.forecast import Amounts
from harness.console.progress import News, Stage
from harness.console.resources import NOTHING_SPECIAL, Resources
from harness.store.store import Store

Tell = Callable[[News], None]


@dataclass(frozen=True)
class Desk:
    """What a job works with: the store, for reading; the plan that it belongs to; and whom it tells how far it is."""

    store: Store
    plan: Any  # plan.collections.Plan
    tell: Tell
    # what jobs of one process share: loaded answers, say
    shared: dict[str, Any] = field(default_factory=dict)


class Product(Protocol):
    """Something that a job made."""

    def keep(self, store: Store) -> None:
        """Writes it."""


@dataclass(frozen=True)
class Entry:
    """A table with a folder of its own in the store."""

    key: str
    table: pa.Table
    spec: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def keep(self, store: Store) -> None:
        """Publishes it, unless somebody was faster."""
        store.put(self.key, self.table, self.spec, self.provenance)
        store.forget_failure(self.key)


@dataclass(frozen=True)
class Rows:
    """Small tables that were made together, by their keys."""

    tables: Mapping[str, pa.Table]

    def keep(self, store: Store) -> None:
        """Publishes them as one pack."""
        store.packs.put(self.tables)
        for key in self.tables:
            store.forget_failure(key)


@dataclass(frozen=True)
class Reason:
    """Why a key cannot be made: nobody's fault, and said in its place."""

    key: str
    text: str

    def keep(self, store: Store) -> None:
        """Remembers it."""
        store.note_failure(self.key, self.text)


@dataclass(frozen=True)
class Job(ABC):
    """A piece of work."""

    keys: tuple[
        str, ...
    ]  # of what it makes; entries of the store, rows of a pack, or things of a model's own
    title: str  # "student x zoo_facts"
    part: str  # the row of the display that it belongs to
    amounts: Amounts  # expected work
    needs: tuple[str, ...] = ()  # keys that must be there before it starts
    group: str = ""  # jobs of one group load the same weights: never two at a time
    # jobs that share this do well to follow one another in one process; "" = they share nothing
    shares: str = ""
    apart: bool = False  # worth a process of its own
    imports: tuple[str, ...] = ()  # modules that it takes long to import
    resources: Resources = NOTHING_SPECIAL  # of the machine that it runs on
    # how many such jobs go to another machine together; 0 = it stays where the command runs
    bundle: int = 0

    doing: ClassVar[str]  # what such jobs do: "collecting"
    # whether code of a model's or a library's maker runs in it, so that any exception may be theirs
    foreign: ClassVar[bool] = False
    # whether it tells piece by piece how far it is; else it counts as one piece
    reports: ClassVar[bool] = False

    @abstractmethod
    def make(self, desk: Desk) -> Iterator[Product]:
        """What the job makes, as it comes."""

    def may_start(self, store: Store) -> bool:
        """Whether everything that it needs is there."""
        return all(store.has(key) for key in self.needs)

    def is_done(self, key: str, store: Store) -> bool:
        """Whether one of its keys is there."""
        return store.has(key)


@dataclass(frozen=True)
class Ended:
    """How a job ended."""

    job: Job
    error: str = ""  # one line; "" = it is made, or its keys have reasons of their own
    wrong_input: bool = False  # the user's input is to blame
    our_fault: bool = False
    # something stored that it needs is damaged and set aside: it can be made after that
    damaged: bool = False


class AbstractExecutor(ABC):
    """Carries out jobs. Its fields are the keys of `executor` in a configuration, besides `kind`."""

    def suited(self, processes: int) -> AbstractExecutor:
        """The executor for work that would use so many processes of this machine; a cluster counts for itself."""
        del processes
        return self

    @property
    @abstractmethod
    def at_once(self) -> int:
        """How many jobs run at a time, for the time left."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], desk: Desk, shown: Stage) -> list[Ended]:
        """How each job ended that could start, in any order; jobs whose needs never came are absent."""
