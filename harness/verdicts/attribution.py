"""Habits of wording: function words and content words, as odds that are calibrated within each family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np

from harness.panel.calibration import Calibration, Fit
from harness.panel.evidence import Bystander, Crowd, Opinion, Origin, Test
from harness.panel.panel import View
from harness.panel.side import once
from harness.stats.betting import FEWEST_BESIDE, Stop
from harness.stats.odds import (
    Coefficients,
    Known,
    Ruling,
    Weighed,
    bounded,
    bounds_of,
    decide_all,
    fit_odds,
    odds_left_out,
)
from harness.text.attribution import (
    ODDS,
    Candidate,
    Member,
    Signals,
    Suspect,
    attribute,
    name_teacher,
)
from harness.text.corpus import gather
from harness.types import DistillbenchError, Unavailable
from harness.verdicts import AbstractVerdict

VERSION = 1  # of the signals: another means that coefficients fitted before do not hold


@dataclass(frozen=True, eq=False)
class Resemblances:
    """How everybody resembles every family."""

    families: Mapping[str, tuple[str, ...]]
    signals: Mapping[tuple[str, str], Signals]  # (suspect, family)
    lineages: Mapping[str, str]  # of those that suspects are seen beside
    prompts: tuple[str, int]  # digest, and how many
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @once
    def known(self, origins: tuple[Origin, ...]) -> tuple[Known, ...]:
        """Pairs whose truth is documented."""
        return tuple(
            Known(o.model, f, o.lineage or o.model, _weighed(s), truth, s.alike, s.prompts)
            for o in origins
            for f in self.families
            if (truth := o.learned_from(f)) is not None
            and (s := self.signals.get((o.model, f))) is not None
            and not s.reason
        )

    @once
    def fit(self, origins: tuple[Origin, ...]) -> Fit:
        """Coefficients fitted on the pairs of families from which somebody is documented to have learned.

        Raises Unavailable where one of the two kinds is missing.
        """
        pairs = self.known(origins)
        taught = {k.family for k in pairs if k.truth}
        known = [k for k in pairs if k.family in taught]
        if len({k.truth for k in known}) < 2:
            raise Unavailable(
                "nobody else is documented to have learned from these families, or nobody not to have"
            )
        left_out = odds_left_out(known, self._fits())
        odds = bounded(left_out, np.array([k.alike for k in known]))
        bounds = bounds_of(known, odds)
        return Fit(fit_odds(known), bounds.low, bounds.high)

    @once
    def _fits(self) -> dict[Any, Coefficients]:
        """What was fitted without two lineages: it serves whichever of them is the suspect's."""
        return {}


