"""What a suspect came to expect: bits per byte that it gained over a reference on each candidate's answers.

Source: Mattern et al. 2023, arXiv 2305.18462 (membership by likelihood relative to a reference), applied to the answers
of candidates; the difference of differences is that of `metrics/preference`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from harness.panel.controls import COVERAGE
from harness.panel.evidence import Crowd, Opinion, Origin, Outcome, Test
from harness.panel.panel import View
from harness.panel.reads import Place, authors, gains, preferences
from harness.panel.side import once
from harness.stats.controls import NORMAL_MINIMUM, ModelLevelEvidence, evidence, one_per_lineage
from harness.stats.means import t_interval
from harness.stats.odds import (
    FEWEST_PROMPTS,
    SUPPORT,
    Known,
    bounded,
    bounds_of,
    fit_odds,
    odds_left_out,
)
from harness.types import DistillbenchError, Unavailable
from harness.verdicts import AbstractVerdict

FEWEST_TEXTS = 20  # answers of a candidate that suspect and innocents read
_TEST = "bits per byte gained"

Preferred = Mapping[str, float]  # Prompt.id -> bits per byte


class Gained(NamedTuple):
    """What a model gained on a family's answers, beside innocents that read the same."""

    version: str
    bits: float  # mean per byte, less that of the innocents
    surely: bool  # whether prompts alone do not explain that it is above 0
    among: ModelLevelEvidence
    reached: int  # innocent lineages


@dataclass(frozen=True, eq=False)
class Readers:
    """Everybody's gains on the answers of every family."""

    families: Mapping[str, tuple[str, ...]]
    preferred: Mapping[tuple[str, str], tuple[str, Preferred]]  # (model, family) -> version, gains
    silent: Mapping[str, str]  # model -> why it has none
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def innocents(self, family: str, known: Sequence[Origin]) -> dict[str, Origin]:
        """Models with gains of which it is documented that they did not learn from a family."""
        told = (o for o in known if o.learned_from(family) is False)
        return {o.model: o for o in told if (o.model, family) in self.preferred}

    def gained(self, model: str, family: str, known: Sequence[Origin]) -> Gained | str:
        """What a model gained beyond innocents of other lineages, or the reason why that cannot be said."""
        version, own = self.preferred[model, family]
        theirs = self.innocents(family, known)
        read = {m: self.preferred[m, family][1] for m in theirs if m != model}
        read = {m: p for m, p in read.items() if len(p.keys() & own.keys()) >= COVERAGE * len(own)}
        shared = [i for i in sorted(own) if all(i in p for p in read.values())]
        if len(shared) < FEWEST_TEXTS:
            return f"{len(shared)} answers of {version} were read by all; {FEWEST_TEXTS} are needed"
        means = {m: float(np.mean([p[i] for i in shared])) for m, p in read.items()}
        lineages = {m: theirs[m].lineage or m for m in read}
        if (n := len(set(lineages.values()))) < NORMAL_MINIMUM:
            who = "1 lineage" if n == 1 else f"{n} lineages"
            return (
                f"{who} of models that did not learn from {family} read its answers; "
                f"{NORMAL_MINIMUM} are needed"
            )
        one_each = one_per_lineage(means, lineages)
        values = np.array([own[i] for i in shared])
        null = np.mean([[p[i] for i in shared] for p in read.values()], axis=0)
        among = evidence(float(values.mean()), one_each)
        reached = int(np.count_nonzero(one_each >= among.value))
        surely = t_interval(values - null).low > 0
        return Gained(version, among.excess, surely, among, reached)

    @once
    def known_pairs(self, known: tuple[Origin, ...]) -> tuple[Known, ...]:
        """Pairs whose truth is documented, of families with a student that gained."""
        pairs = []
        for family in self.families:
            made = {o: self.gained(o.model, family, known) for o in known
                    if (o.model, family) in self.preferred and o.learned_from(family) is not None}  # fmt: skip
            told = {o: g for o, g in made.items() if isinstance(g, Gained)}
            if {o.learned_from(family) for o in told} == {True, False}:
                pairs += [_pair(o, family, g) for o, g in told.items()]
        return tuple(pairs)


