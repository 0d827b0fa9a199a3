"""Traces: what a model thinks aloud before its answers, which no other measure looks at.

Steps are paragraphs. Agreement is the cosine of the pairs of words (1 + log count) of two models' traces of the same
prompt, as in ngram_similarity. How far the style of a trace came over says style_transfer with `part: trace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, Role, View
from harness.panel.texts import PROMPTS_OF, AlignedTexts, Texts, align_texts
from harness.text.grams import word_grams
from harness.text.likeness import similarity
from harness.text.steps import openings, steps
from harness.types import Finding, Floats, Mean, Statistic, Unavailable

PAIRS, BITS = 2, 22  # words of a pair; 2 ** 22 columns
OF_STEPS, OF_REPLIES = "share of steps", "share of replies"


@dataclass(frozen=True)
class Traces(AbstractMetric):
    """How often, how long and in which steps a model thinks aloud, and how alike its traces are to its teacher's."""

    number: int = 6  # openings of steps
    fewest: int = 4  # traces in which an opening must occur

    unit = OF_REPLIES
    better = "none"
    looks_at = Looks((View.STYLE,), also=("teacher", "base"))
    explanation = (
        "Share of a model's replies before which it thinks aloud (between <think> and </think>, or tags that the task "
        "names). All other measures look at the answer alone. unfinished: share of replies whose trace has no end, so "
        "that no answer came. words and steps (paragraphs): means of whole traces. opening/...: how many of its steps "
        "open with a word such as Wait; opening_above_teacher/... and opening_above_base/... less the other's share: "
        "above 0 it overuses it. agreement: cosine of the word pairs of its trace and the teacher's of the same "
        "prompt; agreement_above_base compares with the base's, where it thinks aloud. The same content makes traces "
        "alike, so agreement alone shows no descent."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The model's own numbers, and where there is a teacher what its traces have of the teacher's."""
        panel = panels[0]
        own, some = self._own(panel)
        if panel.get("teacher") is None or not some:
            return own
        return [*own, *self._beside(panel, "teacher"), *self._beside(panel, "base")]

    def _own(self, panel: Panel) -> tuple[list[Finding], bool]:
        """Shares, lengths and openings of the student, and whether it has a trace at all."""
        replies = align_texts(panel.only("student"))
        given = replies["student"].replies
        thinks, unfinished = (
            np.array(x, dtype=np.float64)
            for x in ([bool(r.trace) or r.is_open for r in given], [r.is_open for r in given])
        )
        shares = [
            Finding(_mean(thinks, replies)),
            Finding(_mean(unfinished, replies), "unfinished"),
        ]
        if not thinks.any():
            return shares, False
        try:
            aligned = align_texts(panel.only("student"), "trace")
        except Unavailable as error:
            return [*shares, Finding(str(error), "words", unit="words")], True
        traces = aligned["student"]
        n_steps = np.array([len(steps(t)) for t in traces.texts], dtype=np.float64)
        words = traces.n_words.astype(np.float64)
        return [
            *shares,
            Finding(_mean(words, aligned), "words", unit="words"),
            Finding(_mean(n_steps, aligned), "steps", unit="steps"),
            *(
                Finding(_mean(_rate(traces, name), aligned), f"opening/{name}", unit=OF_STEPS)
                for name in self._commonest([traces])
            ),
        ], True

    def _beside(self, panel: Panel, role: Role) -> list[Finding]:
        """Openings of steps above another model's, and agreement: with the teacher, and above the base's."""
        name = "agreement" if role == "teacher" else "agreement_above_base"
        if panel.get(role) is None:
            return [Finding(reasons.nobody(role), name, unit="cosine")]
        roles: tuple[Role, ...] = ("student", "teacher", *(("base",) if role == "base" else ()))
        try:
            aligned = align_texts(panel.only(*roles), "trace")
            reasons.require(len(aligned.ids), 2, PROMPTS_OF["trace"])
        except Unavailable as error:
            return [Finding(str(error), name, unit="cosine")]
        student, other = aligned["student"], aligned[role]
        alike = _alike(student, aligned["teacher"])
        if role == "base":
            alike = alike - _alike(other, aligned["teacher"])
        above = {
            opening: _rate(student, opening) - _rate(other, opening)
            for opening in self._commonest([student, other])
        }
        return [
            Finding(_mean(alike, aligned), name, unit="cosine"),
            *(
                Finding(_mean(values, aligned), f"opening_above_{role}/{opening}", unit=OF_STEPS)
                for opening, values in above.items()
            ),
        ]

    def _commonest(self, models: Sequence[Texts]) -> list[str]:
        """The commonest openings of steps of any of these models, by the larger share of its steps."""
        shares: dict[str, float] = {}
        for traces in models:
            counted = [openings(t) for t in traces.texts]
            total = max(sum(c.total() for c in counted), 1)
            for name in {name for c in counted for name in c}:
                if sum(name in c for c in counted) >= self.fewest:
                    share = sum(c[name] for c in counted) / total
                    shares[name] = max(shares.get(name, 0.0), share)
        return sorted(shares, key=lambda name: (-shares[name], name))[: self.number]


def _alike(first: Texts, second: Texts) -> Floats:
    """Cosine (P,) of the word pairs of two models' traces of the same prompts."""
    return similarity(*(word_grams(t.reading, PAIRS, PAIRS, BITS) for t in (first, second))).total


def _rate(traces: Texts, opening: str) -> Floats:
    """Share (P,) of the steps of every trace that open so."""
    counted = [openings(t) for t in traces.texts]
    return np.array([c[opening] / max(c.total(), 1) for c in counted], dtype=np.float64)


def _mean(values: Floats, aligned: AlignedTexts) -> Statistic:
    return Mean(values, aligned.ids, aligned.clusters)