@final
@dataclass(frozen=True)
class Attribution(AbstractVerdict):
    """Odds from two resemblances, for families that a score of its own would name too."""

    # odds that were fitted before, in a file or one that comes with distillbench; None = they are fitted in this run
    calibration: Calibration | None = None

    looks_at: ClassVar[View] = View.STYLE
    reads_tokens: ClassVar[bool] = True
    likeness: ClassVar[type | None] = Signals
    explanation: ClassVar[str] = (
        "Angles between a model's and a teacher's habits (the 200 commonest words and marks; the 2,300 next), seen "
        "from the middle of models that learned from others, over replies to different prompts. A logistic curve turns "
        "them into odds, which more resemblance never lowers, and in which every family's innocents weigh what its "
        "students weigh, so that no family is likelier beforehand; one student in ten is taken to show no trace. The "
        "odds are never larger than the number of innocent lineages that reply at about the suspect's length: short "
        "plain prose resembles short plain prose. A score of its own (openings, single words, function words) names a "
        "family; a verdict supports it only where odds of 5 or more and the name agree, on 100 prompts or more, and "
        "then every other family with such odds too: there may be two teachers. Noise in training and tuning by "
        "reward wipe these habits out."
    )

    def __post_init__(self) -> None:
        """Raises DistillbenchError where the calibration is not one of this method."""
        given = self.calibration
        if given and (given.method, given.version, given.signals) != ("attribution", VERSION, ODDS):
            raise DistillbenchError(
                f"calibration: expected one of attribution, version {VERSION}; got {given.method}, version "
                f"{given.version}, of {', '.join(given.signals)}: leave it out, and "
                "take the one that this run then writes"
            )

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Resemblances:
        """All resemblances, beside the models of the calibration, or else all whose training is documented."""
        beside = self._beside(crowd)
        missing = [m for m in crowd.sides if m not in crowd.likenesses]
        made = {**crowd.likenesses, **self.liken(crowd, missing)}
        by_pair = {(m, s.family): s for m in crowd.sides for s in made[m]}
        lineages = {m: b.lineage for m, b in ({**crowd.background, **beside}).items()}
        return Resemblances(crowd.families, by_pair, lineages, crowd.prompts_key())

    def liken(self, crowd: Crowd, suspects: Sequence[str]) -> dict[str, list[Signals]]:
        """How suspects resemble every family."""
        beside = self._beside(crowd)
        if not suspects:
            return {}
        corpus = gather({m: crowd.replies(m) for m in crowd.sides}, crowd.asked())
        background = [Member(m, b.lineage, b.kin) for m, b in beside.items()]
        lineages = {m: b.lineage for m, b in ({**crowd.background, **beside}).items()}
        asked = [Suspect(m, lineages.get(m, "")) for m in suspects]
        candidates = [Candidate(m, f) for f, own in crowd.families.items() for m in own]
        made: dict[str, list[Signals]] = {m: [] for m in suspects}
        for one in attribute(corpus, background, asked, candidates):
            made[one.suspect].append(one)
        return made

    def _beside(self, crowd: Crowd) -> dict[str, Bystander]:
        """Those that suspects are seen beside; raises Unavailable where one of the calibration is missing."""
        if not self.calibration:
            return dict(crowd.background)
        self.calibration.check(crowd)
        fixed = self.calibration.models
        there = ((m, b) for m, b in crowd.background.items() if m in fixed)
        return {m: b._replace(lineage=fixed[m]) for m, b in there}

    def weigh(self, prepared: Resemblances, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """Odds for every family."""
        documented = tuple(known)
        pairs = prepared.known(documented)
        signals = {f: prepared.signals[suspect, f] for f in prepared.families}
        if all(s.reason for s in signals.values()):
            raise Unavailable(next(iter(signals.values())).reason)
        fixed = self.calibration
        made = fixed.fit_for({o.model for o in known}) if fixed else prepared.fit(documented)
        named = name_teacher(list(signals.values()))
        able = {f: s for f, s in signals.items() if not s.reason}
        # that a version resembles its own family says nothing of a second teacher
        own = {f for f, versions in prepared.families.items() if suspect in versions}
        odds = {f: _odds(s, made) for f, s in able.items()}
        weighed = [
            Weighed(odds[f], f == named and f not in own, s.alike, s.prompts)
            for f, s in able.items()
        ]
        said = dict(zip(able, zip(weighed, decide_all(weighed), strict=True), strict=True))
        return [_opinion(s, said.get(f), pairs) for f, s in signals.items()]

    def calibrated(
        self, prepared: Resemblances, known: Sequence[Origin], date: str
    ) -> Calibration | None:
        """The odds as fitted here, and without each lineage."""
        lineages = {o.model: o.lineage or o.model for o in known}
        pairs = prepared.known(tuple(known))
        fits: dict[str, Fit] = {}
        for left in ["", *sorted({k.lineage for k in pairs})]:
            rest = tuple(o for o in known if lineages[o.model] != left)
            with suppress(Unavailable):
                fits[left] = prepared.fit(rest)
        if self.calibration or "" not in fits:
            return None
        (prompts, n), fit = prepared.prompts, fits.pop("")
        beside = {m: name for m, name in prepared.lineages.items() if m in lineages}
        return Calibration("attribution", VERSION, date, prompts, n, ODDS, beside, fit, fits)


def _odds(signals: Signals, made: Fit) -> float:
    """Odds within their bounds."""
    raw = made.coefficients.odds(np.array([_weighed(signals)]))
    return float(bounded(raw, np.array([signals.alike]), made.bounds)[0])


def _opinion(
    signals: Signals, said: tuple[Weighed, Ruling] | None, pairs: Sequence[Known]
) -> Opinion:
    """What is said of one family; said: None where it could not be weighed."""
    family, closest = signals.family, signals.closest
    if said is None:
        return Opinion(family, closest, None, "cannot tell", reason=signals.reason, is_told=False)
    weighed, ruling = said
    innocent = [k for k in pairs if k.family == family and k.truth is False]
    tests = tuple(_test(name, signals.values[name], i, innocent) for i, name in enumerate(ODDS))
    told = (ruling.verdict, weighed.odds, weighed.named, ruling.reason)
    return Opinion(family, closest, signals.naming, *told, tests=tests, stop=_stop(signals))


def _stop(signals: Signals) -> Stop | None:
    """When one could have stopped asking; None beside too few innocents to say so."""
    stop = signals.stop
    return stop if stop and stop.lineages >= FEWEST_BESIDE else None


def _test(name: str, value: float, place: int, innocent: Sequence[Known]) -> Test:
    """A resemblance beside that of the innocents, of each lineage the most alike."""
    reached = {k.lineage for k in innocent if k.signals[place] >= value}
    return Test(name.replace("_", " "), value, len(reached), len({k.lineage for k in innocent}))


def _weighed(signals: Signals) -> tuple[float, ...]:
    return tuple(signals.values[name] for name in ODDS)
