"""Style, feature by feature: the features of a model's replies, and the gap recovered in each.

Lexical diversity: Covington and McFall 2010; gaps: Fieller 1954.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import AlignedTexts, Texts, align_texts, cut_off_any
from harness.text.profile import AGAINST_TEACHER, OF_WHOLE, UNITS, profile, shared_edges
from harness.types import Finding, Floats, Mean, Ratio, RatioStratum


def defined(
    features: Sequence[Floats], minimum: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | str:
    """Prompts on which all of these (P,) have the feature, or the reason why they are too few."""
    rows = np.flatnonzero(np.all(np.isfinite(features), axis=0))
    needed = max(minimum, 2)
    if len(rows) < needed:
        what = "prompts on which all replies are whole and long enough to have it"
        return reasons.few(len(rows), what, needed)
    return rows


@dataclass(frozen=True)
class StyleProfile(AbstractMetric):
    """About forty features of a model's replies; for a pair also the gap recovered in each."""

    unit = "feature"
    better = "none"
    looks_at = Looks((View.STYLE,), also=("teacher", "base", "second"))
    explanation = (
        "What a model's replies look like, one feature at a time, as means over prompts; gap/... is how far the "
        "student went from the base (0) to the teacher (1) in it, and is absent where teacher and base cannot be "
        "told apart. With forty features some gaps close by chance. Word lists are English. The teacher's openings "
        "and closings are its ten commonest first, or last, two words on these very prompts."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The student's mean of every feature; with a teacher its own openings and closings; with a base the gaps."""
        panel = panels[0]
        alone = align_texts(panel.only("student"))
        student = alone["student"]
        own = _of_whole(student, profile(student.reading))
        findings = _means(own, alone, panel.minimum, UNITS)
        if panel.get("teacher") is None:
            return findings
        everyone, has_base = align_texts(panel), panel.get("base") is not None
        models = [everyone["student"], *([everyone["base"]] if has_base else []), *everyone.taught]
        sets = [_features(model, everyone.taught) for model in models]
        apart = {name: sets[0][name] for name in AGAINST_TEACHER}
        findings += _means(apart, everyone, panel.minimum, AGAINST_TEACHER)
        return [*findings, *_gaps(sets, everyone, panel)] if has_base else findings


def _features(model: Texts, taught: Sequence[Texts]) -> dict[str, Floats]:
    """All features of a model's replies."""
    rows = np.arange(len(model.ids))
    shared = shared_edges(model.reading, [t.reading for t in taught], rows)
    return _of_whole(model, {**profile(model.reading), **shared})


def _of_whole(model: Texts, features: Mapping[str, Floats]) -> dict[str, Floats]:
    """The features, without length and closings of replies that are cut."""
    ended = {
        name: np.where(model.is_cut, np.nan, features[name]) for name in OF_WHOLE & features.keys()
    }
    return {**features, **ended} if model.is_cut.any() else dict(features)


def _rows(
    sets: Sequence[Mapping[str, Floats]], name: str, minimum: int, models: Sequence[Texts]
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | str:
    """Prompts on which all have a feature, or the reason why there are too few."""
    if name in OF_WHOLE and (why := cut_off_any(models)):
        return why
    return defined([features[name] for features in sets], minimum)


def _means(
    features: Mapping[str, Floats], aligned: AlignedTexts, minimum: int, units: Mapping[str, str]
) -> list[Finding]:
    findings = []
    for name, unit in units.items():
        rows = _rows([features], name, minimum, [aligned["student"]])
        if isinstance(rows, str):
            findings.append(Finding(rows, name, unit=unit))
            continue
        some = aligned.some(rows)
        mean = Mean(features[name][rows], some.ids, some.clusters)
        findings.append(Finding(mean, name, unit=unit))
    return findings


def _gaps(
    sets: Sequence[Mapping[str, Floats]], aligned: AlignedTexts, panel: Panel
) -> list[Finding]:
    findings = []
    for name in (*UNITS, *AGAINST_TEACHER):
        student, base, *taught = (s[name] for s in sets)
        rows = _rows(sets, name, panel.minimum, list(aligned.core.values()))
        part, unit = f"gap/{name}", panel.gap_unit
        if isinstance(rows, str):
            findings.append(Finding(rows, part, unit=unit))
            continue
        some, gap = aligned.some(rows), np.mean(taught, axis=0) - base
        stratum = RatioStratum((student - base)[rows], gap[rows], some.ids, some.clusters)
        findings.append(Finding(Ratio((stratum,)), part, unit=unit))
    return findings
