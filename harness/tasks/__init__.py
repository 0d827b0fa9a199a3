"""Tasks: whatever asks and, where there are right answers, grades. One file, one final subclass of AbstractTask.

`kind: prompts` in a task's YAML is the class in `harness/tasks/prompts.py`; its fields are the keys of the YAML.

Requests and grades are cheap to make again, so their keys have the task's code in them, beside all of its fields but
those that bear a mark (see harness/keys.py). An answer's key has only what was asked: see `asks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

from harness.keys import code_digest, describes, digest, key_parts, place
from harness.panel.side import Side
from harness.text.clean import VERSION as CLEANING
from harness.types import Decoding, Grades, Outputs, Paths, Request, RequestSet


@dataclass(frozen=True)
class Author:
    """A model whose answers a task gives others to read."""

    model: str
    keys: tuple[str, ...]  # store keys of its answers and of what it was asked
    side: Side | None = place(None)  # the answers themselves; None while a run is planned


@dataclass(frozen=True)
class Setting:
    """What a task may depend on in addition to its own fields."""

    paths: Paths = place()  # the task's contents stand for it
    chat: bool = False
    system: str | None = None
    limit: int | None = None  # first so many rows only
    seed: int = 0  # of few-shot examples and of tasks that draw their prompts
    # tasks that read answers: whose, in the order of the matrix
    authors: tuple[Author, ...] = ()

    @property
    def sides(self) -> tuple[Side, ...]:
        """The answers of all authors; raises ValueError where they were not read."""
        if any(a.side is None for a in self.authors):
            raise ValueError("the answers of a task's authors are not loaded")
        return tuple(a.side for a in self.authors if a.side is not None)


@dataclass(frozen=True)
class AbstractTask(ABC):
    """Something that asks and, where there is a right answer, grades."""

    # of tasks that read answers: raised by hand when what they ask changes; tests/tasks/test_golden.py says when
    version: ClassVar[int] = 1

    kind: str
    name: str  # in the id of every prompt, and therefore in the key
    # name of a conf/decoding file for this task alone; None = the run's
    decoding: str | None = describes(None)
    # True / False overrides the model's own `chat`; the Setting has what came of it
    chat: bool | None = describes(None)
    # below so many answered prompts measures are skipped with that reason
    minimum: int = describes(20)
    # whether this is what students were distilled for (inside) or what they may have lost (outside)
    domain: Literal["inside", "outside"] | None = describes(None)
    # how often every model is asked, at a temperature above 0; None = the run's
    samples: int | None = describes(None)
    # first so many prompts only, and no more than the run's limit; the Setting has what came of it
    limit: int | None = describes(None)
    # pairs of opening and closing tag around what models think aloud, beside the usual ones
    think: tuple[tuple[str, str], ...] = ()

    @final
    def key(self, setting: Setting) -> str:
        """Hex digest of what determines the requests and the grading; cheap, imports no heavy library.

        Raises DistillbenchError where the task's files are missing or unreadable.
        """
        return digest(code_digest(type(self).__module__), self._parts(setting))

    @final
    def asks_key(self, setting: Setting) -> str:
        """Hex digest of what a task that reads answers will ask, known before the answers are: no code is in it.

        Raises DistillbenchError where the task's files are missing or unreadable.
        """
        return digest("asks", type(self).version, self._parts(setting))

    def _parts(self, setting: Setting) -> list[Any]:
        read = [[author.model, author.keys] for author in setting.authors]
        said = key_parts(replace(setting, authors=()), {"paths": ""})
        return [key_parts(self, self.contents(setting)), said, read]

    def contents(self, setting: Setting) -> Mapping[str, Any]:
        """Field marked *place* -> digest of what lies there, wherever that is; cheap.

        Raises DistillbenchError where the task's files are missing or unreadable.
        """
        return {}

    def faults(self, setting: Setting) -> list[str]:
        """What is wrong with the configuration, each one line with its cure; cheap."""
        return []

    def lacks(self, setting: Setting) -> list[str]:
        """Those of its faults that are data which are not there: a run may then do without the task."""
        return []

    def at_once(self, setting: Setting) -> bool:
        """Whether its requests are read from a small file on this machine: a plan then counts them unbuilt.

        Raises DistillbenchError where the file is missing.
        """
        return False

    @abstractmethod
    def requests(self, setting: Setting) -> RequestSet:
        """All requests of the task."""

    def reads(self) -> str | None:
        """The open-ended task whose collected answers this task gives others to read; None for most tasks."""
        return None

    def forms(self) -> Sequence[Request]:
        """Of tasks that read answers: one request of every form that they will ask, whatever the answers are."""
        return ()

    def declared_yields(self) -> tuple[str, ...]:
        """Of tasks that read answers: RequestSet.yields, whatever the answers are."""
        return ()

    def authors(self) -> tuple[str, ...] | None:
        """Whose answers are read; None = those of every teacher, base and control."""
        return None

    def readers(self) -> tuple[str, ...] | None:
        """The only models that are asked this task (a judge); None = all."""
        return None

    def drawn(self, decoding: Decoding) -> Decoding:
        """The run's decoding as this task needs it (reading tasks ask for alternatives of every token)."""
        return decoding

    def grade(self, requests: RequestSet, outputs: Outputs, setting: Setting) -> Grades | None:
        """Grades of one model's outputs; None where the task has no right answers."""
        return None


def asks(requests: RequestSet) -> str:
    """Hex digest of all that a model is asked: every request in its order, each with the id of its prompt.

    What only measures look at (right options, kinds of prompts, clusters) is not in it: it changes no answer. How a
    model's own replies are cleaned is, where a later request holds them.
    """
    ids = [p.id for p in requests.prompts]
    asked = [{**key_parts(r), "prompt": ids[r.prompt]} for r in requests.requests]
    if any(r.replies for r in requests.requests):
        return digest(asked, CLEANING, requests.think)
    return digest(asked)
