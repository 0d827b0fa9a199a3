"""Conversations whose earlier replies are the model's own: when each request can be asked, and how it is filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from harness.text.clean import clean
from harness.text.thoughts import Tags
from harness.types import Message, ReplyTo, Request

Replies = Mapping[int, str | None]  # request -> its reply; None = there is an answer without a text


def rounds(requests: Sequence[Request]) -> list[list[int]]:
    """Indices into `requests`, grouped by the number of replies that each has to wait for."""
    level: list[int] = []
    for request in requests:
        level.append(1 + max((level[i] for i in request.replies), default=-1))
    return [[i for i, at in enumerate(level) if at == n] for n in range(max(level, default=-1) + 1)]


def askable(request: Request, replies: Replies) -> bool:
    """Whether every reply that the conversation contains is known."""
    return all(replies.get(i) is not None for i in request.replies)


def filled(request: Request, replies: Replies, think: Tags = ()) -> Request:
    """The request with the replies in its slots; raises KeyError where one is not known.

    think: tags around thoughts, as in `clean`.
    """
    if isinstance(request.context, str) or not request.replies:
        return request
    turns = tuple(_filled(message, replies, think) for message in request.context)
    return dataclasses.replace(request, context=turns)


def _filled(message: Message, replies: Replies, think: Tags) -> Message:
    if not isinstance(message.content, ReplyTo):
        return message
    reply = replies[message.content.request]
    if reply is None:
        raise KeyError(message.content.request)
    return Message(message.role, clean(reply, think).text)  # without thoughts, as models are taught


def never_asked(requests: Sequence[Request], replies: Replies) -> list[int]:
    """Requests that cannot be asked, because an earlier reply of their conversation has no text."""
    dead: set[int] = {i for i, text in replies.items() if text is None}
    never: list[int] = []
    for index, request in enumerate(requests):
        if index not in replies and dead.intersection(request.replies):
            never.append(index)
            dead.add(index)
    return never
