"""What came across, in one sentence per student, made from numbers alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.board.board import (
    CAPABILITY,
    STYLE,
    ScoreIndex,
    Subject,
    at_least_above,
    is_gap,
    subjects,
)
from harness.board.numerals import estimate, number, percent
from harness.board.record import RunRecord
from harness.types import Score

_LENGTH = ("style_classifier/length_only", "style_classifier/length")
_SHORT = f"{STYLE}/short_replies"  # share of replies under the length gate
_INHERITED = "error_inheritance/excess_vs_controls"


@dataclass(frozen=True)
class Sentence:
    """A sentence about one student; `strong` marks the numbers."""

    subject: Subject
    # the map's word for where it stands: clone, imitator, learner, neither; "" = cannot be said
    corner: str
    parts: tuple[tuple[str, bool], ...]  # (text, strong)
    doubts: tuple[str, ...]  # why a number is absent, or what weakens it


def sentences(record: RunRecord) -> list[Sentence]:
    """One sentence per student, in the order of the matrix."""
    index = ScoreIndex.of(record.scores)
    every = subjects(record)
    return [_sentence(index, s, every) for s in every if s.role == "student"]


def _sentence(index: ScoreIndex, subject: Subject, every: Sequence[Subject]) -> Sentence:
    style, capability = index.overall(STYLE, subject), index.overall(CAPABILITY, subject)
    halves = [("style", style), ("capability", capability)]
    said = [(word, s) for word, s in halves if s is not None and s.value is not None]
    parts: list[tuple[str, bool]] = (
        [("took over ", False)] if said else _agreement(index, subject, every)
    )
    for i, (word, score) in enumerate(said):
        parts += [(" and ", False)] if i else []
        parts += [
            (_share(score), True),
            (f" of {subject.teacher}\u2019s {word}" if not i else f" of its {word}", False),
        ]
    if said:
        parts.append(
            (
                " beyond the base"
                if said[0][0] == "style" and len(said) == 1
                else _gap_word(subject),
                False,
            )
        )
    parts += _length(index, subject) if style is not None and style.value is not None else []
    parts += _errors(index, subject)
    parts.append((".", False))
    doubts = [
        f"{word.capitalize()}: {s.reason}"
        for word, s in halves
        if s is not None and s.value is None
    ]
    doubts += [
        f"{word.capitalize()} not above the base beyond doubt"
        for word, s in said
        if not at_least_above(s, 0.0)
    ]
    doubts += _controls(index, subject, every)
    short = index.overall(_SHORT, subject)
    if short is not None and short.value is not None and short.value > 0.5:
        doubts.append(f"{percent(short.value)} of its replies are too short to show a style")
    return Sentence(subject, _corner(style, capability), tuple(parts), tuple(doubts))


def _share(score: Score) -> str:
    """A share with its interval; below 0 there is nothing to take over, only a distance that grew."""
    words = percent(score.value or 0.0, score.low, score.high)
    return f"none ({words})" if (score.value or 0.0) < 0 else words


def _gap_word(subject: Subject) -> str:
    return " gap" if subject.base_kind == "before" else " transfer"


def _agreement(
    index: ScoreIndex, subject: Subject, every: Sequence[Subject]
) -> list[tuple[str, bool]]:
    """What can be said without a base: agreement with the teacher beside that of the controls."""
    score = index.overall("capa", subject)
    if score is None or score.value is None:
        return [("has no headline number", False)]
    beside = [
        s
        for s in every
        if (s.role, s.teacher, s.variant) == ("control", subject.teacher, subject.variant)
    ]
    values = [
        x.value
        for s in beside
        if (x := index.overall("capa", s)) is not None and x.value is not None
    ]
    parts = [(f"agrees with {subject.teacher} beyond chance at ", False), (_kappa(score), True)]
    if values:
        parts.append((f"; controls reach {number(min(values))} to {number(max(values))}", False))
    return parts


def _kappa(score: Score) -> str:
    return f"\u03ba = {estimate(score.value or 0.0, score.low, score.high)}"


def _length(index: ScoreIndex, subject: Subject) -> list[tuple[str, bool]]:
    """How far length alone went, the trivial explanation to beat, where it was measured."""
    scores: Sequence[Score | None] = [index.overall(metric, subject) for metric in _LENGTH]
    score = next((s for s in scores if s is not None and s.value is not None and is_gap(s)), None)
    if score is None or score.value is None:
        return []
    return [
        ("; in length alone it went ", False),
        (percent(score.value), True),
        (" of the way", False),
    ]


def _controls(index: ScoreIndex, subject: Subject, every: Sequence[Subject]) -> list[str]:
    """Where the highest control stands in each headline: what a model shows that the teacher never taught."""
    beside = [
        s
        for s in every
        if s.role == "control" and (s.teacher, s.variant) == (subject.teacher, subject.variant)
    ]
    beside = [replace(s, base=subject.base) for s in beside if s.student != subject.student]
    said = []
    for word, metric in (("style", STYLE), ("capability", CAPABILITY)):
        own = index.overall(metric, subject)
        if own is None or own.value is None:
            continue
        others = [
            (x.value, s.student)
            for s in beside
            if (x := index.overall(metric, s)) and x.value is not None
        ]
        if others:
            value, name = max(others)
            above = own.low is not None and own.low > value
            said.append(
                f"{word}: {'above all' if above else 'not above all'} controls ({name} reaches {percent(value)})"
            )
    return ["; ".join(said).capitalize()] if said else []


def _errors(index: ScoreIndex, subject: Subject) -> list[tuple[str, bool]]:
    """A clause about mistakes where they exceed those of the controls beyond doubt."""
    if not at_least_above(index.overall(_INHERITED, subject), 0.0):
        return []
    return [
        ("; it repeats ", False),
        ("more of the teacher\u2019s mistakes", True),
        (" than the controls do", False),
    ]


def _corner(style: Score | None, capability: Score | None) -> str:
    """The corner of the map that both intervals lie in; "" where an interval crosses the middle."""
    sides = [_side(style), _side(capability)]
    names = {
        (True, True): "clone",
        (True, False): "imitator",
        (False, True): "learner",
        (False, False): "neither",
    }
    return "" if None in sides else names[bool(sides[0]), bool(sides[1])]


def _side(score: Score | None) -> bool | None:
    """Whether the whole interval lies above one half; None where it cannot be said."""
    if score is None or score.value is None:
        return None
    low = score.low if score.low is not None else score.value
    high = score.high if score.high is not None else score.value
    return True if low > 0.5 else False if high < 0.5 else None
