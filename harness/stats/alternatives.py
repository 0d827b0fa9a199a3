"""Two models' distributions over the next token, from the K most probable tokens that each of them stored.

Tokens that both stored keep their own probability, everything else goes into one bucket. Joining outcomes can only
bring distributions closer together: KL and Jensen-Shannon are then at least, shared mass is at most what is shown.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.types import Floats

# a bucket below this is rounding: sums of float32 log-probabilities are no more exact
_NOISE = 1e-6
_WHOLE = 1e-4  # how far a distribution over a whole vocabulary may be from 1


class Stored(NamedTuple):
    """What one model stored of T tokens."""

    ids: Annotated[NDArray[np.int32], "T K"]  # most probable first
    logprobs: Annotated[NDArray[np.float32], "T K"]  # nats; -inf = probability 0


class Distributions(NamedTuple):
    """Probabilities (T, C) of the same outcomes under both models; rows sum to 1."""

    teacher: Annotated[Floats, "T K"]
    student: Annotated[Floats, "T K"]
    covered: Annotated[Floats, "T"]  # the teacher's mass on outcomes that are single tokens


def is_whole(stored: Stored) -> bool:
    """Whether the whole vocabulary is stored: ids 0 to K - 1, with all the mass."""
    k = stored.ids.shape[1]
    if not stored.ids.size or int(stored.ids.max()) + 1 != k:
        return False
    return bool(np.all(np.abs(np.exp(stored.logprobs.astype(np.float64)).sum(axis=1) - 1) < _WHOLE))


def distributions(teacher: Stored, student: Stored, exact: bool) -> Distributions:
    """Both models over the tokens that both stored and, unless `exact`, one bucket for all others.

    `exact` = both stored their whole vocabulary; what one of them has beyond the other's is padding that no text can
    hold: it is left out, and the rest brought to 1.
    """
    if exact:
        both = [
            _dense(s, min(teacher.ids.shape[1], student.ids.shape[1])) for s in (teacher, student)
        ]
        return Distributions(both[0], both[1], np.ones(len(both[0])))
    places = _positions(teacher.ids, student.ids)
    shared = places >= 0
    p = np.where(shared, np.exp(teacher.logprobs.astype(np.float64)), 0.0)
    theirs = np.take_along_axis(student.logprobs.astype(np.float64), np.maximum(places, 0), axis=1)
    q = np.where(shared, np.exp(theirs), 0.0)
    covered = p.sum(axis=1)
    return Distributions(_with_bucket(p), _with_bucket(q), np.minimum(covered, 1.0))


def _dense(stored: Stored, vocabulary: int) -> Annotated[Floats, "T vocabulary"]:
    """(T, vocabulary) probabilities in the order of ids, summing to 1."""
    dense = np.empty((len(stored.ids), stored.ids.shape[1]))
    np.put_along_axis(
        dense, stored.ids.astype(np.int64), np.exp(stored.logprobs.astype(np.float64)), axis=1
    )
    known = dense[:, :vocabulary]
    return np.asarray(known / known.sum(axis=1, keepdims=True))


def _positions(
    wanted: Annotated[NDArray[np.int32], "T K"], ids: Annotated[NDArray[np.int32], "T L"]
) -> Annotated[NDArray[np.int64], "T K"]:
    """(T, K) column of `ids` (T, L) that holds each of `wanted` (T, K); -1 = none."""
    span = int(max(wanted.max(initial=0), ids.max(initial=0))) + 1
    start = np.arange(len(ids), dtype=np.int64)[:, None] * span
    order = np.argsort(ids, axis=1)
    keys = (np.take_along_axis(ids, order, axis=1) + start).ravel()
    sought = wanted + start
    at = np.minimum(np.searchsorted(keys, sought.ravel()), len(keys) - 1).reshape(sought.shape)
    columns = order.ravel()[at]
    return np.where(keys[at] == sought, columns, -1)


def _with_bucket(single: Annotated[Floats, "T K"]) -> Annotated[Floats, "T K+1"]:
    """(T, K + 1): the last column is what is left of 1."""
    rest = np.maximum(1 - single.sum(axis=1, keepdims=True), _NOISE)
    return np.concatenate([single, rest], axis=1)


def kl_nats(p: Annotated[Floats, "T K"], q: Annotated[Floats, "T K"]) -> Annotated[Floats, "T"]:
    """(T,) KL(p || q); inf where q rules out what p does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0)
    return np.asarray(np.maximum(terms.sum(axis=1), 0.0))


def js_nats(p: Annotated[Floats, "T K"], q: Annotated[Floats, "T K"]) -> Annotated[Floats, "T"]:
    """(T,) Jensen-Shannon divergence, 0 to ln 2."""
    middle = (p + q) / 2
    return (kl_nats(p, middle) + kl_nats(q, middle)) / 2


def shared_mass(p: Annotated[Floats, "T K"], q: Annotated[Floats, "T K"]) -> Annotated[Floats, "T"]:
    """(T,) sum of the smaller probabilities: how often speculative decoding would accept the student's token.

    Source: Leviathan et al. 2023, Fast inference from transformers via speculative decoding.
    """
    return np.asarray(np.minimum(p, q).sum(axis=1))


def top_overlap(teacher: Stored, student: Stored, k: int) -> Annotated[Floats, "T"]:
    """(T,) share of the teacher's k most probable tokens that are among the student's k."""
    return np.asarray((_positions(teacher.ids[:, :k], student.ids[:, :k]) >= 0).mean(axis=1))
