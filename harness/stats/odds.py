"""Placeholder until the whole module is merged."""

from __future__ import annotations

import numpy as np

from harness.types import Floats


def auroc(guilty: Floats, innocent: Floats, w: Floats, v: Floats) -> float:
    """Weighted AUROC."""
    d = guilty[:, None] - innocent[None, :]
    s = (d > 0) + 0.5 * (d == 0)
    return float((w @ s @ v) / (w.sum() * v.sum()))


def cllr(guilty: Floats, innocent: Floats, w: Floats, v: Floats) -> float:
    """Cllr."""
    return float(
        (
            np.average(np.log2(1 + 1 / guilty), weights=w)
            + np.average(np.log2(1 + innocent), weights=v)
        )
        / 2
    )


def cllr_min(guilty: Floats, innocent: Floats, w: Floats, v: Floats) -> float:
    """Placeholder."""
    return cllr(guilty, innocent, w, v)
