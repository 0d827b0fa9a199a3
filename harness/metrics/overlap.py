"""Overlap with training data: how many prompts a model was trained on, and its score without them.

Source: Brown et al. 2020, Language Models are Few-Shot Learners, section 4 and appendix C. Unlike there a prompt of
fewer than 8 words counts where it is a whole text or line of the training data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.grades import SHARES, AlignedValues, each_leaf, leaves, mean_of
from harness.panel.panel import Looks, Panel, View
from harness.stats.ratios import quotient
from harness.types import (
    Finding,
    Floats,
    Mean,
    Prompt,
    Seen,
    Smooth,
    Statistic,
    Unavailable,
)


def score_gain(means: Floats) -> Floats:
    """Score on all prompts minus score on the clean ones; means (..., 3) of score, clean, score x clean."""
    score, clean, both = np.moveaxis(np.asarray(means), -1, 0)
    return np.asarray(score - quotient(both, clean))


@dataclass(frozen=True)
class Overlap(AbstractMetric):
    """How much of a task one model was trained on."""

    # "metric" or "metric,filter": the first that a task has is used
    columns: tuple[str, ...] = SHARES
    # a prompt overlaps where a larger share of its n-grams than this occurs in the training data.
    # 0 = any (Brown et al. 2020); 0.7 is the more lenient custom of later reports
    least: float = 0.0

    unit = "share"
    better = "none"
    looks_at = Looks((View.PROMPTS,))
    explanation = (
        "Share of prompts that stand in the training data that the model names: `exact` word for word, `ngram` by at "
        "least one run of 13 words (a prompt of 8 to 12 words as a whole; a shorter one only where it is a whole text "
        "or line). `all` and `clean` are the score with and without the overlapping prompts, `gain` is their "
        "difference: above 0 the overlap flatters. Only the questions are looked for, not their answers; a paraphrase "
        "is not found. No number where a model names no training data."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Both shares; for tasks with grades the score on all and on clean prompts, and their difference."""
        side = panels[0].student
        if side.seen is None:
            raise Unavailable("no training data is named for this model")
        prompts = sorted(side.requests.prompts, key=lambda p: p.id)
        dirty = {i for i, seen in side.seen.items() if seen.ngrams > self.least}
        shares = [
            Finding(_share(prompts, side.seen, lambda seen: seen.exact), "exact"),
            Finding(_share(prompts, side.seen, lambda seen: seen.ngrams > self.least), "ngram"),
        ]
        return shares + (self._scores(panels[0], dirty) if leaves(side) else [])

    def _scores(self, panel: Panel, dirty: set[str]) -> list[Finding]:
        kinds: dict[str, Callable[[AlignedValues], Statistic]] = {
            "all": mean_of,
            "clean": lambda a: _clean(a, dirty, panel.minimum),
            "gain": lambda a: _gain(a, dirty, panel.minimum),
        }
        return [
            replace(entry, name=name, better="none" if name == "gain" else "higher")
            for name, statistic in kinds.items()
            for entry in each_leaf(panel, self.columns, statistic)
        ]


def _share(
    prompts: Sequence[Prompt], seen: Mapping[str, Seen], holds: Callable[[Seen], bool]
) -> Mean:
    values = np.array([float(p.id in seen and holds(seen[p.id])) for p in prompts])
    return Mean(values, tuple(p.id for p in prompts), tuple(p.cluster for p in prompts))


def _clean(aligned: AlignedValues, dirty: set[str], minimum: int) -> Mean:
    is_clean = _clean_rows(aligned, dirty, minimum)
    prompts = [p for p, keep in zip(aligned.prompts, is_clean, strict=True) if keep]
    return Mean(
        aligned.values[0][is_clean], tuple(p.id for p in prompts), tuple(p.cluster for p in prompts)
    )


def _gain(aligned: AlignedValues, dirty: set[str], minimum: int) -> Smooth:
    is_clean = _clean_rows(aligned, dirty, minimum)
    if is_clean.all():
        raise Unavailable(
            f"none of {len(is_clean)} graded prompts overlaps with the training data: both scores are the same"
        )
    score, clean = aligned.values[0], is_clean.astype(np.float64)
    return Smooth(
        np.stack([score, clean, score * clean], axis=1), score_gain, aligned.ids, aligned.clusters
    )


def _clean_rows(
    aligned: AlignedValues, dirty: set[str], minimum: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(P,) whether a prompt is clean; raises Unavailable where too few are."""
    is_clean = np.array([p.id not in dirty for p in aligned.prompts])
    reasons.require(
        int(is_clean.sum()),
        minimum,
        "graded prompts do not overlap with the training data",
        len(is_clean),
    )
    return is_clean
