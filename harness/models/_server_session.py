"""A server that is asked over HTTP, several requests at once: each answer is handed on, and stored, as it arrives."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, NamedTuple, Protocol, final

import numpy as np

from harness.console.foreign import FAILURES, notify
from harness.models._batches import slices
from harness.models._budget import Purse
from harness.models._rows import Row, outputs_of
from harness.models._server_faults import Fault
from harness.models._server_tries import Clock, Tries
from harness.models._server_wire import Reply, Wire
from harness.models._session import AbstractSession, Answered, Ask, Facts, Failed, Told
from harness.types import DistillbenchError, Request

NAME, FINGERPRINT = "answers_as", "system_fingerprint"  # facts: what a server says of itself
_TRIED_IN_A_ROW = (
    3  # requests that were given up after all their tries, with no answer between them
)
_MISSING_IN_A_ROW = 20  # requests without an answer for whatever reason
_GOES_ON = "what was answered is kept, and the same command goes on from there"


class Asker(Protocol):
    """What a session needs of a connection."""

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that answers; raises Fault."""


class ServerRow(NamedTuple):
    """One request of an ask."""

    ask: Ask
    at: int  # index into Ask.requests

    @property
    def request(self) -> Request:
        """The request that it asks."""
        return self.ask.requests[self.at]

    def answered(self, row: Row, told: Told, wall_s: float) -> Answered:
        """The row as the answer to this request."""
        outputs = dataclasses.replace(outputs_of([row]), request=np.array([self.at]))
        return Answered(self.ask.key, outputs, wall_s, told)

    def missing(self, why: str, told: Told, wall_s: float) -> Answered:
        """That there is no answer to this request, and why."""
        empty = Row(self.request.kind, answered=False)
        return self.answered(empty, {**told, "missing": why}, wall_s)


class Got(NamedTuple):
    """An answer to one request."""

    row: ServerRow
    reply: Reply
    order: int  # counts what happens in a session: when the request was sent


class Lost(NamedTuple):
    """One request that was given up."""

    row: ServerRow
    fault: Fault
    order: int  # in the same count: when it was given up

    @property
    def missing(self) -> Answered:
        """That there is no answer, for good."""
        return self.row.missing(str(self.fault), {}, 0.0)


def rows_of(asks: Sequence[Ask]) -> list[ServerRow]:
    """The missing requests of all asks, in their order."""
    return [ServerRow(ask, i) for ask in asks for batch in ask.missing for i in batch]


@dataclasses.dataclass(frozen=True)
class Manner:
    """How fast a server is asked, and how often."""

    lanes: int  # requests under way at once
    most_tries: int  # of one request
    clock: Clock = dataclasses.field(default_factory=Clock)


@final
class Identity:
    """What a server says of itself, in this session and before it."""

    def __init__(self, name: str, previous: Facts | None) -> None:
        self._name = name
        self._model = self._before = str((previous or {}).get(NAME, ""))
        was = str((previous or {}).get(FINGERPRINT, ""))
        self._fingerprints = dict.fromkeys(filter(None, was.split(", ")))

    def facts(self) -> Facts:
        """The name of what answers, and the fingerprints of what serves it."""
        prints = ", ".join(self._fingerprints)
        facts = {NAME: self._model, FINGERPRINT: prints}
        return {key: value for key, value in facts.items() if value}

    def check(self, reply: Reply) -> None:
        """Raises DistillbenchError where another model answers than before; says a new fingerprint once."""
        if reply.model and self._model and reply.model != self._model:
            before = "the answers that are there came from" if self._before else "it called itself"
            raise DistillbenchError(
                f"model {self._name}: {before} {self._model!r}, the server now calls itself {reply.model!r}; "
                "ask that model again, or give the new one another `snapshot`"
            )
        self._model = self._model or reply.model
        if reply.fingerprint and reply.fingerprint not in self._fingerprints:
            if self._fingerprints:
                notify(
                    f"{self._name}: the server's fingerprint was {next(iter(self._fingerprints))} and is "
                    f"{reply.fingerprint} now: its software or settings changed in the middle of these answers"
                )
            self._fingerprints[reply.fingerprint] = None


