"""How often a method of weighing evidence is right and wrong, from the models of which the truth is documented.

Every model was weighed with its own lineage left out. A family of which the method's odds say nothing gives no verdict,
however large a single number is (`settled`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.panel.evidence import Origin, Verdict, tried
from harness.stats.cllr import cllr, cllr_min
from harness.stats.means import Interval, clopper_pearson, share_interval
from harness.stats.roc import auroc
from harness.types import Floats

MOST_CLLR = 0.8  # of odds within one family; 1 says nothing, above 1 it misleads
# Students of a family whom a method may take for innocents, at the upper end of 95 %: else it speaks against nobody.
MOST_MISSED = 0.2


@dataclass(frozen=True)
class Rates:
    """How a method fares with models whose truth is documented, about one family or all."""

    method: str
    task: str
    family: str  # "" = all families
    n_guilty: int  # models that learned from it; of all families: from any
    n_guilty_lineages: int
    n_found: int  # of these, whose verdict supports it
    n_named: int  # of these, for whom it is the family that the method would name
    n_innocent: int  # models that did not; of all families: models that learned from none
    n_innocent_lineages: int
    accused: tuple[str, ...]  # models for which it supports a family that they did not learn from
    n_clean: int  # innocents that are documented to have learned from no model
    # shares with their intervals, at the effective number of models: those of a lineage are no independent tries; None
    # where there is no such model
    named: Interval | None  # of the guilty, who are named
    innocents_accused: (
        Interval | None
    )  # of the innocent: of all families, those who learned from none
    untold: (
        float | None
    )  # share of the documented pairs of model and family for which the verdict is "cannot tell"
    auroc: float | None  # of the score; None where one of the two kinds is missing
    cllr: float | None  # bits; None where the method gives no odds
    cllr_min: float | None  # the same, had the odds been calibrated as well as they can be
    cllr_within: float | None = None  # of all families: mean of theirs, weighed by guilty models
    undisclosed: tuple[str, ...] = ()  # of the accused, those whose training nobody discloses

    @property
    def accused_names(self) -> list[str]:
        """The accused; whether those of undisclosed training are accused wrongly, nobody can say."""
        return [f"{m} (undisclosed)" if m in self.undisclosed else m for m in self.accused]


class _Truth:
    """Lineages of models, which are clean, and of whose training nothing is disclosed."""

    def __init__(self, origins: Iterable[Origin]) -> None:
        known = list(origins)
        self.lineage = {o.model: o.lineage or o.model for o in known}
        self.clean = {o.model for o in known if o.is_clean}
        controls = [o for o in known if o.standing == "control"]
        self.undisclosed = {o.model for o in controls if o.confidence == "low"}

    def share(self, holds: Mapping[str, bool]) -> Interval | None:
        """The share of models of which something holds; Clopper and Pearson's interval, lineages as clusters."""
        if not holds:
            return None
        values = np.array([holds[m] for m in holds], dtype=np.float64)
        lineages = [self.lineage[m] for m in holds]
        if len(set(lineages)) > 1:
            return share_interval(values, lineages)
        share = float(values.mean())
        return Interval(share, *clopper_pearson(share, 1), len(values))


def settled(verdicts: Sequence[Verdict], origins: Sequence[Origin]) -> list[Verdict]:
    """The verdicts of one method on one task; nothing is told of families of which its odds say nothing.

    Nor do odds speak against a family whose own students may look as innocent. Both is measured on the models of other
    lineages than the suspect's.
    """
    truth, families = _Truth(origins), _by_family(verdicts)
    worth: dict[tuple[str, str], tuple[str, str]] = {}
    made = []
    for v in verdicts:
        lineage = truth.lineage.get(v.suspect, v.suspect)
        if v.opinion.odds is not None and (v.family, lineage) not in worth:
            others = [o for o in families[v.family] if truth.lineage.get(o.suspect) != lineage]
            worth[v.family, lineage] = (
                _worthless(v.family, others),
                _blind(v.family, others, truth),
            )
        worthless, blind = worth.get((v.family, lineage), ("", ""))
        opinion = v.opinion
        if worthless:
            opinion = replace(opinion, outcome="cannot tell", reason=worthless, is_told=False)
        elif blind and opinion.odds is not None and opinion.outcome == "does not support":
            opinion = replace(opinion, outcome="cannot tell", reason=blind)
        made.append(replace(v, opinion=opinion))
    return made


def rates_of(verdicts: Sequence[Verdict], origins: Sequence[Origin], suspect: str) -> list[Rates]:
    """The rates of every method on every task: about all families, then about each.

    The suspect and its lineage count in none of them; suspect: "" = nobody in particular is.
    """
    truth = _Truth(origins)
    cells: dict[tuple[str, str], list[Verdict]] = {}
    for v in tried(verdicts, origins, suspect):
        cells.setdefault((v.method, v.task), []).append(v)
    rates = []
    for own in cells.values():
        each = [_rates(family, some, truth) for family, some in _by_family(own).items()]
        told = [(r.n_guilty, r.cllr) for r in each if r.cllr is not None]
        total = sum(n for n, _ in told)
        within = sum(n * c for n, c in told) / total if total else None
        rates += [replace(_overall(own, truth), cllr_within=within), *each]
    return rates


