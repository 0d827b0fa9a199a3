"""One student's style, feature by feature: base, student and teacher on one axis each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.board.board import Board
from harness.board.numerals import number
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Bar, Bars, Dots, Drawing, Label, Rows, numbers_of
from harness.figures._rows import dot_of, dots_of, gap_guides, row_names, words
from harness.types import Score

_MOST_ROWS = 24


class _Row(NamedTuple):
    """One feature on one task: its name, and a score by role."""

    name: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class StyleProfile(AbstractFigure):
    """Features of style; every row has its own axis from the lowest to the highest of the three models."""

    title = "Style by feature"
    caption = (
        "Each row is one feature on an axis of its own, from the lowest to the highest of the three models (values at "
        "the ends). A student (circle) that writes like its teacher lies on the diamond; bars that overlap mean little."
    )
    order = 40
    measures = ("style_profile", "style_profile/gap")
    per = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Rows for features that two models have at least; the gaps recovered where the models' values are absent."""
        if subject is None:
            return None
        feature, gap = (f"{name}/" for name in self.measures)
        scores = [
            s
            for s in board.scores_of(subject, *self.measures)
            if s.metric.startswith(feature) and s.value is not None
        ]
        gaps = [s for s in scores if s.metric.startswith(gap)]
        rows = _rows([s for s in scores if not s.metric.startswith(gap)], subject, feature)
        return _features(rows) if rows else _gaps(gaps, subject, gap)


def _features(rows: list[_Row]) -> Drawing:
    rows.sort(key=lambda r: (-_separation(r.scores), r.name))
    shown = rows[:_MOST_ROWS]
    bars = Bars("range", tuple(Bar(0.0, 1.0, y) for y in range(len(shown))), width=2)
    columns = ("base", "student", "teacher")
    table = [
        [r.name, *(words(r.scores.get(k)) for k in columns), r.scores["student"].unit] for r in rows
    ]
    left_out = len(rows) - len(shown)
    return Drawing(
        (bars, *(_dots(shown, role) for role in ("base", "teacher", "student")), *_ends(shown)),
        Rows(
            row_names([r.name for r in shown]),
            "lowest to highest of the three models",
            span=(-0.32, 1.32),
            numbers=False,
            grid=False,
        ),
        numbers_of(["Feature", "Base", "Student", "Teacher", "Unit"], table),
        notes=(f"{left_out} features with smaller gaps are in the table.",) if left_out else (),
    )


def _rows(scores: Sequence[Score], subject: Subject, prefix: str) -> list[_Row]:
    models = {"student": subject.student, "teacher": subject.teacher, "base": subject.base}
    rows: dict[tuple[str, str], dict[str, Score]] = {}
    for score in scores:
        for role, model in models.items():
            if score.student == model and score.teacher in ("", subject.teacher):
                feature = score.metric.removeprefix(prefix)
                rows.setdefault((feature, score.task), {})[role] = score
    several = len({task for _, task in rows}) > 1
    return [
        _Row(name.replace("_", " ") + (f" · {task}" if several else ""), by_role)
        for (name, task), by_role in sorted(rows.items())
        if "student" in by_role and len(by_role) > 1 and _span(by_role) > 0
    ]


def _values(scores: Mapping[str, Score]) -> list[float]:
    return [s.value for s in scores.values() if s.value is not None]


def _span(scores: Mapping[str, Score]) -> float:
    return max(_values(scores)) - min(_values(scores))


def _separation(scores: Mapping[str, Score]) -> float:
    """How far apart the models are, in mean half-widths of their intervals: the clearest features come first."""
    halves = [
        (s.high - s.low) / 2 for s in scores.values() if s.low is not None and s.high is not None
    ]
    mean = sum(halves) / len(halves) if halves else 0.0
    return _span(scores) / mean if mean > 0 else 0.0


def _dots(rows: Sequence[_Row], role: str) -> Dots:
    """The role's points, each on the axis of its row."""
    dots = (
        replace(
            dot_of(_scaled(r.scores, role), y), told=(r.name, f"{role} {words(r.scores[role])}")
        )
        for y, r in enumerate(rows)
        if role in r.scores
    )
    return Dots(role, tuple(dots))


def _scaled(scores: Mapping[str, Score], role: str) -> Score:
    """The role's score on the row's own axis; interval ends beyond the room of the row are cut there."""
    low, span, score = min(_values(scores)), _span(scores), scores[role]

    def place(x: float | None) -> float | None:
        """A value on the row's axis, from 0 to 1; a little room beyond both ends."""
        return None if x is None else min(1.14, max(-0.14, (x - low) / span))

    return replace(score, value=place(score.value), low=place(score.low), high=place(score.high))


def _ends(rows: Sequence[_Row]) -> list[Label]:
    """The lowest and the highest value of each row, written at its ends."""
    labels = []
    for y, row in enumerate(rows):
        low, high = min(_values(row.scores)), max(_values(row.scores))
        labels += [
            Label(number(low), -0.16, y, ("right", "middle"), quiet=True),
            Label(number(high), 1.16, y, ("left", "middle"), quiet=True),
        ]
    return labels


def _gaps(scores: Sequence[Score], subject: Subject, prefix: str) -> Drawing | None:
    """Gaps recovered by feature, for records without values of the models themselves."""
    own = [s for s in scores if (s.student, s.teacher) == (subject.student, subject.teacher)]
    if not own:
        return None
    own.sort(key=lambda s: (-(s.value or 0.0), s.metric))
    shown = own[:_MOST_ROWS]
    names = [s.metric.removeprefix(prefix).replace("_", " ") for s in shown]
    return Drawing(
        (dots_of("student", shown, range(len(names))), *gap_guides()),
        Rows(row_names(names), "Share of the gap, higher is closer to the teacher", headed=True),
        numbers_of(["Feature", "Recovered", "n"], [[s.metric, words(s), str(s.n)] for s in own]),
        caption="How far each feature moved from the base (0) to the teacher (1), with 95 % intervals.",
    )