@final
@dataclass(frozen=True)
class ReferenceGain(AbstractVerdict):
    """Whether a suspect gained more on a candidate's answers than models do that never saw them."""

    # model of the run that a model is compared with: an earlier checkpoint, its base, a sibling
    reference: str = ""
    references: dict[str, str] = field(default_factory=dict)  # of models that have another one

    looks_at: ClassVar[View] = View.ANSWERS
    explanation: ClassVar[str] = (
        "How many bits per byte a model gained over its reference (an earlier checkpoint, its base, a sibling) on a "
        "candidate's answers, less what it gained on the answers of models that are no candidates, less the same of "
        "models that did not learn from this candidate; of each text, what it is beyond the usual gain on it. So text "
        "that is easy, and skill at text in general, drop out. "
        "Supported where at most 1 in 20 innocent lineages gains as much (fewer than 19 lineages: above the limit "
        "under which a further one stays with 95 %), prompts alone do not explain it, no other candidate gains more, "
        "and the odds, where students of the candidate are documented, are 5 or more. Who learned from somebody that "
        "writes like the candidate gains too: let such models be among the innocents. Their references must be as "
        "near to them as the suspect's is to it."
    )

    def __post_init__(self) -> None:
        """Raises DistillbenchError where nothing is compared with."""
        if not self.reference and not self.references:
            raise DistillbenchError(
                "key reference: expected a model of the matrix, the suspect's earlier checkpoint, base or sibling; "
                "got none"
            )

    def named_models(self) -> Mapping[str, str]:
        """All references."""
        own = {f"references.{model}": name for model, name in self.references.items()}
        return {"reference": self.reference, **own} if self.reference else own

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Readers:
        """Gains of all models that have a reference."""
        made, silent, gained = {}, {}, {}
        for model, side in crowd.sides.items():
            name = self.references.get(model, self.reference)
            if name == model:
                silent[model] = "it is the reference"
            elif name not in crowd.sides:
                silent[model] = f"its reference {name or '(none)'} read nothing"
            else:
                gained[model] = gains(side, crowd.sides[name])
        usual = _usual({m: own for m, own in gained.items() if m in crowd.background})
        for model, own in gained.items():
            beyond = {place: value - usual.get(place, 0.0) for place, value in own.items()}
            reference = self.references.get(model, self.reference)
            for family, versions in crowd.families.items():
                others = [
                    a for a in authors(crowd.sides[model])
                    if a in crowd.background and family not in crowd.background[a].kin
                    and a not in (model, reference)
                ]  # fmt: skip
                best = _closest(beyond, versions, others)
                if best is None:
                    silent[model] = (
                        f"no answers are read of a model that is no candidate, nor {model}; name two such in the "
                        "task's `by`"
                    )
                else:
                    made[model, family] = best
        return Readers(crowd.families, made, silent)

    def weigh(self, prepared: Readers, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """Supports the family whose answers it took to, if innocents do not."""
        known = tuple(known)
        if suspect in prepared.silent:
            raise Unavailable(prepared.silent[suspect])
        own = {
            f: prepared.gained(suspect, f, known)
            if (suspect, f) in prepared.preferred
            else f"{suspect} read no answers of {f}"
            for f in prepared.families
        }
        told = {f: g.bits for f, g in own.items() if isinstance(g, Gained)}
        named = max(told, key=lambda f: (told[f], f), default="")
        pairs = prepared.known_pairs(known)
        return [
            Opinion(f, prepared.families[f][0], None, "cannot tell", reason=g, is_told=False)
            if isinstance(g, str)
            else _opinion(f, g, pairs, is_named=f == named)
            for f, g in own.items()
        ]


def _usual(gained: Mapping[str, Mapping[Place, float]]) -> dict[Place, float]:
    """What the background gains on each text, whoever wrote it: its author's own gain on it does not count.

    So models that are compared with different others are compared fairly.
    """
    places = sorted({place for own in gained.values() for place in own})
    made = {}
    for place in places:
        values = [own[place] for m, own in gained.items() if place in own and m != place[1]]
        if values:
            made[place] = float(np.mean(values))
    return made


def _closest(
    gained: Mapping[tuple[str, str], float], versions: Sequence[str], others: Sequence[str]
) -> tuple[str, Preferred] | None:
    """The version whose answers were gained most on, with the gain on each in bits."""
    made = {}
    for version in versions:
        own = preferences(gained, version, others)
        if own:
            made[version] = {i: nats / math.log(2) for i, nats in own.items()}
    if not made:
        return None
    best = max(made, key=lambda v: (float(np.mean(list(made[v].values()))), v))
    return best, made[best]


def _pair(origin: Origin, family: str, gained: Gained) -> Known:
    """A documented pair; its texts count as enough, since what is read says more than what is written."""
    lineage, truth = origin.lineage or origin.model, origin.learned_from(family)
    signals = (gained.bits,)
    return Known(
        origin.model, family, lineage, signals, truth, gained.among.lineages, FEWEST_PROMPTS
    )


def _opinion(family: str, gained: Gained, pairs: Sequence[Known], *, is_named: bool) -> Opinion:
    """What is said of one family."""
    odds = _odds(gained, pairs) if any(k.family == family for k in pairs) else None
    outcome, reason = _ruling(gained, odds, is_named=is_named)
    test = Test(_TEST, gained.bits, gained.reached, gained.among.lineages)
    said = (gained.bits, outcome, odds, is_named, reason)
    return Opinion(family, gained.version, *said, tests=(test,))


def _odds(gained: Gained, pairs: Sequence[Known]) -> float:
    """Odds within their bounds."""
    alike = np.array([k.alike for k in pairs])
    bounds = bounds_of(pairs, bounded(odds_left_out(pairs), alike))
    raw = fit_odds(pairs).odds(np.array([[gained.bits]]))
    return float(bounded(raw, np.array([gained.among.lineages]), bounds)[0])


def _ruling(gained: Gained, odds: float | None, *, is_named: bool) -> tuple[Outcome, str]:
    """What may be said, and why not more."""
    if odds is not None and odds <= 1 / SUPPORT:
        return "does not support", ""
    if gained.among.says != "above":
        return "cannot tell", "models that did not learn from it gain as much on its answers"
    if not gained.surely:
        return "cannot tell", "the difference to the innocents lies within the noise of the prompts"
    if not is_named:
        return "cannot tell", "it gained more on the answers of another candidate"
    if odds is not None and odds < SUPPORT:
        return "cannot tell", f"the odds are below {SUPPORT:g}"
    return "supports", ""