def _by_family(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    families: dict[str, list[Verdict]] = {}
    for v in verdicts:
        families.setdefault(v.family, []).append(v)
    return families


def _worthless(family: str, verdicts: Sequence[Verdict]) -> str:
    """Why the odds of a method say nothing about a family; "" where they do."""
    told = _told(verdicts)
    kinds = {truth for truth, _ in told}
    if len(kinds) < 2:
        who = "did not learn" if True in kinds else "learned"
        return f"no other model is documented that {who} from {family}, so nobody knows how often this would be wrong"
    worth = cllr(*_arrays(told))
    if worth <= MOST_CLLR:
        return ""
    return (
        f"this method says almost nothing about {family}: its Cllr there is {worth:.2f}, where 1 is that of no method "
        f"and at most {MOST_CLLR} counts"
    )


def _blind(family: str, verdicts: Sequence[Verdict], truth: _Truth) -> str:
    """Why the absence of a trace says nothing about a family; "" where its students are known to leave one."""
    own = {v.suspect: v.opinion.outcome for v in verdicts if v.truth is True}
    missed = truth.share({m: outcome == "does not support" for m, outcome in own.items()})
    if missed is None or missed.high <= MOST_MISSED:
        return ""
    n = len({truth.lineage[m] for m in own})
    most, may = f"{100 * MOST_MISSED:.0f} %", f"{100 * missed.high:.0f} %"
    few = "only one lineage of students" if n == 1 else f"{n} lineages of students"
    return (
        f"no trace was found, but of {few} of {family} that are documented up to {may} may show none; at most {most} "
        "may"
    )


def _rates(family: str, verdicts: Sequence[Verdict], truth: _Truth) -> Rates:
    """The rates about one family."""
    guilty = [v for v in verdicts if v.truth is True]
    innocent = [v for v in verdicts if v.truth is False]
    accused = [v.suspect for v in innocent if v.opinion.outcome == "supports"]
    return Rates(
        method=verdicts[0].method,
        task=verdicts[0].task,
        family=family,
        n_guilty=len(guilty),
        n_guilty_lineages=len(_lineages(guilty, truth)),
        n_found=sum(v.opinion.outcome == "supports" for v in guilty),
        n_named=sum(v.opinion.is_named for v in guilty),
        n_innocent=len(innocent),
        n_innocent_lineages=len(_lineages(innocent, truth)),
        accused=tuple(sorted(accused)),
        undisclosed=tuple(sorted(truth.undisclosed & {*accused})),
        n_clean=sum(v.suspect in truth.clean for v in innocent),
        named=truth.share({v.suspect: v.opinion.is_named for v in guilty}),
        innocents_accused=truth.share({v.suspect: v.suspect in accused for v in innocent}),
        untold=_untold(verdicts),
        **_sums(verdicts),
    )


def _overall(verdicts: Sequence[Verdict], truth: _Truth) -> Rates:
    """The rates about all families together: models are counted, not pairs."""
    guilty: dict[str, list[Verdict]] = {}
    for v in verdicts:
        if v.truth is True:
            guilty.setdefault(v.suspect, []).append(v)
    innocent = {v.suspect: v for v in verdicts if v.truth is False and v.suspect not in guilty}
    wrong = {v.suspect for v in verdicts if v.truth is False and v.opinion.outcome == "supports"}
    named = {m: any(v.opinion.is_named for v in own) for m, own in guilty.items()}
    return Rates(
        method=verdicts[0].method,
        task=verdicts[0].task,
        family="",
        n_guilty=len(guilty),
        n_guilty_lineages=len({truth.lineage[m] for m in guilty}),
        n_found=sum(any(v.opinion.outcome == "supports" for v in own) for own in guilty.values()),
        n_named=sum(named.values()),
        n_innocent=len(innocent),
        n_innocent_lineages=len({truth.lineage[m] for m in innocent}),
        accused=tuple(sorted(wrong)),
        undisclosed=tuple(sorted(truth.undisclosed & wrong)),
        n_clean=len(truth.clean & innocent.keys()),
        named=truth.share(named),
        innocents_accused=truth.share({m: m in wrong for m in innocent}),
        untold=_untold(verdicts),
        **_sums(verdicts),
    )


def _untold(verdicts: Sequence[Verdict]) -> float | None:
    told = [v.opinion.outcome != "cannot tell" for v in verdicts if v.truth is not None]
    return 1 - sum(told) / len(told) if told else None


def _sums(verdicts: Sequence[Verdict]) -> Mapping[str, float | None]:
    """AUROC of the scores, Cllr of the odds and what it could be at best."""
    scored = [
        (v.truth, v.opinion.score)
        for v in verdicts
        if v.truth is not None and v.opinion.score is not None
    ]
    told = _told(verdicts)
    sums: dict[str, float | None] = {"auroc": None, "cllr": None, "cllr_min": None}
    if len({truth for truth, _ in scored}) == 2:
        sums["auroc"] = auroc(*_arrays(scored))
    if len({truth for truth, _ in told}) == 2:
        odds, truth = _arrays(told)
        sums |= {"cllr": cllr(odds, truth), "cllr_min": cllr_min(odds, truth)}
    return sums


def _told(verdicts: Iterable[Verdict]) -> list[tuple[bool, float]]:
    """Truth and odds, where both are known."""
    return [
        (v.truth, v.opinion.odds)
        for v in verdicts
        if v.truth is not None and v.opinion.odds is not None
    ]


def _arrays(pairs: Sequence[tuple[bool, float]]) -> tuple[Floats, NDArray[np.bool_]]:
    """Numbers (n,) and truths (n,)."""
    numbers = np.array([number for _, number in pairs], dtype=np.float64)
    return numbers, np.array([truth for truth, _ in pairs], dtype=np.bool_)


def _lineages(verdicts: Iterable[Verdict], truth: _Truth) -> set[str]:
    return {truth.lineage[v.suspect] for v in verdicts}
