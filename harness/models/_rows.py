"""One request and its answer as a row: how its reply is drawn, and rows as the columns that are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.types import Decoding, Floats, Ints, Kind, Outputs, Request, TokenColumns


class Drawing(NamedTuple):
    """How the reply to one request is drawn."""

    max_new_tokens: int
    temperature: float  # 0 = greedy
    top_p: float


def drawing_of(request: Request, decoding: Decoding) -> Drawing:
    """What the request says, else what the run says."""
    return Drawing(
        request.max_new_tokens or decoding.max_new_tokens,
        decoding.temperature if request.temperature is None else request.temperature,
        decoding.top_p if request.top_p is None else request.top_p,
    )


def cut(text: str, stops: Sequence[str]) -> str:
    """The text before the stop strings, taken one after the other as lm-eval does."""
    for stop in stops:
        text = text.split(stop)[0]
    return text


class Row(NamedTuple):
    """The answer to one request, in the fields of Outputs."""

    kind: Kind
    text: str | None = None
    stop: str | None = None
    logprob_nats: float = float("nan")
    greedy: bool | None = None
    choice: int | None = None
    n_tokens: int = 0
    n_cut: int = 0
    answered: bool = True


def outputs_of(rows: Sequence[Row], tokens: TokenColumns | None = None) -> Outputs:
    """Rows as columns, in their order; Outputs.request counts from 0."""
    return Outputs(
        request=np.arange(len(rows)),
        kind=tuple(r.kind for r in rows),
        n_tokens=np.array([r.n_tokens for r in rows], dtype=np.int64),
        text=tuple(r.text for r in rows),
        stop=tuple(r.stop for r in rows),
        logprob_nats=np.array([r.logprob_nats for r in rows], dtype=np.float64),
        greedy=tuple(r.greedy for r in rows),
        choice=tuple(r.choice for r in rows),
        answered=tuple(r.answered for r in rows),
        tokens=tokens,
        n_cut=np.array([r.n_cut for r in rows], dtype=np.int64),
    )


def full_tokens(
    pieces: Sequence[Sequence[str]], ids: Ints, logprobs: Floats, top: int, vocabulary: str
) -> TokenColumns:
    """Token columns of rows of which the whole distributions are known.

    pieces: the tokens of each row as text; ids (T,) of all of them; logprobs (T, V) nats; top: alternatives stored.
    """
    best = np.argsort(-logprobs, axis=1, kind="stable")[:, :top]
    ends = [np.cumsum([len(piece.encode()) for piece in row]) for row in pieces]
    return TokenColumns(
        offsets=np.cumsum([0, *map(len, pieces)]),
        token_ids=ids,
        logprobs=logprobs[np.arange(len(ids)), ids].astype(np.float32),
        top_ids=best.astype(np.int32),
        top_logprobs=np.take_along_axis(logprobs, best, axis=1).astype(np.float32),
        byte_ends=np.concatenate(ends).astype(np.int64),
        vocabulary=vocabulary,
    )
