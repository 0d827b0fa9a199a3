"""Models: whatever answers requests. One file, one final subclass of AbstractModel, found by the file's name.

`kind: hf` in a model's YAML is the class in `harness/models/hf.py`; its fields are the keys of the YAML. To add a kind
of model write such a file and its test; `fake.py` is the shortest example.

A model is a specification and holds nothing; `open` gives its session, which does (`_session.py`: what it is asked and
what it answers). What runs on this machine subclasses BatchedSession and writes `batches` and `answer_batch`; a server
subclasses AbstractSession, with `journaled = True`.

The key of a model's answers is made from all fields of the model but those that bear a mark (see harness/keys.py).
There is no code in it: whoever changes what a kind of model answers raises its `version`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from harness.console.foreign import FAILURES
from harness.console.resources import Duration, Memory
from harness.keys import describes, digest, key_parts, speed
from harness.models._batches import BatchedSession
from harness.models._budget import Budget, Purse
from harness.models._kept import keeping
from harness.models._session import (
    AbstractSession,
    Answered,
    Ask,
    Facts,
    Failed,
    Preparation,
)
from harness.types import Kind, Paths

__all__ = [
    "FAILURES",
    "AbstractModel",
    "AbstractSession",
    "Answered",
    "Ask",
    "BatchedSession",
    "Budget",
    "Collecting",
    "Facts",
    "Failed",
    "Offer",
    "Preparation",
    "Purse",
    "keeping",
]

Collecting = Literal[
    "now", "batch"
]  # ask and wait, or hand in a file and come back for the answers
Offer = Kind | Literal["tokens"]  # tokens: log-probabilities of every token, with alternatives


@dataclass(frozen=True)
class AbstractModel(ABC):
    """The specification of a model: something that answers requests once it is opened.

    Fields common to all kinds come first; of these `system` alone changes an answer.
    """

    # raised by hand when the answers of this kind of model change; tests/models/test_golden.py says when
    version: ClassVar[int] = 1

    kind: str
    name: str = describes()  # the configuration's name of the model
    # ask in conversations (the model's chat template applies) rather than in plain text: it is in
    # what is asked
    chat: bool = describes(False)
    system: str | None = None  # system message of every conversation
    lineage: str | None = describes(None)  # for controls: models of one lineage count once
    # what it was trained by, apart from the seed: models of one recipe are its seeds
    recipe: str | None = describes(None)
    identity: tuple[str, ...] = describes(())  # names under which it may rightly speak of itself
    # terms of use as its maker states them: may its outputs be used for training? Shown, never judged
    terms: str | None = describes(None)
    # price of the machine it runs on, for the cost of its answers
    usd_per_hour: float | None = describes(None)
    # price of what it writes, for the same
    usd_per_million_tokens: float | None = describes(None)
    # name of the model of the matrix that this one is under another name: their answers are the same
    same_as: str | None = describes(None)
    # what it needs of a machine of a cluster; on this machine nobody looks at them
    gpus: int = speed(0)
    # of a machine of a cluster
    memory: Memory | None = speed(None)
    time: Duration | None = speed(None)  # for all its answers
    # file whose texts the model was trained on, for overlap checks
    training_data: str | None = describes(None)
    # its columns that hold text; () = every text of a row
    training_columns: tuple[str, ...] = describes(())

    # modules that answering takes long to import: worker processes share them
    imports: ClassVar[tuple[str, ...]] = ()
    # fields in which a pattern such as runs/checkpoint-* stands for several models, one job each
    series: ClassVar[tuple[str, ...]] = ()
    recorded: ClassVar[bool] = False  # whether its answers are there already, and nobody is asked
    # overridden by a field where the key's variable is configurable
    api_key_env: ClassVar[str | None] = None

    @final
    def key(self, paths: Paths) -> str:
        """Hex digest of what determines the answers: fields, contents and version. Loads no model.

        Raises DistillbenchError where the model's files are missing or unreadable.
        """
        return digest("model", type(self).version, key_parts(self, self.contents(paths)))

    def contents(self, paths: Paths) -> Mapping[str, Any]:
        """Field marked *place* -> digest of what lies there, wherever that is. Loads no model.

        Raises DistillbenchError where the model's files are missing or unreadable.
        """
        return {}

    @abstractmethod
    def offers(self) -> frozenset[Offer]:
        """Kinds of request that it can answer, and whether with log-probabilities of tokens."""

    def faults(self, paths: Paths) -> list[str]:
        """What is wrong with the configuration, each one line with its cure; checked before any model loads."""
        return []

    def budget_faults(self, budget: Budget) -> list[str]:
        """Why the run's budget, which has a limit, cannot be kept with this model; a line each."""
        return []

    def usd_at_most(self, read: float, written: float) -> float | None:
        """What so many tokens read, about, and written, at most, cost by its prices; None = it names none."""
        price = self.usd_per_million_tokens
        return None if price is None else price * written / 1e6

    def collected(self, how: Collecting) -> AbstractModel:
        """The model, asked in this way unless it names one itself; most are asked in one way only."""
        return self

    def weights(self, paths: Paths) -> str:
        """Digest of what it loads, where other models may load the same: adapters of one base. "" = nobody does."""
        return ""

    def stays(self) -> bool:
        """Whether it is asked from where the command runs, with a cluster too: a server, with its key and budget."""
        return False

    def has_template(self, paths: Paths) -> bool:
        """Whether it brings a chat template of its own, which `chat: false` leaves unused."""
        return False

    def at_hand(self, ask: Ask, paths: Paths) -> int | None:
        """Of a recorded model: to how many prompts of an ask it has an answer; None = that cannot be known yet."""
        return None

    def unready(self) -> list[str]:
        """What it needs before it can be asked anything and does not have, such as a key; a line each."""
        return []

    def preparations(self, paths: Paths) -> Sequence[Preparation]:
        """What has to be made before it can be opened and is not there yet (the zoo trains its models)."""
        return ()

    @abstractmethod
    def open(
        self, paths: Paths, previous: Facts | None = None
    ) -> AbstractContextManager[AbstractSession]:
        """The model in memory, or its server connected, until the session is left.

        `previous`: the facts beside the answers that an interrupted run left; a session refuses to go on with them
        (DistillbenchError) where they show that another model answered. None = nothing is there yet.
        """
