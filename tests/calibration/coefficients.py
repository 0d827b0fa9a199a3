"""What the odds of known pairs would have led to, their lineages left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from harness.panel.rates import MOST_CLLR
from harness.stats.cllr import Bounds
from harness.stats.odds import (
    Known,
    Ruling,
    Weighed,
    bounded,
    decide_all,
    odds_left_out,
    quality,
)
from harness.types import Floats


@dataclass(frozen=True)
class Errors:
    """What the ruling would have done to the known models, their lineages left out."""

    students: int  # with a known teacher among the families
    right: int  # of them: the teacher is supported
    wrong: int  # of them: a family is supported that is known not to be their teacher
    innocents: int  # lineages of models that learned from no family, or from nobody knows whom
    accused: int  # of them: a family is supported that is not known to be kin


def worthless(family: str, costs: Mapping[str, float]) -> str:
    """Why odds of a family say nothing, whatever they are, given the Cllr within families; "" where they do."""
    if family not in costs:
        return f"no known student of {family}: nobody knows how often this would be wrong"
    if costs[family] <= MOST_CLLR:
        return ""
    return (
        f"this test says almost nothing about {family}: its Cllr there is {costs[family]:.2f}, where 1 is that of no "
        f"test and at most {MOST_CLLR} counts"
    )


def bounded_left_out(known: Sequence[Known]) -> tuple[Annotated[Floats, "n"], Bounds]:
    """Odds (n,) of known pairs as the ruling would see them, their lineages left out, and ELUB's bounds."""
    alike = np.array([k.alike for k in known])
    odds = bounded(odds_left_out(known), alike)
    bounds = quality(known, odds).bounds
    return bounded(odds, alike, bounds), bounds


def count_errors(
    known: Sequence[Known], odds: Annotated[Floats, "n"], costs: Mapping[str, float]
) -> Errors:
    """What the ruling on pairs (odds (n,), their lineages left out) would have done; costs: of families."""
    students = {k.suspect for k in known if k.truth}
    supported = [
        k
        for k, ruling in zip(known, rulings(known, list(odds)), strict=True)
        if not worthless(k.family, costs) and ruling.verdict == "supports"
    ]
    sure = {k.suspect: k.lineage for k in known if k.truth is False}
    innocent = {name: lineage for name, lineage in sure.items() if name not in students}
    return Errors(
        students=len(students),
        right=len({k.suspect for k in supported if k.truth}),
        wrong=len({k.suspect for k in supported if k.suspect in students and k.truth is False}),
        innocents=len(set(innocent.values())),
        accused=len({k.lineage for k in supported if k.suspect in innocent and k.truth is False}),
    )


def rulings(known: Sequence[Known], odds: Sequence[float]) -> list[Ruling]:
    """The rulings on known pairs at these odds (n,), each suspect's together."""
    by_suspect: dict[str, list[int]] = {}
    for i, k in enumerate(known):
        by_suspect.setdefault(k.suspect, []).append(i)
    made: dict[int, Ruling] = {}
    for places in by_suspect.values():
        own = [(known[i], float(odds[i])) for i in places]
        weighed = [Weighed(o, k.named, k.alike, k.prompts) for k, o in own]
        made |= zip(places, decide_all(weighed), strict=True)
    return [made[i] for i in range(len(known))]
