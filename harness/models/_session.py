"""Sessions: requests to an opened model, and its answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from harness.console.forecast import Amounts
from harness.console.progress import News
from harness.models._budget import Purse
from harness.types import Decoding, Outputs, Request

Facts = Mapping[str, str | int | float]
# prompt_tokens, completion_tokens: what is billed; usd: what they cost; missing: why there is no answer
Told = Mapping[str, str | int | float]


class Preparation(Protocol):
    """Something that has to be made before a model can be opened. A value that can be pickled."""

    @property
    def key(self) -> str:
        """Its name among all preparations."""

    @property
    def title(self) -> str:
        """Its name in messages."""

    @property
    def needs(self) -> Sequence[Preparation]:
        """The preparations that it depends on."""

    @property
    def amounts(self) -> Amounts:
        """The expected work."""

    def is_there(self) -> bool:
        """Whether it is finished."""

    def make(self, tell: Callable[[News], None]) -> None:
        """Makes it, unless somebody has done so meanwhile."""


@dataclass(frozen=True)
class Ask:
    """What one collection asks of a model."""

    key: str  # of the collection: tells asks apart
    requests: tuple[Request, ...]  # all of the collection, in their order
    prompt_ids: tuple[str, ...]  # Prompt.id of each request; seeds what is sampled
    decoding: Decoding
    # batches (indices into `requests`) that have to be answered now; their slots are filled
    missing: tuple[tuple[int, ...], ...] = ()
    # Prompt.name of each request, for recorded answers that are joined by an id; () = none has one
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """Answers to some requests of one ask."""

    key: str  # of the ask
    outputs: Outputs  # Outputs.request: indices into Ask.requests
    wall_s: float  # seconds that these took; over a session they add up to the time it was busy
    # what a server said beside its answer, by the names in `Told`; journaled sessions only
    told: Told = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The rest of one ask cannot be answered; other asks may continue."""

    key: str  # of the ask
    error: Exception


class AbstractSession(ABC):
    """An opened model: holds its memory or its connections."""

    # Whether every answer is stored by itself, in an append-only journal, as it comes (servers),
    # rather than batch by batch (models on this machine).
    journaled: ClassVar[bool] = False
    # Whether `answer` gets all collections of the model at once rather than one after another.
    together: ClassVar[bool] = False

    def spend_from(self, purse: Purse) -> None:  # noqa: B027 - most models cost nothing
        """Sets what the run may still spend; called before anything is asked."""

    @abstractmethod
    def batches(self, ask: Ask) -> list[list[int]]:
        """Indices into `ask.requests`, cut into batches. Called once per collection: the cut is stored first."""

    @abstractmethod
    def answer(self, asks: Sequence[Ask]) -> Iterator[Answered | Failed]:
        """Answers to the missing requests of all asks, in any order.

        Requests that have neither an answer nor a failure when this ends are pending: a later run asks them again.
        """

    def notes(self, ask: Ask) -> Sequence[str]:
        """What a reader of the answers to an ask should know, a line each; stored with them."""
        return ()

    def spent(self) -> Mapping[str, float]:
        """Where its time went since it was opened, as far as it knows: seconds by name, and what it counted."""
        return {}

    def facts(self) -> Facts:
        """Provenance: parameters, size_bytes, device, versions, what a server says of itself.

        Stored beside the first answers; a model that is opened to go on with them gets them as `previous`.
        """
        return {}
