"""What models made of the texts that they read, by prompt and author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.panel import reasons
from harness.panel.panel import Panel, View
from harness.panel.side import Side, once
from harness.types import Prompt, Ratio, RatioStratum, Request, TokenColumns, Unavailable

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


@once
def reads(side: Side) -> dict[Place, Read]:
    """Every text that a model read with a finite log-probability, sorted by prompt and author."""
    every: dict[Place, Read] = {}
    for row, index in enumerate(side.outputs.request):
        request = side.requests.requests[int(index)]
        if (
            request.kind in ("score", "read")
            and side.outputs.answered[row]
            and request.continuation
        ):
            prompt = side.requests.prompts[request.prompt]
            logprob = float(side.outputs.logprob_nats[row])
            if not np.isfinite(logprob):
                continue
            every[prompt.id, request.leaf] = Read(prompt, row, logprob, _scored(request))
    return dict(sorted(every.items()))


def _scored(request: Request) -> str:
    """The text that a log-probability is about: of plain text, the white space before a continuation too."""
    plain = request.context if isinstance(request.context, str) else ""
    return plain[len(plain.rstrip()) :] + request.continuation


def authors(side: Side) -> list[str]:
    """Whose answers are read, in the order of the task; empty for a fixed text."""
    return list(dict.fromkeys(r.leaf for r in side.requests.requests if r.leaf))


def read_authors(side: Side) -> list[str]:
    """Models whose answers are read; none where the task gives no answers of models to read."""
    return authors(side) if View.ANSWERS in side.requests.yields else []


def own_texts(panel: Panel) -> list[tuple[Read, Read]]:
    """The teacher's own answers, or the fixed texts, as (teacher, student) read them; only what both of them read.

    Raises Unavailable where models' answers are read, but none of this teacher's.
    """
    teacher = panel.teacher
    written = require_author(teacher, teacher.model)
    first, second = reads(teacher), reads(panel.student)
    wanted = teacher.model if written else ""
    return [(first[p], second[p]) for p in first if p in second and p[1] == wanted]


def require_author(side: Side, author: str) -> list[str]:
    """All authors; raises Unavailable where models' answers are read, but none of this one's."""
    written = authors(side)
    if written and author not in written:
        raise Unavailable(
            f"{author} is not among those whose answers are read: {', '.join(written)}"
        )
    return written


def gains(side: Side, base: Side) -> dict[Place, float]:
    """How much likelier than the base a model finds each text that both read, in nats per byte."""
    own, before = reads(side), reads(base)
    return {
        p: (r.logprob_nats - before[p].logprob_nats) / r.n_bytes
        for p, r in own.items()
        if p in before
    }


def preferences(
    gained: Mapping[Place, float], teacher: str, others: Sequence[str]
) -> dict[str, float]:
    """Prompt.id -> gain on the teacher's text minus the mean gain on those of the others that answered."""
    preferred = {}
    for prompt, leaf in gained:
        rest = [gained[prompt, o] for o in others if (prompt, o) in gained]
        if leaf == teacher and rest:
            preferred[prompt] = gained[prompt, teacher] - sum(rest) / len(rest)
    return preferred


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
    """Raises Unavailable if too few prompts are left."""
    reasons.require(n, minimum, "shared prompts with a text to read")


def token_columns(side: Side) -> TokenColumns:
    """The model's tokens; raises Unavailable where it gives none, or gives log-probabilities that are NaN."""
    tokens = side.outputs.tokens
    if tokens is None:
        raise Unavailable(f"{side.model} gives no log-probabilities of single tokens")
    if np.isnan(tokens.logprobs).any() or np.isnan(tokens.top_logprobs).any():
        raise Unavailable(f"{side.model} gave log-probabilities that are not numbers (NaN)")
    return tokens
