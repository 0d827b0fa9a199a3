"""What was fitted on known lineages, as a value that can be stored: numbers only, for one set of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np

from harness.keys import digest
from harness.panel.rates import MOST_CLLR
from harness.schema import build_dataclass
from harness.stats.cllr import Bounds
from harness.stats.odds import (
    Coefficients,
    Known,
    Quality,
    Ruling,
    bounded,
    decide,
    fit_odds,
    odds_left_out,
    quality,
)
from harness.types import Floats, Ints


@dataclass(frozen=True)
class Family:
    """How well a family's students are told from others, their lineages left out."""

    family: str
    cost: float  # Cllr in bits
    true_pairs: int
    false_pairs: int


@dataclass(frozen=True)
class Errors:
    """What the ruling would have done to the known models, their lineages left out."""

    students: int  # with a known teacher among the families
    right: int  # of them: the teacher is supported
    wrong: int  # of them: a family is supported that is known not to be their teacher
    innocents: int  # lineages of models that learned from no family, or from nobody knows whom
    accused: int  # of them: a family is supported that is not known to be kin


@dataclass(frozen=True)
class Calibration:
    """Odds for one set of prompts, and how wrong they are."""

    prompts: str  # digest of the prompts that it holds for; never used for others
    date: str  # of fitting, YYYY-MM-DD
    lineages: int  # that it was fitted on
    signals: tuple[str, ...]  # what the coefficients belong to, in their order
    coefficients: Coefficients
    low: float  # ELUB
    high: float  # ELUB
    cost: float  # Cllr over all pairs, in bits
    least_cost: float  # Cllr-min
    families: tuple[Family, ...]
    errors: Errors

    def odds(
        self, signals: Annotated[Floats, "n S"], alike: Annotated[Ints, "n"]
    ) -> Annotated[Floats, "n"]:
        """Odds (n,) of pairs within ELUB's bounds, and of at most the number of innocent lineages of a like length."""
        return bounded(self.coefficients.odds(signals), alike, Bounds(self.low, self.high))

    def worthless(self, family: str) -> str:
        """Why odds of a family say nothing, whatever they are; "" where they do."""
        return worthless(family, {f.family: f.cost for f in self.families})

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for YAML or JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, fields: Mapping[str, Any], where: str) -> Calibration:
        """The inverse; a DistillbenchError names each fault of what stands in `where`."""
        made: Calibration = build_dataclass(cls, fields, where)
        return made


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


def prompts_key(texts: Iterable[str]) -> str:
    """The digest of a set of prompts, by their texts in whatever order."""
    return digest("prompts", *sorted(texts))


def calibrate(
    known: Sequence[Known], signals: Sequence[str], *, prompts: str, date: str
) -> Calibration:
    """Coefficients fitted on all known pairs, and what their like does to lineages that are left out."""
    left_out, bounds = bounded_left_out(known)
    made = quality(known, left_out)
    return Calibration(
        prompts=prompts,
        date=date,
        lineages=len({k.lineage for k in known}),
        signals=tuple(signals),
        coefficients=fit_odds(known),
        low=bounds.low,
        high=bounds.high,
        cost=made.cost,
        least_cost=made.least_cost,
        families=tuple(_family(name, known, made) for name in made.within),
        errors=count_errors(known, left_out, made.within),
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
        for k, value in zip(known, odds, strict=True)
        if not worthless(k.family, costs) and rule(k, value).verdict == "supports"
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


def rule(known: Known, odds: float) -> Ruling:
    """The ruling on a known pair at these odds."""
    return decide(odds, named=known.named, alike=known.alike, prompts=known.prompts)


def _family(name: str, known: Sequence[Known], made: Quality) -> Family:
    false = sum(k.family == name and k.truth is False for k in known)
    return Family(name, made.within[name], made.true_pairs[name], false)
