"""Shared boundaries: student and teacher compared between places where both tokenizers cut the text.

Source: ours; between two places at which both end a token, each model gives the piece a log-probability, and these
are about the same bytes whatever the tokenizers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.panel import Looks, Panel, View
from harness.panel.reads import Read, own_texts, ratio, require, token_columns
from harness.stats.ratios import quotient
from harness.types import (
    Finding,
    Floats,
    Ints,
    Prompt,
    Smooth,
    Statistic,
    TokenColumns,
    Unavailable,
)


class Tokens(NamedTuple):
    """The tokens of one text, one or more."""

    ends: Ints  # (n,) byte offset at which each token ends, non-decreasing
    logprobs: Floats  # (n,) nats


class _Pieces(NamedTuple):
    """A text in pieces that both models know."""

    prompt: Prompt
    n_bytes: float
    teacher: Floats  # (S,) nats of each piece
    student: Floats  # (S,)


def shared_pieces(first: Tokens, second: Tokens) -> tuple[Ints, Floats, Floats]:
    """Ends of shared pieces (S + 1,), and both models' nats of each piece (S,).

    Ends count back from the text's end (0): what a chat template puts before the text may differ.
    """
    from_end = [np.concatenate([[0], t.ends]) - t.ends[-1] for t in (first, second)]
    edges = np.intersect1d(from_end[0], from_end[1])
    nats = []
    for tokens in (first, second):
        sums = np.concatenate([[0.0], np.cumsum(tokens.logprobs, dtype=np.float64)])
        nats.append(
            np.diff(sums[np.searchsorted(tokens.ends - tokens.ends[-1], edges, side="right")])
        )
    return edges, nats[0], nats[1]


@dataclass(frozen=True)
class SharedBoundaries(AbstractMetric):
    """How differently two models of any tokenizers rate the pieces of one text."""

    unit = "nats per byte"
    better = "lower"
    looks_at = Looks((View.READING, View.TOKENS), needs=("teacher",))
    explanation = (
        "The text is cut where both tokenizers end a token; for each piece, how much student and teacher differ in "
        "its log-probability, per byte (0 = none). It works across tokenizers, but sees only the text that is there, "
        "not what else a model might have said. `correlation`: whether the same pieces surprise both."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Mean absolute difference, and the correlation over pieces."""
        student, teacher, minimum = panels[0].student, panels[0].teacher, panels[0].minimum
        columns = (token_columns(teacher), token_columns(student))
        for side, column in zip((teacher, student), columns, strict=True):
            if column.byte_ends is None:
                raise Unavailable(f"it is not known where {side.model}'s tokens end in the text")
        pieces = [p for pair in own_texts(panels[0]) if (p := _pieces(pair, columns)) is not None]
        require(len({p.prompt.id for p in pieces}), minimum)
        differences = [
            (p.prompt, float(np.abs(p.teacher - p.student).sum()), p.n_bytes) for p in pieces
        ]
        return [
            Finding(ratio(differences, minimum)),
            Finding(_correlation(pieces), "correlation", unit="correlation", better="higher"),
        ]


def _pieces(pair: tuple[Read, Read], columns: Sequence[TokenColumns]) -> _Pieces | None:
    """One text in shared pieces; None where there are none."""
    first, second = (_tokens(r, c) for r, c in zip(pair, columns, strict=True))
    if not len(first.ends) or not len(second.ends):
        return None
    edges, teacher, student = shared_pieces(first, second)
    if len(edges) < 2:
        return None
    return _Pieces(pair[0].prompt, float(edges[-1] - edges[0]), teacher, student)


def _tokens(read: Read, columns: TokenColumns) -> Tokens:
    cut = slice(int(columns.offsets[read.row]), int(columns.offsets[read.row + 1]))
    assert columns.byte_ends is not None
    return Tokens(columns.byte_ends[cut], columns.logprobs[cut].astype(np.float64))


def _correlation(pieces: Sequence[_Pieces]) -> Statistic | str:
    """Pearson's r over pieces, resampled by prompt."""
    prompts = {p.prompt.id: p.prompt for p in pieces}
    sums = {i: np.zeros(6) for i in prompts}
    for p in pieces:
        x, y = p.teacher, p.student
        sums[p.prompt.id] += [len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()]
    ids = tuple(sorted(prompts))
    parts = np.stack([sums[i] for i in ids])
    if not np.isfinite(pearson(parts.mean(axis=0))):
        return "one of the models finds every piece equally likely"
    return Smooth(parts, pearson, ids, tuple(prompts[i].cluster for i in ids))


def pearson(means: Floats) -> Floats:
    """Correlation from means (..., 6) of 1, x, y, xx, yy, xy; NaN where x or y does not vary."""
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(means, np.float64), -1, 0)
    covariance = n * xy - x * y
    spread = (n * xx - x * x) * (n * yy - y * y)
    room = np.sqrt(np.maximum(spread, 0.0))
    return quotient(covariance, room)
