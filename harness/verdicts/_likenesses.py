"""Likenesses of everybody with every version of every family, and the oldest rule: the nearest one wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from harness.panel.evidence import Crowd, Opinion
from harness.types import Floats


class Closest(NamedTuple):
    """The version of a family that a model resembles most."""

    version: str
    likeness: float


@dataclass(frozen=True, eq=False)
class Likenesses:
    """How much every model is like every version; larger is more alike, NaN where two were not compared."""

    models: Mapping[str, int]  # row
    families: Mapping[str, tuple[str, ...]]
    versions: Mapping[str, int]  # column
    values: Annotated[Floats, "M K"]

    def closest(self, model: str, family: str) -> Closest | None:
        """Of the family's versions but the model itself; None where none was compared with it."""
        row = self.values[self.models[model]]
        own = [(float(row[self.versions[v]]), v) for v in self.families[family] if v != model]
        told = [(value, version) for value, version in own if np.isfinite(value)]
        return Closest(*max(told)[::-1]) if told else None


def likenesses(crowd: Crowd, values: Annotated[Floats, "M K"]) -> Likenesses:
    """The table `values` with a row for each model of a crowd and a column for each of `versions_of`."""
    rows = {model: i for i, model in enumerate(crowd.sides)}
    columns = {version: i for i, version in enumerate(versions_of(crowd))}
    return Likenesses(rows, dict(crowd.families), columns, values)


def versions_of(crowd: Crowd) -> list[str]:
    """All versions of all families, family by family."""
    return [version for own in crowd.families.values() for version in own]


def nearest(likenesses: Likenesses, suspect: str) -> list[Opinion]:
    """One opinion per family: the nearest one is supported, whoever it is, and no other."""
    best = {f: likenesses.closest(suspect, f) for f in likenesses.families}
    told = [(c.likeness, f) for f, c in best.items() if c is not None]
    first = max(told)[1] if told else ""
    return [
        silent(likenesses, suspect, f)
        if (c := best[f]) is None
        else Opinion(
            f,
            c.version,
            c.likeness,
            "supports" if f == first else "does not support",
            is_named=f == first,
        )
        for f in likenesses.families
    ]


def silent(likenesses: Likenesses, suspect: str, family: str) -> Opinion:
    """What is said of a family with which a suspect could not be compared."""
    reason = f"{suspect} and {family} have no answers that can be compared"
    own: Sequence[str] = likenesses.families[family]
    return Opinion(family, own[0], None, "cannot tell", reason=reason, is_told=False)
