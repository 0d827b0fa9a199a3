"""Corrections for several p-values at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.types import Floats


def holm(p: Sequence[float] | Floats) -> Annotated[Floats, "m"]:
    """Adjusted p-values (m,), in the given order: all below .05 are claimed with at most .05 for any false claim.

    Source: Holm 1979.
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    adjusted = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    return _restored(adjusted, order)


def holm_levels(p: Sequence[float] | Floats, level: float = 0.05) -> Annotated[Floats, "m"]:
    """The p-value (m,) below which Holm would claim each, the others being as they are: level / m, or more."""
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    ranked, steps = values[order], level / (len(values) - np.arange(len(values)))
    # without the one at place i, those before it keep their places and those behind move up by one
    kept = np.append(ranked < steps, False).argmin()
    moved = np.flatnonzero(np.append(ranked[1:] >= steps[:-1], True))
    places = np.arange(len(values))
    claimed = np.where(places > kept, kept, moved[np.searchsorted(moved, places)])
    levels = np.empty_like(values)
    levels[order] = level / (len(values) - claimed)
    return levels


def benjamini_hochberg(p: Sequence[float] | Floats) -> Annotated[Floats, "m"]:
    """Adjusted p-values (m,), in the given order: of those below .05 at most .05 are false on average.

    Valid for independent or positively dependent p-values. Source: Benjamini and Hochberg 1995.
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (len(values) / (1.0 + np.arange(len(values))))
    return _restored(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _checked(p: Sequence[float] | Floats) -> Annotated[Floats, "m"]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"p-values: expected a list of numbers in [0, 1], got {values}")
    return values


def _restored(
    adjusted: Annotated[Floats, "m"], order: Annotated[NDArray[np.intp], "m"]
) -> Annotated[Floats, "m"]:
    restored = np.empty_like(adjusted)
    restored[order] = np.minimum(adjusted, 1.0)
    return restored
