"""How requests are cut into batches: what stands together is of like length, so that little padding is computed."""

from __future__ import annotations

from collections.abc import Sequence

from harness.console.workload import CHARACTERS_PER_TOKEN, spelled
from harness.types import Decoding, Request

_MOST_ROWS = 256


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
