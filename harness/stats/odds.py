"""Odds that a model learned from a candidate, fitted on models whose teachers are known, and what may be said of them.

Odds here are likelihood ratios: the reader's own prior odds times them are posterior odds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np

from harness.stats.cllr import Bounds, Truth, cllr, cllr_min, elub
from harness.types import Floats, Ints

NO_TRACE = (
    0.10  # share of students that show no trace: absence speaks tenfold against a candidate at most
)
RIDGE = 0.5  # times the squared coefficients
SUPPORT = 5.0  # odds from which a candidate is supported, and below whose inverse it is not
# Below, a clean lineage was accused on real models, and of the teachers named one in five was wrong.
FEWEST_PROMPTS = 100
_STEPS = 100  # of Newton's method
_SMALL = 1e-10  # of a step

Verdict = Literal["supports", "does not support", "cannot tell"]


@dataclass(frozen=True)
class Known:
    """A pair of a model and a family, of which it is known whether the model learned from it."""

    suspect: str
    family: str
    lineage: str  # of the suspect
    signals: tuple[float, ...]  # (S,)
    truth: bool | None  # None: neither, such as a second teacher or the same lab
    alike: int  # innocent lineages whose replies are about as long
    prompts: int  # that suspect and family answered
    named: bool = False  # whether the naming score chose this family for the suspect


@dataclass(frozen=True)
class Coefficients:
    """Of log odds = intercept + sum of slopes x standardised signals."""

    intercept: float
    slopes: tuple[float, ...]  # (S,)
    means: tuple[float, ...]  # (S,)
    spreads: tuple[float, ...]  # (S,)

    def odds(self, signals: Annotated[Floats, "n S"]) -> Annotated[Floats, "n"]:
        """Odds (n,) of pairs, not bounded above; at least NO_TRACE."""
        standard = (signals - np.array(self.means)) / np.array(self.spreads)
        logs = self.intercept + standard @ np.array(self.slopes)
        return np.asarray(NO_TRACE + (1 - NO_TRACE) * np.exp(logs))


class Ruling(NamedTuple):
    """What is said of a candidate, and the reason where nothing can be."""

    verdict: Verdict
    reason: str = ""


class Weighed(NamedTuple):
    """A candidate of one suspect."""

    odds: float  # bounded
    named: bool  # whether the naming score chose it
    alike: int  # innocent lineages whose replies are about as long
    prompts: int  # that both answered


def pair_weights(known: Sequence[Known]) -> Annotated[Floats, "n"]:
    """Weights (n,), their sum n: true pairs together weigh what false ones weigh, within every family.

    Within its class a lineage weighs what another weighs; a family without true pairs weighs nothing.
    """
    truth = _truth(known)
    classes = [(k.truth, k.lineage) for k in known]
    sizes = Counter(classes)
    weights = np.array([1 / sizes[one] for one in classes])
    families = np.array([k.family for k in known])
    for family in sorted(set(families)):
        here = families == family
        false = here & ~truth
        if false.any():
            weights[false] *= weights[here & truth].sum() / weights[false].sum()
    return np.asarray(weights * (len(known) / weights.sum()))


def fit_odds(known: Sequence[Known]) -> Coefficients:
    """Coefficients of a weighted logistic regression with a ridge; pairs that are neither are left out.

    No slope is negative: more resemblance never lowers the odds. So the best of all subsets of the signals counts whose
    slopes are not, the others' being 0.
    Source: Morrison 2013, Australian Journal of Forensic Sciences 45, 173-197 (calibration by logistic regression).
    """
    used = [k for k in known if k.truth is not None]
    truth, weights = _truth(used), pair_weights(used)
    signals = np.array([k.signals for k in used])
    means = np.average(signals, axis=0, weights=weights)
    spreads = np.sqrt(np.average((signals - means) ** 2, axis=0, weights=weights))
    standard = (signals - means) / spreads
    best = _newton(standard, truth, weights, range(signals.shape[1]))
    if min(best.slopes) < 0:
        fits = [_newton(standard, truth, weights, use) for use in _subsets(signals.shape[1])]
        best = min((f for f in fits if min(f.slopes) >= 0), key=lambda f: f.loss)
    return Coefficients(best.intercept, best.slopes, _plain(means), _plain(spreads))


def odds_left_out(
    known: Sequence[Known], fits: dict[Any, Coefficients] | None = None
) -> Annotated[Floats, "n"]:
    """Odds (n,) of each pair by coefficients fitted without its suspect's lineage, not bounded above.

    They are 1 where the others have no true pair, or no false one beside it. fits: what was fitted before on pairs of
    the same documented models, by whose and which pairs these were; what is fitted here is added.
    """
    signals = np.array([k.signals for k in known])
    lineages = np.array([k.lineage for k in known])
    made, fits = np.empty(len(known)), {} if fits is None else fits
    for lineage in sorted(set(lineages)):
        own = lineages == lineage
        rest = [k for k, is_own in zip(known, own, strict=True) if not is_own]
        taught = {k.family for k in rest if k.truth}
        able = {k.truth for k in rest if k.family in taught} >= {True, False}
        if not able:
            made[own] = 1.0
            continue
        which = frozenset(k.lineage for k in rest), frozenset(k.family for k in rest)
        if which not in fits:
            fits[which] = fit_odds(rest)
        made[own] = fits[which].odds(signals[own])
    return made


def bounded(
    odds: Annotated[Floats, "n"], alike: Annotated[Ints, "n"], bounds: Bounds | None = None
) -> Annotated[Floats, "n"]:
    """Odds (n,) within ELUB's bounds, and of at most the number of lineages that could have been mistaken.

    alike (n,): innocent lineages whose replies are about as long as the suspect's. Resemblance in short plain prose is
    no evidence where nobody else's prose is short: with no such lineage the odds are 1.
    """
    high = np.maximum(alike, 1).astype(np.float64)
    if bounds is None:
        return np.minimum(odds, high)
    return np.clip(odds, bounds.low, np.minimum(high, bounds.high))


def bounds_of(known: Sequence[Known], odds: Annotated[Floats, "n"]) -> Bounds:
    """ELUB's bounds of the odds (n,) of known pairs: of those that could be supported at all (see `decide`).

    The odds of the others are held down by their few prompts, or by the few innocents of a like length, and would hold
    the bounds down with them. Where none of one class could be supported, all pairs count.
    """
    sure = _counted(known)
    truth = np.array([bool(k.truth) for k in known])
    able = sure & [k.prompts >= FEWEST_PROMPTS and k.alike >= SUPPORT for k in known]
    some = able if len(set(truth[able])) == 2 else sure
    return elub(odds[some], truth[some])


@dataclass(frozen=True)
class Quality:
    """How good odds are, on pairs whose lineage was left out."""

    cost: float  # Cllr in bits over all pairs
    least_cost: float  # Cllr-min
    within: Mapping[
        str, float
    ]  # family -> Cllr of its pairs, of families with a true and a false pair
    true_pairs: Mapping[str, int]  # family -> how many
    bounds: Bounds  # ELUB

    @property
    def cost_within(self) -> float:
        """Cllr within families, weighted by their true pairs."""
        total = sum(self.true_pairs[f] for f in self.within)
        return sum(c * self.true_pairs[f] for f, c in self.within.items()) / total

    @property
    def calibration_loss(self) -> float:
        """What ideal calibration would spare, in bits."""
        return self.cost - self.least_cost


def quality(known: Sequence[Known], odds: Annotated[Floats, "n"]) -> Quality:
    """Of odds (n,) of known pairs; those that are neither count for nothing, nor families without a known student."""
    sure = _counted(known)
    truth = np.array([bool(k.truth) for k in known])
    families = np.array([k.family for k in known])
    within, pairs = {}, {}
    for family in sorted({k.family for k in known}):
        here = sure & (families == family)
        if truth[here].any() and not truth[here].all():
            within[family] = cllr(odds[here], truth[here])
            pairs[family] = int(truth[here].sum())
    return Quality(
        cllr(odds[sure], truth[sure]),
        cllr_min(odds[sure], truth[sure]),
        within,
        pairs,
        bounds_of(known, odds),
    )


def decide(odds: float, *, named: bool, alike: int, prompts: int) -> Ruling:
    """What may be said of a candidate.

    odds: bounded; named: whether the naming score chose this family; alike: innocent lineages whose replies are about
    as long as the suspect's; prompts: that both answered.
    """
    if odds <= 1 / SUPPORT:
        return Ruling("does not support")
    if odds < SUPPORT:
        short = (
            f"only {alike} innocent lineages reply at about this length, so the odds cannot exceed"
        )
        between = f"the odds are between 1/{SUPPORT:g} and {SUPPORT:g}"
        return Ruling("cannot tell", between if alike >= SUPPORT else f"{short} {max(alike, 1)}")
    if not named:
        return Ruling("cannot tell", "the naming score prefers another candidate")
    if prompts < FEWEST_PROMPTS:
        return Ruling(
            "cannot tell",
            f"{prompts} prompts are too few to support anyone; {FEWEST_PROMPTS} are needed",
        )
    return Ruling("supports")


def decide_all(weighed: Sequence[Weighed]) -> list[Ruling]:
    """What may be said of each candidate of one suspect, in their order.

    Where the one that is named is supported, so is every other with such odds: a suspect may have learned from two.
    """
    alone = [decide(w.odds, named=w.named, alike=w.alike, prompts=w.prompts) for w in weighed]
    pairs = list(zip(weighed, alone, strict=True))
    found = any(w.named and ruling.verdict == "supports" for w, ruling in pairs)
    if not found:
        return alone
    return [decide(w.odds, named=True, alike=w.alike, prompts=w.prompts) for w in weighed]


def _counted(known: Sequence[Known]) -> Annotated[Truth, "n"]:
    """Pairs whose truth is known, of families with a known student."""
    taught = {k.family for k in known if k.truth}
    return np.array([k.truth is not None and k.family in taught for k in known], dtype=np.bool_)


def _truth(known: Sequence[Known]) -> Annotated[Truth, "n"]:
    truth = np.array([bool(k.truth) for k in known], dtype=bool)
    if truth.all() or not truth.any():
        raise ValueError(f"expected true and false pairs, got {len(truth)} of one class")
    return truth


class _Fit(NamedTuple):
    """A minimum of the penalised loss over some of the signals."""

    loss: float
    intercept: float
    slopes: tuple[float, ...]  # (S,), 0 for the others


def _subsets(n: int) -> list[list[int]]:
    """All subsets of n places but the whole."""
    return [list(some) for size in range(n) for some in combinations(range(n), size)]


def _newton(
    signals: Annotated[Floats, "n S"],
    truth: Annotated[Truth, "n"],
    weights: Annotated[Floats, "n"],
    use: Sequence[int],
) -> _Fit:
    """The minimum of the weighted logistic loss + RIDGE x squared slopes, by Newton's method; the intercept is free."""
    design = np.column_stack([np.ones(len(truth)), signals[:, list(use)]])
    ridge = np.diag([0.0, *[2 * RIDGE] * len(use)])
    made = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-design @ made))
        slope = design.T @ (weights * (share - truth)) + ridge @ made
        curve = (design.T * (weights * share * (1 - share))) @ design + ridge
        step = np.linalg.solve(curve, slope)
        made = made - step * min(1.0, 2 / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < _SMALL:
            break
    margins = np.where(truth, 1, -1) * (design @ made)
    loss = float(weights @ np.logaddexp(0, -margins) + made @ ridge @ made / 2)
    slopes = np.zeros(signals.shape[1])
    slopes[list(use)] = made[1:]
    return _Fit(loss, float(made[0]), _plain(slopes))


def _plain(values: Annotated[Floats, "K"]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
