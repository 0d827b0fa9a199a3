"""Conversations whose earlier replies are the model's own: which requests can be asked when, with what filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from harness.console.workload import CHARACTERS_PER_TOKEN
from harness.models._session import AbstractSession, Ask
from harness.types import Message, Outputs, ReplyTo, Request

Replies = Mapping[int, str | None]  # request -> its reply; None = there is an answer without a text


def batches(session: AbstractSession, ask: Ask) -> list[list[int]]:
    """The session's batches of all requests, round by round: a round waits for the replies of those before.

    Lengths of replies that are not known yet count as the longest that they may have.
    """
    longest = {
        i: "x" * (r.max_new_tokens or ask.decoding.max_new_tokens) * CHARACTERS_PER_TOKEN
        for i, r in enumerate(ask.requests)
    }
    cut: list[list[int]] = []
    for indices in _rounds(ask.requests):
        part = dataclasses.replace(
            ask,
            requests=tuple(filled(ask.requests[i], longest) for i in indices),
            prompt_ids=tuple(ask.prompt_ids[i] for i in indices),
        )
        cut += [[indices[i] for i in batch] for batch in session.batches(part)]
    return cut


def filled(request: Request, replies: Mapping[int, str]) -> Request:
    """The request with its slots filled."""
    if isinstance(request.context, str) or not request.replies:
        return request
    turns = (
        Message(m.role, replies[m.content.request]) if isinstance(m.content, ReplyTo) else m
        for m in request.context
    )
    return dataclasses.replace(request, context=tuple(turns))


def askable(request: Request, replies: Replies) -> bool:
    """Whether every reply that stands in the conversation is known."""
    return all(replies.get(i) is not None for i in request.replies)


def never_asked(requests: Sequence[Request], replies: Replies) -> list[int]:
    """Requests that cannot be asked, because a reply in their conversation was answered without a text."""
    dead: set[int] = {i for i, text in replies.items() if text is None}
    never: list[int] = []
    for index, request in enumerate(requests):
        if index not in replies and dead.intersection(request.replies):
            never.append(index)
            dead.add(index)
    return never


def unanswered(requests: Sequence[Request], indices: Sequence[int]) -> Outputs:
    """Empty rows for requests without an answer."""
    n = len(indices)
    return Outputs(
        request=np.asarray(indices, np.int64),
        kind=tuple(requests[i].kind for i in indices),
        n_tokens=np.zeros(n, np.int64),
        text=(None,) * n,
        stop=(None,) * n,
        logprob_nats=np.full(n, np.nan),
        greedy=(None,) * n,
        choice=(None,) * n,
        answered=(False,) * n,
    )


def _rounds(requests: Sequence[Request]) -> list[list[int]]:
    """Indices by how many replies have to be waited for, one after another."""
    level: list[int] = []
    for request in requests:
        level.append(1 + max((level[i] for i in request.replies), default=-1))
    return [[i for i, at in enumerate(level) if at == n] for n in range(max(level, default=-1) + 1)]
