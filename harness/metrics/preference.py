"""Preference: whether the student came to like the teacher's text more than that of other models.

Source: ours; a difference in differences of log-probabilities per byte, so the length of texts, the tokenizer and how
good the student is at text in general drop out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.controls import covering, lineage_means
from harness.panel.panel import Looks, Panel, View
from harness.panel.reads import gains, preferences, require, require_author
from harness.panel.side import Side
from harness.types import Finding, Mean, Prompt, Unavailable


@dataclass(frozen=True)
class Preference(AbstractMetric):
    """The student's gain over the base on the teacher's answers, less that on others' answers to the same prompts."""

    unit = "nats per byte"
    better = "higher"
    looks_at = Looks((View.READING, View.ANSWERS), needs=("teacher", "base"), also=("controls",))
    explanation = (
        "By how much more than the base the student expects each byte of the teacher's answers, less the same for "
        "other models' answers to the same prompts: above 0, it took to this teacher's text and not to such text in "
        "general. Answers of the student itself and of the base do not count as others'. A student of another teacher "
        "who writes alike is above 0 too: `over_controls` takes the controls' mean preference off."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The preference, and its difference to that of the controls."""
        panel = panels[0]
        written = require_author(panel.student, panel.teacher.model)
        if not _others(panel, panel.student, written):
            raise Unavailable(
                "no answers of any further model are read: nothing to prefer the teacher's to"
            )
        prompts = {p.id: p for p in panel.student.requests.prompts}
        own = _preferences(panel, panel.student, written)
        return [
            Finding(_mean(own, prompts, panel.minimum)),
            Finding(_over_controls(panel, own, written, prompts), "over_controls"),
        ]


def _others(panel: Panel, side: Side, written: Sequence[str]) -> list[str]:
    """Authors that are not the teacher, the base or the reader itself."""
    return [
        a for a in written if a not in (panel.teacher.model, panel.side("base").model, side.model)
    ]


def _preferences(panel: Panel, side: Side, written: Sequence[str]) -> dict[str, float]:
    gained = gains(side, panel.side("base"))
    return preferences(gained, panel.teacher.model, _others(panel, side, written))


def _over_controls(
    panel: Panel, own: Mapping[str, float], written: Sequence[str], prompts: Mapping[str, Prompt]
) -> Mean | str:
    """Student minus mean of control lineages on the prompts that all have, or the reason why there is none."""
    theirs = {s.model: _preferences(panel, s, written) for s in panel.of("controls")}
    controls = covering(panel.of("controls"), set(own), lambda side: theirs[side.model])
    if not controls:
        listed = sorted(s.model for s in panel.of("controls"))
        did = "reads nine in ten of these answers, and another model's"
        return reasons.no_controls(listed, did)
    shared = [i for i in sorted(own) if all(i in theirs[c.model] for c in controls)]
    values = [np.array([theirs[c.model][i] for i in shared]) for c in controls]
    null = lineage_means(values, [c.lineage for c in controls]).mean(axis=0)
    try:
        return _mean(
            dict(zip(shared, [own[i] for i in shared] - null, strict=True)), prompts, panel.minimum
        )
    except Unavailable as error:
        return str(error)


def _mean(values: Mapping[str, float], prompts: Mapping[str, Prompt], minimum: int) -> Mean:
    require(len(values), minimum)
    ids = tuple(sorted(values))
    return Mean(np.array([values[i] for i in ids]), ids, tuple(prompts[i].cluster for i in ids))
