"""The impostors method: is a teacher nearer than everybody else, whichever words are counted?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from harness.panel.evidence import Crowd, Opinion, Origin, Outcome
from harness.panel.panel import View
from harness.panel.side import once
from harness.types import DistillbenchError, Floats, Unavailable
from harness.verdicts import AbstractVerdict
from harness.verdicts._words import word_rates

_GRID = np.round(np.arange(0, 1.0001, 0.05), 2)


class Share(NamedTuple):
    """In how large a share of the rounds a version of a family is nearer than all impostors."""

    value: float
    version: str


class Bounds(NamedTuple):
    """Shares between which nothing can be told."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Rounds:
    """Similarities of everybody with everybody, in rounds of different words and impostors."""

    places: Mapping[str, int]
    families: Mapping[str, tuple[str, ...]]
    similarity: Annotated[NDArray[np.float32], "R M M"]
    takes_part: Annotated[NDArray[np.bool_], "R M"]  # as an impostor
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def share(self, model: str, family: str, known: tuple[Origin, ...]) -> Share | None:
        """The largest of the family's versions; None without versions or impostors.

        Impostors are those of the known that did not learn from the family, but for the model's own lineage.
        """
        own = [o for o in known if o.model == model]
        lineage = {o.lineage for o in own if o.lineage}
        others = [
            self.places[o.model]
            for o in known
            if o.model in self.places
            and o.model != model
            and o.lineage not in lineage
            and o.learned_from(family) is False
        ]
        row = np.nan_to_num(self.similarity[:, self.places[model]], nan=-np.inf)
        versions = [
            v for v in self.families[family] if v != model and row[0, self.places[v]] > -np.inf
        ]
        there = self.takes_part[:, others] & (row[:, others] > -np.inf)
        some = there.any(axis=1)  # the rounds with an impostor
        if not versions or not some.any():
            return None
        best = np.where(there, row[:, others], -np.inf).max(axis=1)
        of = {v: float((row[:, self.places[v]] > best)[some].mean()) for v in versions}
        version = max(of, key=lambda v: (of[v], v))
        return Share(of[version], version)

    @once
    def bounds(self, known: tuple[Origin, ...]) -> Bounds:
        """Those with which the known are told best, by c@1. Raises Unavailable where only one kind is known."""
        taught = [f for f in self.families if any(o.learned_from(f) for o in known)]
        pairs = [
            (made.value, truth)
            for o in known
            if o.model in self.places
            for f in taught
            if (truth := o.learned_from(f)) is not None
            and (made := self.share(o.model, f, known)) is not None
        ]
        if len({truth for _, truth in pairs}) < 2:
            raise Unavailable(
                "nobody else is documented to have learned from these families, or nobody not to have"
            )
        shares = np.array([value for value, _ in pairs])
        truths = np.array([truth for _, truth in pairs], dtype=np.bool_)
        return max(
            (Bounds(float(a), float(b)) for a in _GRID for b in _GRID if a <= b),
            key=lambda bounds: (c_at_1(shares, truths, bounds), bounds.low - bounds.high),
        )


def c_at_1(
    shares: Annotated[Floats, "n"], truth: Annotated[NDArray[np.bool_], "n"], bounds: Bounds
) -> float:
    """Share of right answers, in which those not given count as right as often as the others are.

    Both kinds of truth weigh the same. Source: Peñas and Rodrigo 2011, A simple measure to assess non-response, ACL.
    """
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    right = float(weight[np.where(truth, shares > bounds.high, shares < bounds.low)].sum())
    silent = float(weight[(shares >= bounds.low) & (shares <= bounds.high)].sum())
    return right + silent * right


@final
@dataclass(frozen=True)
class Impostors(AbstractVerdict):
    """Shares of rounds in which a family beats all impostors, and a grey zone between two bounds.

    Source: Koppel and Winter 2014, Determining if two documents are written by the same author, JASIST 65(1), with
    min-max similarity; bounds by c@1 on known cases as in Kestemont et al. 2016, Expert Systems with Applications 63.
    """

    words: int = 1000  # the commonest, of which every round draws a half
    rounds: int = 100  # in each a part of the words and of the impostors is drawn

    looks_at: ClassVar[View] = View.STYLE
    reads_tokens: ClassVar[bool] = True
    explanation: ClassVar[str] = (
        "The general impostors method of authorship verification (Koppel and Winter 2014): in each of 100 rounds with "
        "half of the 1,000 commonest words and half of the impostors (models that did not learn from the family), is "
        "a teacher nearer to the suspect than all of them? Supported above, spoken against below, and not told "
        "between two shares of rounds which do best on the known models (c@1; Kestemont et al. 2016). No odds."
    )

    def __post_init__(self) -> None:
        if self.words < 1 or self.rounds < 1:
            raise DistillbenchError("keys words and rounds: expected 1 or more")

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Rounds:
        """Similarities, round by round."""
        made = word_rates(crowd, self.words)
        rates = made.rates / np.nanmean(made.rates[made.background], axis=0)
        models = list(crowd.sides)
        similarity, there = [], np.zeros((self.rounds, len(models)), dtype=np.bool_)
        for i in range(self.rounds):
            some = rng.permutation(rates.shape[1])[: max(rates.shape[1] // 2, 1)]
            there[i, made.background] = rng.random(len(made.background)) < 0.5
            similarity.append(_min_max(rates[:, some]))
        places = {m: i for i, m in enumerate(models)}
        return Rounds(places, dict(crowd.families), np.stack(similarity), there)

    def weigh(self, prepared: Rounds, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """What the shares say of each family."""
        others = tuple(known)
        bounds = prepared.bounds(others)
        shares = {f: prepared.share(suspect, f, others) for f in prepared.families}
        told = {f: s for f, s in shares.items() if s is not None}
        first = max(told, key=lambda f: (told[f].value, f), default="")
        return [
            Opinion(f, s.version, s.value, _outcome(s.value, bounds), is_named=f == first)
            if (s := told.get(f)) is not None
            else _silent(suspect, f, prepared.families[f])
            for f in prepared.families
        ]


def _outcome(share: float, bounds: Bounds) -> Outcome:
    if share > bounds.high:
        return "supports"
    return "does not support" if share < bounds.low else "cannot tell"


def _silent(suspect: str, family: str, versions: Sequence[str]) -> Opinion:
    reason = f"{suspect}, {family} or impostors have no answers that can be compared"
    return Opinion(family, versions[0], None, "cannot tell", reason=reason, is_told=False)


def _min_max(rates: Annotated[Floats, "M N"]) -> Annotated[NDArray[np.float32], "M M"]:
    """Sum of the smaller over sum of the larger of two rows' rates, from the distances of rows."""
    from scipy.spatial.distance import pdist, squareform

    distance = squareform(pdist(rates, "cityblock"))
    sizes = rates.sum(axis=1)
    both = sizes[:, None] + sizes[None]
    return np.asarray((both - distance) / (both + distance), dtype=np.float32)