@final
class ServerSession(AbstractSession):
    """A server that answers one request at a time, or several side by side."""

    journaled = True
    together = True

    def __init__(
        self,
        wire: Wire,
        connection: Asker,
        host: str,
        manner: Manner,
        identity: Identity,
        facts: Facts,
    ) -> None:
        self._wire, self._connection, self._host, self._manner = wire, connection, host, manner
        self._identity, self._facts, self._purse = identity, facts, Purse()
        self._resumed, self._order = bool(identity.facts()), itertools.count()

    def spend_from(self, purse: Purse) -> None:
        """Sets what the run may still spend."""
        self._purse = purse

    def batches(self, ask: Ask) -> list[list[int]]:
        """In order, as many as are asked side by side."""
        return slices(len(ask.requests), self._manner.lanes)

    def facts(self) -> Facts:
        """Address and name of the model, and what the server says of itself."""
        return {**self._facts, **self._identity.facts()}

    def answer(self, asks: Sequence[Ask]) -> Iterator[Answered | Failed]:
        """Every answer as it arrives; where the server seems to be gone for good, the rest fails."""
        name = self._wire.name
        tries = Tries(name, self._host, self._manner.most_tries, self._purse, self._manner.clock)
        try:
            has_answered = any(sum(map(len, a.missing)) < len(a.requests) for a in asks)
            yield from self._answers(rows_of(asks), tries, has_answered)
        except Fault as fault:
            words = f"model {name}: {self._host} {fault}; {_GOES_ON}"
            yield from (Failed(key, DistillbenchError(words)) for key in _keys(asks))
        except DistillbenchError as error:
            yield from (Failed(key, error) for key in _keys(asks))
        finally:
            tries.over.set()

    def _answers(
        self, rows: Sequence[ServerRow], tries: Tries, has_answered: bool
    ) -> Iterator[Answered]:
        """The answers; raises Fault where no more are to be expected.

        A request without an answer is stored as missing once one that was sent after it is answered: then the server
        works, and it is the request's fault.
        """
        doubtful: list[Lost] = []
        since_s, end = time.perf_counter(), None
        for came in self._side_by_side(rows, tries):
            wall_s, since_s = time.perf_counter() - since_s, time.perf_counter()
            if isinstance(came, Got):
                self._identity.check(came.reply)
                yield came.row.answered(came.reply.row, came.reply.told, wall_s)
                has_answered = True
                if end is None:
                    yield from (lost.missing for lost in doubtful if lost.order < came.order)
                    doubtful = [lost for lost in doubtful if lost.order > came.order]
            elif end is None:
                doubtful.append(came)
                if (end := _end_of(doubtful)) is not None:
                    tries.over.set()
        if end is None and doubtful and not has_answered:
            end = doubtful[-1].fault.ended(", whatever it is asked")
        if end is not None:
            raise _explained(end, doubtful[-1].row.request)
        yield from (lost.missing for lost in doubtful)

    def _side_by_side(self, rows: Sequence[ServerRow], tries: Tries) -> Iterator[Got | Lost]:
        """What came for each row; after an interruption the first alone, which shows whether it is the same model."""
        first = int(self._resumed)
        for part in (rows[:first], rows[first:]):
            yield from side_by_side(
                part, lambda row: self._ask(row, tries), self._manner.lanes, tries.over
            )

    def _ask(self, row: ServerRow, tries: Tries) -> Got | Lost:
        ask = row.ask
        try:
            question = self._wire.question(row.request, ask.prompt_ids[row.at], ask.decoding)
            return tries.ask(lambda: self._once(row, question.path, question.body))
        except Fault as fault:
            return Lost(row, fault, next(self._order))

    def _once(self, row: ServerRow, path: str, body: dict[str, Any]) -> Got:
        order = next(self._order)
        content = self._connection.post(path, body)
        self._purse.pay(float(self._wire.told(content).get("usd", 0.0)))
        return Got(row, self._wire.reply(row.request, content), order)


def _end_of(doubtful: Sequence[Lost]) -> Fault | None:
    """Why nothing more is asked after these faults in a row; None where there is hope."""
    last, n = doubtful[-1].fault, len(doubtful)
    if last.effect == "stop" or last.is_gone:
        return last
    n_tried = sum(lost.fault.effect == "again" for lost in doubtful)
    if n_tried < _TRIED_IN_A_ROW and n < _MISSING_IN_A_ROW:
        return None
    return last.ended(f", {n} requests in a row")


def _explained(end: Fault, request: Request) -> Fault:
    """The fault, with a cure where a server may not give what was asked for."""
    if request.kind == "generate" or not (end.refused or end.paid):
        return end
    return end.ended("; set `scores: false` where the server gives no log-probabilities of prompts")


def _keys(asks: Sequence[Ask]) -> list[str]:
    return list(dict.fromkeys(ask.key for ask in asks))


def side_by_side(
    rows: Sequence[ServerRow], call: Callable[[ServerRow], Got | Lost], lanes: int, over: Event
) -> Iterator[Got | Lost]:
    """What `call` returns for each row, as it comes; at most `lanes` are under way.

    The next row is taken up when the caller comes back for more, that is, when it has stored what it got. Where `over`
    is set, none is taken up any more, and what is under way is still handed on.
    """
    todo: SimpleQueue[ServerRow | None] = SimpleQueue()
    done: SimpleQueue[Got | Lost | Exception] = SimpleQueue()

    def work() -> None:
        """Answers rows until there is None; what is raised is raised again where somebody waits for it."""
        while (row := todo.get()) is not None:
            came: Got | Lost | Exception = RuntimeError("a request ended with an error of ours")
            try:
                came = call(row)
            except FAILURES as error:
                came = error
            finally:
                done.put(came)

    left = iter(rows)
    lanes = at_work = min(lanes, len(rows))
    for i in range(lanes):
        todo.put(next(left))
        Thread(target=work, name=f"request {i}", daemon=True).start()
    try:
        while at_work:
            came = done.get()
            if isinstance(came, Exception):
                raise came
            yield came
            at_work -= 1
            if not over.is_set() and (following := next(left, None)) is not None:
                todo.put(following)
                at_work += 1
    finally:
        for _ in range(lanes):
            todo.put(None)
