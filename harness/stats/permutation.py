"""Permutation p-values of paired differences, at the level of prompts."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from harness.stats.means import Clusters, cluster_codes, cluster_sums, require_spread
from harness.types import Floats, Ints

_CELLS = 4_000_000


def permutation_p(observed: float, null: Annotated[Floats, "B"]) -> float:
    """(1 + number of null values at least as large) / (1 + B); null (B,) of permuted data.

    Values within rounding of the observed one count as equal. Source: Phipson and Smyth 2010.
    """
    slack = 1e-12 * max(abs(observed), float(np.abs(null).max(initial=0.0)))
    return float((1 + np.count_nonzero(null >= observed - slack)) / (1 + len(null)))


def sign_flip_permutation(
    differences: Annotated[Floats, "P"],
    clusters: Clusters,
    resamples: int,
    rng: np.random.Generator,
) -> float:
    """Two-sided p-value of mean difference 0: the signs of whole clusters are flipped; differences (P,).

    Exact where each cluster's sum is symmetric about 0 under the null. Source: Fisher 1935, section 21.
    """
    codes = cluster_codes(clusters, len(differences))
    require_spread(len(differences), int(codes.max(initial=-1)) + 1)
    sums = cluster_sums(differences[:, None], codes)[:, 0]
    chunk = max(1, _CELLS // len(sums))
    flipped = [
        (2.0 * rng.integers(2, size=(min(chunk, resamples - i), len(sums))) - 1) @ sums
        for i in range(0, resamples, chunk)
    ]
    return permutation_p(abs(float(sums.sum())), np.abs(np.concatenate(flipped)))


def sign_flip_mid_p(sums: Annotated[Ints, "G"]) -> float:
    """Two-sided mid-p of the sign-flip permutation of whole numbers (G,), over all 2^G flips exactly.

    With sums of +1, -1 and 0 this is McNemar's mid-p; with clusters it is the same for clustered pairs.
    """
    sizes = np.abs(sums[sums != 0])
    reach = int(sizes.sum())
    if reach == 0:
        return 1.0
    chance = np.zeros(2 * reach + 1)
    chance[reach] = 1.0
    at = 0
    for size in sizes.tolist():
        at += size
        window = np.zeros(2 * at + 1)
        inner = chance[reach - at + size : reach + at - size + 1]
        window[2 * size :] += 0.5 * inner
        window[: len(inner)] += 0.5 * inner
        chance[reach - at : reach + at + 1] = window
    observed = abs(int(sums.sum()))
    distance = np.abs(np.arange(-reach, reach + 1))
    return min(
        1.0, float(chance[distance > observed].sum() + 0.5 * chance[distance == observed].sum())
    )
