"""Log-probabilities of a given text, as servers of text completions return them for a prompt (`echo`, `logprobs`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.models._rows import Row
from harness.models._server_faults import Fault
from harness.types import Request

_CURE = "expected the prompt's tokens with log-probabilities, as vLLM gives them for `echo` and `logprobs`"
_MOST_BEFORE = 2  # tokens that stand for no text before a prompt


@dataclass(frozen=True)
class _Tokens:
    """The tokens of a prompt and of what follows it; the first has no log-probability."""

    texts: Sequence[str]
    logprobs: Sequence[float | None]
    best: Sequence[Mapping[str, float] | None]  # alternatives at each place


def read_scores(request: Request, context: str, logprobs: Any) -> Row:
    """The row of a request to score or to read.

    As for checkpoints, white space at the end of the context and a token that spans the boundary count to the
    continuation. Raises Fault where the tokens are missing, do not spell the prompt, or the first one is asked for and
    nothing stands before it.
    """
    tokens = _tokens(logprobs)
    before = _n_before(tokens.texts, context + request.continuation)
    begins, ends = len(context.rstrip()), len(context + request.continuation)
    if not context.strip():
        begins = 0
    chosen, at = [], 0
    for i in range(before, len(tokens.texts)):
        last = at + len(tokens.texts[i])
        if at < ends and last > begins:
            chosen.append(i)
        at = last
    nats = [tokens.logprobs[i] for i in chosen]
    if not nats or nats[0] is None:
        raise Fault(
            "gives no log-probability for the first token of a text, before which it puts none",
            "missing",
            paid=True,
        )
    if any(x is None or math.isnan(x) or x > 0 for x in nats):
        raise Fault(f"answers log-probabilities that are none; {_CURE}", "again", paid=True)
    greedy = all(_is_best(tokens, i) for i in chosen) if request.kind == "score" else None
    total = math.fsum(x for x in nats if x is not None)
    return Row(request.kind, logprob_nats=total, greedy=greedy, n_tokens=len(chosen))


def _tokens(logprobs: Any) -> _Tokens:
    fields = logprobs if isinstance(logprobs, Mapping) else {}
    texts, nats, best = (fields.get(n) for n in ("tokens", "token_logprobs", "top_logprobs"))
    if not (isinstance(texts, list) and isinstance(nats, list) and isinstance(best, list)):
        raise Fault(f"answers without log-probabilities; {_CURE}", "missing", paid=True)
    kinds = (
        all(isinstance(t, str) for t in texts),
        all(x is None or isinstance(x, (int, float)) for x in nats),
        all(b is None or isinstance(b, Mapping) for b in best),
    )
    if not (len(texts) == len(nats) == len(best) and all(kinds)):
        raise Fault(f"answers unreadable log-probabilities; {_CURE}", "again", paid=True)
    return _Tokens(texts, nats, best)


def _n_before(texts: Sequence[str], prompt: str) -> int:
    """How many tokens stand before the prompt's own."""
    for n in range(min(len(texts), _MOST_BEFORE + 1)):
        if "".join(texts[n:]).startswith(prompt):
            return n
    raise Fault("answers tokens that do not spell the prompt", "missing", paid=True)


def _is_best(tokens: _Tokens, place: int) -> bool:
    """Whether greedy decoding would have written this token."""
    own, others = tokens.logprobs[place], tokens.best[place]
    if own is None or not others:
        return False
    return own >= max(others.values()) - 1e-9
