"""Style feature by feature: what a model's replies look like, and how much of the teacher's difference the student has.

Lexical diversity: Covington and McFall 2010; gaps: Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._style import GAP_UNIT, teacher_samples
from harness.panel.align import AlignedTexts, align_texts
from harness.panel.panel import Sides
from harness.text.profile import AGAINST_TEACHER, UNITS, profile, shared_edges
from harness.text.segment import read
from harness.types import Better, Floats, Found, Mean, Ratio, RatioStratum, Statistic


def defined(
    features: Sequence[Floats], minimum: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | str:
    """Prompts on which all of these (P,) have the feature, or the reason why they are too few."""
    rows = np.flatnonzero(np.all(np.isfinite(features), axis=0))
    if len(rows) < max(minimum, 2):
        return f"{len(rows)} prompts on which all replies are long enough to have it; {minimum} are needed"
    return rows


@dataclass(frozen=True)
class StyleProfile(AbstractMetric):
    """Some forty features of a model's replies; for a pair also the gap recovered in each."""

    unit: ClassVar[str] = "feature"
    better: ClassVar[Better] = "none"
    needs: ClassVar[frozenset[str]] = frozenset({"style"})
    of: ClassVar[Literal["model", "pair", "both"]] = "both"
    explanation: ClassVar[str] = (
        "What a model's replies look like, one feature at a time, as means over prompts; gap/... is how far the "
        "student went from the base (0) to the teacher (1) in it, and is absent where teacher and base cannot be "
        "told apart. With forty features some gaps close by chance. Word lists are English. The teacher's openings "
        "and closings are its ten commonest first, or last, two words on these very prompts."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The student's mean of every feature; with a teacher its own openings and closings; with a base the gaps."""
        one = sides[0]
        alone = align_texts([one.student], one.minimum)
        entries = _means(profile(read(alone.texts[0])), alone, one.minimum, UNITS)
        if one.teacher is None:
            return entries
        others = [one.base] if one.base else []
        everyone = align_texts([one.student, *others, *teacher_samples(one)], one.minimum)
        sets = [_features(everyone, k, 1 + len(others)) for k in range(len(everyone.texts))]
        apart = {name: sets[0][name] for name in AGAINST_TEACHER}
        entries += _means(apart, everyone, one.minimum, AGAINST_TEACHER)
        return [*entries, *_gaps(sets, everyone, one)] if one.base else entries


def _features(everyone: AlignedTexts, k: int, first_teacher: int) -> dict[str, Floats]:
    """All features of the k-th set of replies."""
    texts, rows = read(everyone.texts[k]), np.arange(len(everyone.prompts))
    return {
        **profile(texts),
        **shared_edges(texts, [read(t) for t in everyone.texts[first_teacher:]], rows),
    }


def _means(
    features: Mapping[str, Floats], aligned: AlignedTexts, minimum: int, units: Mapping[str, str]
) -> list[Found]:
    entries = []
    for name, unit in units.items():
        rows = defined([features[name]], minimum)
        statistic: Statistic | str = (
            rows
            if isinstance(rows, str)
            else Mean(
                features[name][rows],
                tuple(aligned.ids[i] for i in rows),
                tuple(aligned.clusters[i] for i in rows),
            )
        )
        entries.append(Found(name, "", statistic, unit))
    return entries


def _gaps(sets: Sequence[Mapping[str, Floats]], aligned: AlignedTexts, one: Sides) -> list[Found]:
    entries = []
    for name in (*UNITS, *AGAINST_TEACHER):
        student, base, *taught = (s[name] for s in sets)
        rows = defined([student, base, *taught], one.minimum)
        statistic: Statistic | str = rows if isinstance(rows, str) else ""
        if not isinstance(rows, str):
            gap, moved = np.mean(taught, axis=0) - base, student - base
            ids, clusters = (tuple(x[i] for i in rows) for x in (aligned.ids, aligned.clusters))
            statistic = Ratio((RatioStratum(moved[rows], gap[rows], ids, clusters),))
        entries.append(Found(f"gap/{name}", "", statistic, GAP_UNIT[one.base_kind]))
    return entries
