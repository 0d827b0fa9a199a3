"""Resampling of prompts: the bootstrap of means, the delete-block jackknife."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from harness.stats.means import (
    Clusters,
    Interval,
    cluster_codes,
    cluster_sums,
    require_spread,
    t_interval,
)
from harness.types import Floats, Ints

_CELLS = 4_000_000  # weights in memory at once: 32 MB


def bootstrap_means(
    parts: Annotated[Floats, "P K"], clusters: Clusters, resamples: int, rng: np.random.Generator
) -> Annotated[Floats, "resamples K"]:
    """Means (B, K) of parts (P, K) over prompts drawn with replacement, whole clusters at a time.

    A resample is a row of multinomial weights over the G clusters; its mean is the weighted sum over its own number of
    prompts. Source: Efron 1979; Davison and Hinkley 1997, section 3.8 (clusters).
    """
    codes = cluster_codes(clusters, len(parts))
    groups = int(codes.max()) + 1 if len(parts) else 0
    require_spread(len(parts), groups)
    sums = cluster_sums(np.column_stack([parts, np.ones(len(parts))]), codes)
    chunk = max(1, _CELLS // groups)
    totals = [
        _weights(min(chunk, resamples - i), groups, rng) @ sums for i in range(0, resamples, chunk)
    ]
    drawn = np.concatenate(totals)
    return drawn[:, :-1] / drawn[:, -1:]


def _weights(
    resamples: int, groups: int, rng: np.random.Generator
) -> Annotated[Floats, "resamples groups"]:
    """Multinomial weights (resamples, groups): how often each cluster is drawn."""
    drawn = rng.integers(groups, size=(resamples, groups)) + groups * np.arange(resamples)[:, None]
    return (
        np.bincount(drawn.ravel(), minlength=resamples * groups)
        .reshape(resamples, groups)
        .astype(np.float64)
    )


def blocks(ids: Sequence[str], n_blocks: int, seed: int) -> Annotated[Ints, "P"]:
    """Block (P,) of each prompt, 0 .. n_blocks - 1, assigned by a hash of id and seed, so input order does not matter.

    Pass cluster names instead of ids to keep clusters whole. Distinct names are dealt out evenly (sizes differ by at
    most 1); there are as many blocks as names where that is fewer.
    """
    names = sorted(set(ids), key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    number = min(n_blocks, max(len(names), 1))
    block = {name: rank % number for rank, name in enumerate(names)}
    return np.array([block[i] for i in ids], dtype=np.int64)


def jackknife_pseudo_values(
    full: float, leave_out: Annotated[Floats, "B"], sizes: Annotated[Ints, "B"] | None = None
) -> Annotated[Floats, "B"]:
    """Pseudo-values (B,) of a statistic from its value on all prompts and on all but each block.

    h full - (h - 1) leave_out, h = prompts / prompts of the block (B for equal blocks). Their mean is the value less
    its bias of order 1 / P. To use them as values of prompts give each prompt its block's, `pseudo[block]`, with
    the block as its cluster. Source: Tukey 1958; Busing, Meijer and van der Leeden 1999 for unequal blocks.
    """
    h = np.float64(len(leave_out)) if sizes is None else sizes.sum() / sizes
    return h * full - (h - 1) * leave_out


def jackknife_interval(
    full: float, leave_out: Annotated[Floats, "B"], block: Annotated[Ints, "P"]
) -> Interval:
    """`full` with the t interval (df = blocks - 1) of its delete-block jackknife; leave_out (B,), block (P,) 0..B-1.

    The value stays `full`; the interval is centred on it too, so that it holds the number which is shown.
    """
    pseudo = jackknife_pseudo_values(full, leave_out, np.bincount(block, minlength=len(leave_out)))
    around = t_interval(pseudo[block], block)
    half = (around.high - around.low) / 2
    return Interval(full, full - half, full + half, len(block))
