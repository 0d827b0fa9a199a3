"""How good likelihood ratios are: their cost, calibration, bounds, and the curves that are drawn of them.

`odds` (n,) are likelihood ratios, all above 0; `truth` (n,) says for which of them the first hypothesis holds.
The costs and the bound agree with the package `lir` 1.3.1 (tests/stats/test_cllr.py).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.types import Floats

Truth = NDArray[np.bool_]
_STEP = 0.01  # of ELUB's thresholds, in powers of ten
_EXTREME = 9.0  # powers of ten, beyond which a ratio counts as that


class Bounds(NamedTuple):
    """The ratios between which a system can be trusted."""

    low: float
    high: float


class Tippett(NamedTuple):
    """Shares of the ratios that are at least so large, in both classes."""

    log10_odds: Annotated[Floats, "K"]  # sorted, each that occurs once
    of_true: Annotated[Floats, "K"]
    of_false: Annotated[Floats, "K"]


class CrossEntropy(NamedTuple):
    """Empirical cross-entropy in bits over prior odds, for three systems."""

    log10_prior: Annotated[Floats, "K"]
    of_odds: Annotated[Floats, "K"]
    of_calibrated: Annotated[Floats, "K"]  # the same order of ratios, ideally calibrated (PAV)
    of_nothing: Annotated[Floats, "K"]  # a ratio of 1 for everything


def cllr(odds: Annotated[Floats, "n"], truth: Annotated[Truth, "n"]) -> float:
    """Cost of log likelihood ratios in bits, at least 0; 1 is what saying nothing costs; lower is better.

    Both classes must occur. Source: Brümmer and du Preez 2006, Computer Speech and Language 20, equation 28.
    """
    _require_both(truth)
    return float(np.mean(np.log2(1 + 1 / odds[truth])) / 2 + np.mean(np.log2(1 + odds[~truth])) / 2)


def cllr_min(odds: Annotated[Floats, "n"], truth: Annotated[Truth, "n"]) -> float:
    """What would be left of the cost under ideal calibration: how badly the classes are told apart, in bits."""
    with np.errstate(divide="ignore"):
        return cllr(pav(odds, truth), truth)


def pav(odds: Annotated[Floats, "n"], truth: Annotated[Truth, "n"]) -> Annotated[Floats, "n"]:
    """The ratios (n,) that fit best among those in the same order; 0 and inf where classes are apart.

    Pool adjacent violators, with both classes weighing the same; equal ratios stay equal.
    Source: Brümmer and du Preez 2006, section 5.
    """
    from scipy.optimize import isotonic_regression

    _require_both(truth)
    weights = np.where(truth, np.mean(~truth), np.mean(truth))
    places = np.unique(odds, return_inverse=True)[1]
    together = np.bincount(places, weights)
    share = isotonic_regression(
        np.bincount(places, weights * truth) / together, weights=together
    ).x[places]
    with np.errstate(divide="ignore"):
        return np.asarray(share / (1 - share))


def elub(odds: Annotated[Floats, "n"], truth: Annotated[Truth, "n"]) -> Bounds:
    """The empirical bounds (low <= 1 <= high): beyond them these data are too few to support a ratio.

    Source: Vergeer, van Es, de Jongh, Alberink and Stoel 2016, Science & Justice 56, 482-491: where the expected
    utility of the ratios, with one misleading ratio added to either class, falls below that of a ratio of 1.
    """
    _require_both(truth)
    logs = np.clip(np.log10(odds), -_EXTREME, _EXTREME)
    least = max(float(logs.min()), -float(np.log10(truth.sum() + 1)))
    most = min(float(logs.max()), float(np.log10((~truth).sum() + 1)))
    first = min(0, int(np.floor_divide(least, _STEP)))
    last = max(0, int(np.floor_divide(most, _STEP)) + 1)
    thresholds = np.linspace(first * _STEP, last * _STEP, last - first + 1)
    cost = 10**thresholds
    neutral = np.where(cost >= 1, 1.0, cost)  # accepts below 1, and then pays for what is false
    accepted = 10 ** logs[:, None] > cost
    missed = 1 - accepted[truth].sum(axis=0) / (truth.sum() + 1)
    misled = (accepted[~truth].sum(axis=0) + 1) / ((~truth).sum() + 1)
    worse = neutral / (missed + cost * misled) < 1
    low = np.max(thresholds[(thresholds <= 0) & worse] + _STEP, initial=thresholds[0])
    high = np.min(thresholds[(thresholds >= 0) & worse] - _STEP, initial=thresholds[-1])
    return Bounds(float(10 ** min(low, 0.0)), float(10 ** max(high, 0.0)))


def tippett(odds: Annotated[Floats, "n"], truth: Annotated[Truth, "n"]) -> Tippett:
    """The curves of Tippett: how many of the ratios of either class are at least so large.

    Source: Tippett, Emerson, Fereday, Lawton and Lampert 1968.
    """
    _require_both(truth)
    logs = np.log10(odds)
    levels = np.unique(logs)
    shares = [np.mean(logs[one] >= levels[:, None], axis=1) for one in (truth, ~truth)]
    return Tippett(levels, *shares)


def cross_entropy(
    odds: Annotated[Floats, "n"],
    truth: Annotated[Truth, "n"],
    log10_prior: Annotated[Floats, "K"],
) -> CrossEntropy:
    """Empirical cross-entropy (K,) at each prior odds; at prior odds of 1 it is the cost.

    Source: Ramos, Gonzalez-Rodriguez, Zadora and Aitken 2013, Journal of Forensic Sciences 58, 1503-1518.
    """
    _require_both(truth)
    prior = 10**log10_prior
    made = [_entropy(o, truth, prior) for o in (odds, pav(odds, truth), np.ones_like(odds))]
    return CrossEntropy(log10_prior, *made)


def _entropy(
    odds: Annotated[Floats, "n"], truth: Annotated[Truth, "n"], prior: Annotated[Floats, "K"]
) -> Annotated[Floats, "K"]:
    share = prior / (1 + prior)
    with np.errstate(divide="ignore"):
        of_true = np.mean(np.log2(1 + 1 / (odds[truth][:, None] * prior)), axis=0)
        of_false = np.mean(np.log2(1 + odds[~truth][:, None] * prior), axis=0)
    return np.asarray(share * of_true + (1 - share) * of_false)


def _require_both(truth: Annotated[Truth, "n"]) -> None:
    if truth.all() or not truth.any():
        raise ValueError(f"expected true and false pairs, got {len(truth)} of one class")
