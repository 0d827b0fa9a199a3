"""What models made of the texts that they read, joined by prompt and author: used by every measure over reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.panel.panel import Side
from harness.types import Floats, Prompt, Ratio, RatioStratum, TokenColumns, Unavailable

Place = tuple[str, str]  # Prompt.id, author ("" for a fixed text)


class Read(NamedTuple):
    """One text as one model read it."""

    prompt: Prompt
    row: int  # of the model's outputs
    logprob_nats: float
    text: str

    @property
    def n_bytes(self) -> int:
        """Length in UTF-8."""
        return len(self.text.encode())


def reads(side: Side) -> dict[Place, Read]:
    """Every text that a model read, sorted by prompt and author."""
    found: dict[Place, Read] = {}
    for row, index in enumerate(side.outputs.request):
        request = side.requests.requests[int(index)]
        if (
            request.kind in ("score", "read")
            and side.outputs.answered[row]
            and request.continuation
        ):
            prompt = side.requests.prompts[request.prompt]
            logprob = float(side.outputs.logprob_nats[row])
            found[prompt.id, request.leaf] = Read(prompt, row, logprob, request.continuation)
    return dict(sorted(found.items()))


def authors(side: Side) -> list[str]:
    """Whose answers are read, in the order of the task; empty for a fixed text."""
    return list(dict.fromkeys(r.leaf for r in side.requests.requests if r.leaf))


def own_texts(teacher: Side, student: Side) -> list[tuple[Read, Read]]:
    """The teacher's own answers, or the fixed texts, as (teacher, student) read them; only what both of them read.

    Raises Unavailable where models' answers are read, but none of this teacher's.
    """
    written = authors(teacher)
    if written and teacher.model not in written:
        raise Unavailable(
            f"{teacher.model} is not among those whose answers are read: {', '.join(written)}"
        )
    first, second = reads(teacher), reads(student)
    wanted = teacher.model if written else ""
    return [(first[p], second[p]) for p in first if p in second and p[1] == wanted]


def ratio(texts: Sequence[tuple[Prompt, float, float]], minimum: int) -> Ratio:
    """sum of numerators / sum of denominators, texts of one prompt together; texts: (prompt, numerator, denominator).

    Raises Unavailable below `minimum` prompts.
    """
    prompts = {p.id: p for p, _, _ in texts}
    require(len(prompts), minimum)
    ids = tuple(sorted(prompts))
    row = {i: n for n, i in enumerate(ids)}
    sums = np.zeros((2, len(ids)))
    for prompt, *pair in texts:
        sums[:, row[prompt.id]] += pair
    return Ratio((RatioStratum(sums[0], sums[1], ids, tuple(prompts[i].cluster for i in ids)),))


def require(n: int, minimum: int) -> None:
    """Nothing; raises Unavailable where too few prompts are left."""
    if n < max(minimum, 1):
        raise Unavailable(
            f"{n} shared prompts with a text to read; at least {max(minimum, 1)} are needed"
        )


def token_columns(side: Side) -> TokenColumns:
    """The model's tokens; raises Unavailable where it gives none, or gives log-probabilities that are no numbers."""
    tokens = side.outputs.tokens
    if tokens is None:
        raise Unavailable(f"{side.model} gives no log-probabilities of single tokens")
    if np.isnan(tokens.logprobs).any() or np.isnan(tokens.top_logprobs).any():
        raise Unavailable(f"{side.model} gave log-probabilities that are no numbers (NaN)")
    return tokens


def pearson(means: Floats) -> Floats:
    """Correlation from means (..., 6) of 1, x, y, xx, yy, xy; NaN where x or y does not vary."""
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(means, np.float64), -1, 0)
    covariance = n * xy - x * y
    spread = (n * xx - x * x) * (n * yy - y * y)
    room = np.sqrt(np.maximum(spread, 0.0))
    return np.asarray(
        np.divide(covariance, room, out=np.full(np.shape(covariance), np.nan), where=room > 0)
    )
