"""How much work requests are, in expected tokens: known before a model is loaded, so only about right."""

from __future__ import annotations

from collections.abc import Iterable

from harness.console.forecast import Sort
from harness.types import Decoding, Message, Request

# an estimate on the low side; the right number would need the model's tokenizer
CHARACTERS_PER_TOKEN = 3
# a token that is written takes about as long as so many that are read: it cannot be computed before the
# last
_WRITING = 4
_EACH = 16  # what a request costs beside its tokens, in tokens


def spelled(context: str | tuple[Message, ...]) -> str:
    """A context as text; of a conversation about what a chat template makes of it, slots left empty."""
    if isinstance(context, str):
        return context
    return "\n".join(
        f"{m.role}: {m.content if isinstance(m.content, str) else ''}" for m in context
    )


def read_tokens(request: Request) -> float:
    """Tokens that a model reads for a request, with what a request costs beside them."""
    return (
        _EACH + (len(spelled(request.context)) + len(request.continuation)) / CHARACTERS_PER_TOKEN
    )


def written_tokens(most: int) -> float:
    """What at most so many written tokens count, in tokens that are read."""
    return float(_WRITING * most)


def expected_tokens(request: Request, decoding: Decoding) -> float:
    """Tokens that a model reads for a request, and those that it may write, which weigh more."""
    most = (request.max_new_tokens or decoding.max_new_tokens) if request.kind == "generate" else 0
    return read_tokens(request) + written_tokens(most)


def amounts(task: str, requests: Iterable[Request], decoding: Decoding) -> dict[Sort, float]:
    """Expected tokens of requests of one task, by their kind."""
    tokens: dict[Sort, float] = {}
    for request in requests:
        sort = Sort(request.kind, task)
        tokens[sort] = tokens.get(sort, 0.0) + expected_tokens(request, decoding)
    return tokens
