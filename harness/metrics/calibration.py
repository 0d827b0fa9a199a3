"""Calibration: whether a model's probabilities of its options are as high as it is right, and whose confidence it has.

Source: Brier 1950 (the sum over options, 0 to 2); expected calibration error with bins of equal numbers of prompts,
Nguyen and O'Connor 2015; Nixon et al. 2019. Probabilities are softmax over lm-eval's sums of each option.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.choices import AlignedChoices, align_choices_with_gold
from harness.panel.panel import Looks, Panel, View
from harness.types import (
    Better,
    DistillbenchError,
    Finding,
    Floats,
    Ints,
    Mean,
    Ratio,
    RatioStratum,
    Smooth,
    Unavailable,
)


def confidence(probabilities: Floats) -> Floats:
    """(P,) probability of the option chosen, the largest; probabilities (P, K)."""
    return np.asarray(probabilities.max(axis=-1))


def brier(probabilities: Floats, gold: Ints) -> Floats:
    """(P,) sum over options of (probability - 1 if right else 0)^2: 0 = sure and right, 2 = sure and wrong."""
    right = gold[:, None] == np.arange(probabilities.shape[1])
    return np.asarray(((probabilities - right) ** 2).sum(axis=1))


def nll(probabilities: Floats, gold: Ints) -> Floats:
    """(P,) minus the logarithm of the right option's probability, in nats; inf where that is 0."""
    with np.errstate(divide="ignore"):
        return -np.log(probabilities[np.arange(len(gold)), gold])


def equal_bins(confidences: Floats, most: int) -> list[Ints]:
    """Prompts (indices) by rising confidence in bins whose sizes differ by one at most; ties stay in their order."""
    order = np.argsort(confidences, kind="stable")
    return [np.asarray(b) for b in np.array_split(order, min(most, len(order))) if len(b)]


def calibration_error(confidences: Floats, right: Floats, bins: Sequence[Ints]) -> float:
    """Sum over bins of (share of prompts) |share right - mean confidence|; confidences, right (P,)."""
    gaps = (abs(float((right[b] - confidences[b]).sum())) for b in bins)
    return sum(gaps) / len(confidences)


@dataclass(frozen=True)
class Calibration(AbstractMetric):
    """How far confidence and accuracy lie apart."""

    bins: int = 10  # of equal numbers of prompts

    unit = "probability"
    better = "lower"
    looks_at = Looks((View.CHOICES,), also=("teacher", "base"))
    explanation = (
        "How far a model's confidence in the option it chooses lies from the share of prompts on which it is right, "
        "over bins of equal numbers of prompts (expected calibration error; of few prompts it is never near 0, so "
        "compare models on the same ones). `overconfidence` is the signed difference; `brier` and `nll` judge every "
        "option's probability. `confidence_gap` is how far the student's mean confidence went from its base's (0) to "
        "its teacher's (1): confidence is taken over without the knowledge behind it."
    )

    def __post_init__(self) -> None:
        if self.bins < 1:
            raise DistillbenchError(f"key bins: expected 1 or more, got {self.bins}")

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """A model's own numbers and the bins behind them; for a pair the gap in confidence."""
        panel = panels[0]
        if panel.get("teacher") is not None:
            return [_confidence_gap(panel)]
        aligned = _with_probabilities(align_choices_with_gold(panel))
        probabilities, gold = aligned.probabilities[0], aligned.gold
        confidences, right = confidence(probabilities), aligned.right[0].astype(np.float64)
        bins = equal_bins(confidences, self.bins)
        mean = _Means(aligned)
        return [
            Finding(_error(confidences, right, bins, aligned)),
            mean.of("overconfidence", confidences - right, "none"),
            mean.of("brier", brier(probabilities, gold), "lower", "squared error"),
            mean.of("nll", nll(probabilities, gold), "lower", "nats"),
            *_bin_findings(confidences, right, bins, aligned),
        ]


@dataclass(frozen=True)
class _Means:
    """Means over the prompts of a model."""

    aligned: AlignedChoices

    def of(self, name: str, values: Floats, better: Better, unit: str | None = None) -> Finding:
        """The mean, or why there is none."""
        if not np.all(np.isfinite(values)):
            reason = "infinite: a right option has probability 0"
            return Finding(reason, name, unit=unit, better=better)
        mean = Mean(values, self.aligned.ids, self.aligned.clusters)
        return Finding(mean, name, unit=unit, better=better)


def _error(
    confidences: Floats, right: Floats, bins: Sequence[Ints], aligned: AlignedChoices
) -> Smooth:
    """The calibration error as a function of each bin's mean of (right - confidence)."""
    parts = np.zeros((len(confidences), len(bins)))
    for place, own in enumerate(bins):
        parts[own, place] = (right - confidences)[own]
    return Smooth(parts, lambda means: np.abs(means).sum(axis=-1), aligned.ids, aligned.clusters)


def _bin_findings(
    confidences: Floats, right: Floats, bins: Sequence[Ints], aligned: AlignedChoices
) -> list[Finding]:
    """Mean confidence and share right of each bin, for the figure."""
    findings = []
    for place, own in enumerate(bins, start=1):
        some = aligned.some(own)
        for part, values in (("confidence", confidences), ("right", right)):
            mean = Mean(values[own], some.ids, some.clusters)
            findings.append(Finding(mean, f"bin/{place:02d}/{part}", unit="share", better="none"))
    return findings


def _confidence_gap(panel: Panel) -> Finding:
    """The gap recovered in mean confidence."""
    unit = panel.gap_unit
    if panel.get("base") is None:
        return Finding(reasons.NO_BASE, "confidence_gap", unit=unit, better="none")
    try:
        aligned = _with_probabilities(align_choices_with_gold(panel))
    except Unavailable as error:
        return Finding(str(error), "confidence_gap", unit=unit, better="none")
    student, teacher, base = (confidence(p) for p in aligned.probabilities[:3])
    stratum = RatioStratum(student - base, teacher - base, aligned.ids, aligned.clusters)
    return Finding(Ratio((stratum,)), "confidence_gap", unit=unit, better="none")


def _with_probabilities(aligned: AlignedChoices) -> AlignedChoices:
    """The prompts that every model answered; raises Unavailable where a model's probabilities are not known."""
    answered = aligned.where(np.all(aligned.answered, axis=0))
    for model, probabilities in zip(answered.models, answered.probabilities, strict=True):
        if np.all(np.isin(probabilities, (0.0, 1.0))):
            raise Unavailable(
                f"{model} gives no probabilities of options, only the option that it chose"
            )
    return answered
