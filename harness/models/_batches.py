"""Batches: how requests are cut into them, and sessions that answer one after another.

Requests in a batch are of similar length, so that little padding is computed.
"""

from __future__ import annotations

import dataclasses
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import final

import numpy as np

from harness.console.foreign import FAILURES
from harness.console.workload import CHARACTERS_PER_TOKEN, spelled
from harness.models._session import AbstractSession, Answered, Ask, Failed
from harness.types import Decoding, Outputs, Request

_MOST_ROWS = 256


class BatchedSession(AbstractSession):
    """A session that answers batch by batch: for what runs on this machine."""

    @abstractmethod
    def answer_batch(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch; Outputs.request counts 0..len(requests)-1 and keeps their order.

        `prompt_ids` (aligned with requests) and Decoding.seed and .sample seed every sampled request on its own.
        """

    @final
    def answer(self, asks: Sequence[Ask]) -> Iterator[Answered | Failed]:
        """One ask after another, each batch as a whole."""
        for ask in asks:
            try:
                for batch in ask.missing:
                    yield self._timed(ask, batch)
            except FAILURES as error:
                yield Failed(ask.key, error)

    def _timed(self, ask: Ask, batch: Sequence[int]) -> Answered:
        started = time.perf_counter()
        requests, ids = [ask.requests[i] for i in batch], [ask.prompt_ids[i] for i in batch]
        outputs = self.answer_batch(requests, ids, ask.decoding)
        indices = np.asarray(batch, np.int64)[outputs.request]
        wall_s = time.perf_counter() - started
        return Answered(ask.key, dataclasses.replace(outputs, request=indices), wall_s)


def slices(n: int, rows: int) -> list[list[int]]:
    """0 to n - 1 in their order, `rows` at a time."""
    return [list(range(i, min(i + rows, n))) for i in range(0, n, rows)]


def budgeted_batches(
    requests: Sequence[Request], decoding: Decoding, rows: int | None, budget: int
) -> list[list[int]]:
    """Indices into `requests`, longest first; `rows` per batch, or as many as `budget` padded tokens hold."""
    lengths = [_length(request, decoding) for request in requests]
    order = sorted(
        range(len(requests)), key=lambda i: (-lengths[i], spelled(requests[i].context), i)
    )
    batches: list[list[int]] = []
    for index in order:
        fits = batches and len(batches[-1]) < (
            rows or min(_MOST_ROWS, budget // lengths[batches[-1][0]])
        )
        if fits:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def shared_batches(
    requests: Sequence[Request], indices: Sequence[int], rows: int | None, budget: int
) -> list[list[int]]:
    """`indices` of requests to score, cut so that those whose texts begin alike stand together.

    A batch has `rows` requests, or about `budget` tokens that none before them in it begins with; it ends where
    what follows has least in common with it.
    """
    texts = {i: spelled(requests[i].context) + requests[i].continuation for i in indices}
    order = sorted(indices, key=lambda i: (texts[i], i))
    common = [0, *(_n_common(texts[a], texts[b]) for a, b in pairwise(order))]
    batches: list[list[int]] = []
    start, size = 0, 0
    for stop, index in enumerate(order):
        new = len(texts[index]) - (common[stop] if stop > start else 0)
        size += new // CHARACTERS_PER_TOKEN + 1
        if stop > start and (stop - start >= (rows or _MOST_ROWS) or (size > budget and not rows)):
            half = (start + stop + 1) // 2
            cut = stop if rows else min(range(half, stop + 1), key=lambda i: (common[i], -i))
            batches.append(order[start:cut])
            start = cut
            own = zip(order[start : stop + 1], [0, *common[start + 1 : stop + 1]], strict=True)
            size = sum((len(texts[i]) - n) // CHARACTERS_PER_TOKEN + 1 for i, n in own)
    return [*batches, order[start:]] if order else []


def _n_common(first: str, second: str) -> int:
    """Number of characters with which both begin."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _length(request: Request, decoding: Decoding) -> int:
    """About how many tokens a request takes; continuations of one context count alike, so that they stay together."""
    characters = len(spelled(request.context))
    if request.kind == "generate":
        return (
            characters // CHARACTERS_PER_TOKEN
            + (request.max_new_tokens or decoding.max_new_tokens)
            + 1
        )
    if request.kind == "read" or not characters:
        characters += len(request.continuation)
    return characters // CHARACTERS_PER_TOKEN + 16
