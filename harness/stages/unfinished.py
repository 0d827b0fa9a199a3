"""One collection in progress: which answers exist, what can be asked now, and where answers are stored."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.console.workload import CHARACTERS_PER_TOKEN
from harness.models import AbstractSession, Answered, Ask
from harness.models._rows import Row, outputs_of
from harness.plan.collections import Collection
from harness.store.journal import Journal
from harness.store.tables import outputs_from_table, outputs_to_table
from harness.store.work import Pieces, Stored, Work
from harness.text import turns
from harness.types import Outputs, Request, RequestSet


@dataclasses.dataclass(frozen=True)
class Unanswered(Collection):
    """A collection with its requests."""

    requests: RequestSet


class Unfinished:
    """The answers of one cell, read and written through its `Work`."""

    def __init__(self, planned: Unanswered, work: Work, session: AbstractSession) -> None:
        self.planned, self.work = planned, work
        self.requests = planned.requests.requests
        self.replies: dict[int, str | None] = {}  # of every request that is answered
        prompts = planned.requests.prompts
        ids = tuple(prompts[r.prompt].id for r in self.requests)
        names = tuple(prompts[r.prompt].name for r in self.requests)
        self._whole = Ask(planned.key, self.requests, ids, planned.decoding, names=names)
        self._batches = work.batches(lambda: _batches(session, self._whole))
        self._kept = Journal(work.journal()) if session.journaled else Pieces(work)
        for table in self._kept.read().tables:
            self._note(outputs_from_table(table))
        self._has_turns = any(r.replies for r in self.requests)
        self._offered = set(self.replies)
        self._at_work: deque[tuple[int, ...]] = deque()  # batches that were offered

    def ask(self) -> Ask | None:
        """Requests that can be asked now and were not offered before; None if there are none."""
        ready = {
            i
            for i, r in enumerate(self.requests)
            if i not in self._offered and turns.askable(r, self.replies)
        }
        cut = (tuple(i for i in batch if i in ready) for batch in self._batches)
        missing = tuple(batch for batch in cut if batch)
        if not missing:
            return None
        self._offered |= ready
        self._at_work.extend(missing)
        requests = tuple(
            turns.filled(r, self.replies, self.planned.requests.think) if i in ready else r
            for i, r in enumerate(self.requests)
        )
        return dataclasses.replace(self._whole, requests=requests, missing=missing)

    def answered(self) -> Ask:
        """All that was asked, conversations with the replies in them as far as these came."""
        requests = tuple(
            turns.filled(r, self.replies, self.planned.requests.think)
            if turns.askable(r, self.replies)
            else r
            for r in self.requests
        )
        return dataclasses.replace(self._whole, requests=requests)

    def add(self, answered: Answered, session: AbstractSession) -> None:
        """Stores answers, and with the first of them the model's facts."""
        self.work.note_facts(session.facts)
        table = outputs_to_table(answered.outputs)
        if isinstance(self._kept, Journal):
            self._kept.add(table, answered.wall_s, answered.told)
        else:
            self._kept.add(table, answered.wall_s)
        self._note(answered.outputs)

    def stored(self) -> Stored | None:
        """All answers, with empty rows for what cannot be asked; None while some are missing."""
        missing = len(self.requests) - len(self.replies)
        if missing and not self._has_turns:
            return None
        never = turns.never_asked(self.requests, self.replies)
        if len(never) < missing:
            return None
        stored = self._kept.read()
        if not never:
            return stored
        empty = outputs_to_table(_unanswered(self.requests, never))
        return stored._replace(tables=(*stored.tables, empty))

    def at_work(self) -> Sequence[int]:
        """Unanswered requests of the batch that the model is probably working on."""
        while self._at_work:
            if left := [i for i in self._at_work[0] if i not in self.replies]:
                return left
            self._at_work.popleft()
        return ()

    def _note(self, outputs: Outputs) -> None:
        self.replies.update(zip(outputs.request.tolist(), outputs.text, strict=True))


def _batches(session: AbstractSession, ask: Ask) -> list[list[int]]:
    """The session's batches of all requests, round by round.

    An unknown reply counts at its maximum length.
    """
    tokens = {
        i: ask.requests[i].max_new_tokens or ask.decoding.max_new_tokens
        for request in ask.requests
        for i in request.replies
    }
    longest = {i: "x" * n * CHARACTERS_PER_TOKEN for i, n in tokens.items()}
    cut: list[list[int]] = []
    for indices in turns.rounds(ask.requests):
        part = dataclasses.replace(
            ask,
            requests=tuple(turns.filled(ask.requests[i], longest) for i in indices),
            prompt_ids=tuple(ask.prompt_ids[i] for i in indices),
            names=tuple(ask.names[i] for i in indices),
        )
        cut += [[indices[i] for i in batch] for batch in session.batches(part)]
    return cut


def billed(told: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    """Tokens and dollars that servers billed for answers, as far as they say so."""
    names = ("prompt_tokens", "completion_tokens", "usd")
    return {n: sum(t[n] for t in told if n in t) for n in names if any(n in t for t in told)}


def unanswered_notes(told: Sequence[Mapping[str, Any]], host: str) -> list[str]:
    """Why servers gave no answer to some requests, one line for each reason."""
    reasons = Counter(str(t["missing"]) for t in told if "missing" in t)
    return [
        f"no answer to {n} request{'s' * (n > 1)}: {host} {reason}"
        for reason, n in reasons.most_common()
    ]


def _unanswered(requests: Sequence[Request], indices: Sequence[int]) -> Outputs:
    """Empty rows for requests without an answer."""
    outputs = outputs_of([Row(requests[i].kind, answered=False) for i in indices])
    return dataclasses.replace(outputs, request=np.asarray(indices, np.int64))
