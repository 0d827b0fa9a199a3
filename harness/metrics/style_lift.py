"""Lift: does the student use a feature of style *where* its teacher does, or only as often?

lift = P(feature in s | feature in t) - P(feature in s | not in t) on the same prompts. With two samples of the teacher
the student's reply is paired with both, prompts staying whole. Opening and closing families are English.
Interval: from those of the two shares by the square-and-add rule. A bootstrap would cover as well, but costs a hundred
times as much and there are many features. Source: Newcombe 1998, method 10; Zou and Donner 2008.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from harness.align import AlignedTexts, align_texts
from harness.metrics._beside import beside
from harness.metrics._style import second_sample, teacher_samples
from harness.plugins import AbstractMetric
from harness.stats.means import Interval, share_interval
from harness.textstyle import LAYOUT, MARKS, read
from harness.types import Better, Floats, Found, Given, Mean, Sides, Unavailable

_SHAPES = ("bullets", "numbered", "headings", "bold", "code_blocks", "table_rows", "label_lines")
_MARKS = {
    "exclamation": "exclamation mark",
    "question": "question mark",
    "parenthesis": "parenthesis",
    "dash": "dash",
}
_OPENINGS = {
    "opens_agreeing": r"(?:certainly|sure|of course|absolutely|definitely|gladly|happy to|(?:great|good) question)\b",
    "opens_with_apology": r"(?:i'm sorry|i am sorry|sorry|i apologi[sz]e|unfortunately|i cannot|i can't)",
    "opens_as_machine": r"(?:as an ai|as a (?:large )?language model|i am an ai|i'm an ai)\b",
    "opens_here_is": r"(?:here is|here's|here are|below is|below are|the following)\b",
    "opens_with_i": r"i\b",
}
_CLOSINGS = {
    "closes_offering": r"(?:let me know|feel free|if you (?:have|need|want)|happy to help|hop(?:e|ing) th(?:is|at))",
    "closes_summing_up": r"\b(?:in conclusion|overall|in summary|to sum up|to summari[sz]e|ultimately)\b",
}
_HEDGES = re.compile(
    r"\b(?:perhaps|maybe|might|possibly|probably|likely|it depends|generally|typically)\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(r"\bI\b")
_STARTS = {
    name: re.compile(rf"[\W_]*{pattern}", re.IGNORECASE) for name, pattern in _OPENINGS.items()
}
_ENDS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _CLOSINGS.items()}
_END = 200  # characters from the end in which a closing is looked for
FEATURES = (
    *_SHAPES, "several_paragraphs", *_MARKS, "asks_back", "emoji", *_STARTS, *_ENDS, "hedges", "first_person",
)  # fmt: skip


@lru_cache(maxsize=160)
def features(texts: tuple[str, ...]) -> Floats:
    """Whether each reply has each feature (P, len(FEATURES)), 0 or 1."""
    counts = read(texts)
    layout = {name: counts.layout[:, LAYOUT.index(name)] > 0 for name in _SHAPES}
    marks = {name: counts.marks[:, list(MARKS).index(mark)] > 0 for name, mark in _MARKS.items()}
    held: dict[str, Sequence[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]]] = {
        **layout,
        **marks,
        "several_paragraphs": counts.layout[:, LAYOUT.index("paragraphs")] > 1,
        "asks_back": [ends[1] in "?？؟" for ends in counts.ends],
        "emoji": counts.emoji > 0,
        **{name: [bool(p.match(t)) for t in texts] for name, p in _STARTS.items()},
        **{name: [bool(p.search(t[-_END:])) for t in texts] for name, p in _ENDS.items()},
        "hedges": [bool(_HEDGES.search(t)) for t in texts],
        "first_person": [bool(_FIRST_PERSON.search(t)) for t in texts],
    }
    return np.stack([np.asarray(held[name], dtype=np.float64) for name in FEATURES], axis=1)


def lift(own: Floats, teacher: Floats, clusters: Sequence[str]) -> Interval:
    """Share of own (S, P) where teacher (S, P) has the feature minus the share where it has not; all 0 or 1.

    Rows are samples, columns prompts. Raises Unavailable where one of the two groups has one cluster only.
    """
    named = np.tile(np.array(clusters), len(own))
    held = teacher.ravel() > 0
    where, elsewhere = (
        share_interval(own.ravel()[rows], named[rows].tolist()) for rows in (held, ~held)
    )
    return difference(where, elsewhere, own.shape[1])


def difference(first: Interval, second: Interval, n: int) -> Interval:
    """first - second, taken as independent: wider than it need be where they go together."""
    value = first.value - second.value
    low = value - float(np.hypot(first.value - first.low, second.high - second.value))
    return Interval(
        value, low, value + float(np.hypot(first.high - first.value, second.value - second.low)), n
    )


@dataclass(frozen=True)
class StyleLift(AbstractMetric):
    """Feature by feature: how much likelier the student shows it where the teacher does."""

    fewest: int = 10  # replies of the teacher with the feature, and without it

    unit: ClassVar[str] = "lift"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "style"})
    explanation: ClassVar[str] = (
        "How much likelier the student's reply has a feature (a list, bold, an apology ...) where the teacher's "
        "reply to the same prompt has it: 0 = no matter what the teacher does there, 1 = exactly where the teacher "
        "does. Some prompts ask for a list, so even a base has some lift: over_base/... is the student's lift minus "
        "the base's, and the controls have theirs. second_sample/... is the most that can be reached. rate/... is "
        "how often the student has it at all, beside rate_of_teacher/... and rate_of_base/...: a model that makes "
        "lists everywhere has the teacher's rate but no lift. The phrases looked for are English."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """For every feature the lifts and the rates."""
        one = sides[0]
        taught = teacher_samples(one)
        everyone = align_texts(
            [one.student, *taught, *([one.base] if one.base else [])], one.minimum
        )
        tables = [features(t) for t in everyone.texts]
        teacher = np.stack(tables[1 : 1 + len(taught)])
        found = []
        for k, name in enumerate(FEATURES):
            base = tables[-1][:, k] if one.base else None
            feature = _Feature(name, tables[0][:, k], teacher[:, :, k], base, everyone)
            found += [*feature.lifts(self.fewest, second_sample(one) is not None), *feature.rates()]
        return found


@dataclass(frozen=True)
class _Feature:
    """One feature in everyone's replies, 0 or 1."""

    name: str
    student: Floats  # (P,)
    teacher: Floats  # (samples, P)
    base: Floats | None  # (P,)
    aligned: AlignedTexts

    def lifts(self, fewest: int, sampled_twice: bool) -> list[Found]:
        """Lift of the student, the same minus the base's, and that of the teacher's second sample."""
        held = float(self.teacher.mean(axis=0).sum())
        short = min(held, len(self.student) - held)
        if short < fewest:
            verb = "have" if held < fewest else "lack"
            return [
                Found(
                    self.name,
                    "",
                    f"{short:g} of the teacher's replies {verb} it; {fewest} are needed",
                )
            ]
        try:
            own = self._lift(self.student)
            found = [Found(self.name, "", _given(own))]
            if self.base is not None:
                over = difference(own, self._lift(self.base), own.n)
                found.append(Found(f"over_base/{self.name}", "", _given(over)))
            if sampled_twice:
                most = lift(self.teacher[::-1], self.teacher, self.aligned.clusters)
                found.append(Found(f"second_sample/{self.name}", "", _given(most), better="none"))
        except Unavailable as error:
            return [Found(self.name, "", str(error))]
        return found

    def rates(self) -> list[Found]:
        """How often each model has it at all."""
        values = {
            "rate": self.student,
            "rate_of_teacher": self.teacher.mean(axis=0),
            "rate_of_base": self.base,
        }
        return [
            Found(f"{part}/{self.name}", "", beside(self._mean(v)), "share of replies", "none")
            for part, v in values.items()
            if v is not None
        ]

    def _lift(self, own: Floats) -> Interval:
        return lift(np.broadcast_to(own, self.teacher.shape), self.teacher, self.aligned.clusters)

    def _mean(self, values: Floats) -> Mean:
        return Mean(values, self.aligned.ids, self.aligned.clusters)


def _given(interval: Interval) -> Given:
    return Given(interval.value, interval.low, interval.high, interval.n)
