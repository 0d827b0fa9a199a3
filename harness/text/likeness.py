"""How alike texts are: cosines of their n-gram vectors, of the same prompt and of different ones."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np

from harness.text.grams import Sparse
from harness.types import Floats


class Similarity(NamedTuple):
    """Similarity of two models' replies, prompt by prompt."""

    total: Annotated[Floats, "P"]  # to the same prompt, in [0, 1]
    # pseudo-values whose mean is the similarity of replies to different prompts
    apart: Annotated[Floats, "P"]

    @property
    def content(self) -> Annotated[Floats, "P"]:
        """What replies to the same prompt share beyond those to different ones: pseudo-values (P,)."""
        return self.total - self.apart


def similarity(first: Sparse, second: Sparse) -> Similarity:
    """Similarity of replies given as rows of counts; P >= 2. A reply of fewer than two words has similarity 0.

    apart: a_i = mean over j != i of k(first_i, second_j), b_i the other way round; a_i + b_i - mean is the first-order
    pseudo-value of the mean over all pairs i != j, which is computed exactly.
    """
    first, second = unit_rows(first), unit_rows(second)
    n = first.shape[0]
    total = row_products(first, second)
    forth = (_against_sum(first, second) - total) / (n - 1)
    back = (_against_sum(second, first) - total) / (n - 1)
    return Similarity(total, forth + back - (forth.mean() + back.mean()) / 2)


def unit_rows(counts: Sparse) -> Sparse:
    """Rows of 1 + log of the counts, each of length 1."""
    values = 1 + np.log(counts.values)
    norms = np.sqrt(np.bincount(counts.rows, weights=values * values, minlength=counts.shape[0]))
    return counts._replace(values=values / norms[counts.rows])


def row_products(one: Sparse, two: Sparse) -> Annotated[Floats, "P"]:
    """Products (P,) of equal rows."""
    first, second = (s.rows * s.shape[1] + s.columns for s in (one, two))
    place = np.minimum(np.searchsorted(second, first), max(len(second) - 1, 0))
    i = np.flatnonzero(second[place] == first) if len(second) else np.zeros(0, dtype=np.int64)
    j = place[i]
    return np.bincount(
        one.rows[i], weights=one.values[i] * two.values[j], minlength=one.shape[0]
    ).astype(np.float64)


def _against_sum(one: Sparse, two: Sparse) -> Annotated[Floats, "P"]:
    """Products (P,) of one's rows with the sum of all rows of two."""
    whole = np.bincount(two.columns, weights=two.values, minlength=two.shape[1])
    return np.bincount(
        one.rows, weights=one.values * whole[one.columns], minlength=one.shape[0]
    ).astype(np.float64)
