"""Measures as functions of a swept key: training steps, amount of data, temperature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.board.board import Board
from harness.board.record import Variant
from harness.board.subjects import Subject, overall
from harness.figures import (
    AbstractFigure,
    Band,
    Curve,
    Dot,
    Drawing,
    Guide,
    Label,
    Mark,
    Numbers,
    Panels,
    numbers_of,
)
from harness.figures._doses import Axis, axis_of, rest_of
from harness.figures._rows import told, whose, words, wrapped
from harness.types import Score

_MOST_PANELS = 6
_MOST_REASONS = 6
_APART = 0.1  # of a panel's height: the least distance of two names at its side
_DIRECTION = {"higher": "higher is", "lower": "lower is", "none": ""}


class _Spot(NamedTuple):
    """One point of a line: its place on the axis, as swept, and its score."""

    at: float
    swept: str
    score: Score


@dataclass(frozen=True)
class _Line:
    """One model under all values of the swept key."""

    name: str
    role: str
    spots: tuple[_Spot, ...]

    @property
    def valued(self) -> list[_Spot]:
        """The spots whose score has a value."""
        return [s for s in self.spots if s.score.value is not None]


@dataclass(frozen=True)
class _Panel:
    """One metric."""

    metric: str
    lines: tuple[_Line, ...]

    @property
    def example(self) -> Score:
        """A score with a value, for unit and direction."""
        return next(line.valued[0].score for line in self.lines if line.valued)

    @property
    def moves(self) -> bool:
        """Whether the sweep changes anything about a student."""
        return any(
            len({s.score.value for s in line.valued}) > 1
            for line in self.lines
            if line.role == "student"
        )

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest number of all points, intervals of students included, with room."""
        numbers = [
            x for line in self.lines for s in line.valued for x in _numbers_of(s.score, line.role)
        ]
        room = 0.12 * (max(numbers) - min(numbers)) or 0.1
        return min(numbers) - room, max(numbers) + room


@dataclass(frozen=True)
class DoseCurve(AbstractFigure):
    """A panel per measure, a line per model, a band for each student's interval."""

    title = "Dose and time"
    caption = (
        "One panel per measure, averaged over tasks; along the bottom what the sweep changed. Bands are the 95 % "
        "intervals of the students, each point for itself."
    )
    order = 5
    # these come first, in this order
    measures = (
        "capability_transfer", "style_transfer", "task_score", "capa", "error_inheritance/excess", "top1_agreement",
        "judged/retention",
    )  # fmt: skip

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Panels over the numeric key of the sweep; nothing where no key but seeds was swept."""
        axis = axis_of(board.record)
        panels = self._panels(board, axis) if axis else []
        if axis is None or not panels:
            return None
        moved = [p for p in panels if p.moves] or panels
        shown = moved[:_MOST_PANELS]
        marks: list[Mark] = []
        for i, panel in enumerate(shown):
            marks += _guides(board, panel, i)
            marks += [mark for line in panel.lines for mark in _curve(line, axis, i)]
            marks += [_heading(panel, i), *_names(panel, i)]
        still = [p.metric for p in panels if p not in moved]
        notes = [f"The same all along: {', '.join(still)}."] if still else []
        more = ", ".join(p.metric for p in moved[_MOST_PANELS:])
        notes += [f"In the table only: {more}."] if more else []
        frame = Panels(axis.ticks(), tuple(p.range for p in shown))
        notes += _holes(shown, axis)
        return Drawing(tuple(marks), frame, _numbers(panels, axis), notes=tuple(notes))

    def _panels(self, board: Board, axis: Axis) -> list[_Panel]:
        """Metrics in which some student has values at two places at least, the main ones first."""
        names = sorted({s.metric for s in board.record.scores})
        families = {n.split("/")[0] for n in names if "/" not in n}
        # of measures that consist of parts only
        parts = [n for n in names if "/" in n and n.split("/")[0] not in families]
        order = [n for n in self.measures if n in names]
        order += [n for n in (*sorted(families), *parts) if n not in self.measures]
        panels = [_Panel(n, tuple(_lines(board, n, axis))) for n in order]
        return [
            p
            for p in panels
            if any(line.role == "student" and len(line.valued) > 1 for line in p.lines)
        ]


def _lines(board: Board, metric: str, axis: Axis) -> Iterator[_Line]:
    """A line for every model and setting of the other keys; students last, so that they are drawn on top."""
    lines: dict[tuple[str, str, str, Variant], dict[str, Score]] = {}
    several = len({p.teacher for p in board.record.pairs}) > 1
    for s in _all_models(board):
        score = board.index.overall(metric, s)
        score = score or overall(board.index.own(metric, s.student, s.variant))
        if score is not None:
            name = whose(s.student, s.teacher, several and bool(s.teacher))
            key = (name, s.teacher, s.role, rest_of(s.variant, axis))
            lines.setdefault(key, {})[dict(s.variant)[axis.key]] = score
    for (name, _, role, rest), scores in sorted(
        lines.items(), key=lambda item: item[0][2] == "student"
    ):
        settings = "".join(f" {key.rsplit('.', 1)[-1]}={value}" for key, value in rest)
        spots = sorted(_Spot(axis.at(swept), swept, score) for swept, score in scores.items())
        yield _Line(name + settings, role, tuple(spots))


def _all_models(board: Board) -> list[Subject]:
    """Students, controls and ceilings, then teachers and bases, under every setting."""
    pairs = board.record.pairs
    teachers = dict.fromkeys(p.teacher for p in pairs)
    bases = dict.fromkeys(p.base for p in pairs if p.base)
    extra = [(m, "teacher") for m in teachers] + [(m, "base") for m in bases if m not in teachers]
    variants = sorted({s.variant for s in board.subjects})
    others = (Subject(m, "", role, variant=v) for m, role in extra for v in variants)
    return [*board.subjects, *others]


def _numbers_of(score: Score, role: str) -> list[float]:
    both = (score.value, score.low, score.high) if role == "student" else (score.value,)
    return [x for x in both if x is not None]


def _heading(panel: _Panel, place: int) -> Label:
    score = panel.example
    better = "closer" if score.teacher else "better"
    towards = f", {_DIRECTION[score.better]} {better}" if _DIRECTION[score.better] else ""
    text = f"  {wrapped(score.unit, 60)}{towards}"
    strong = wrapped(panel.metric, 60)
    return Label(
        text, 0, 1, ("left", "bottom"), "frame", "frame", strong, size=None, shift=(0, 4), panel=place
    )  # fmt: skip


def _names(panel: _Panel, place: int) -> Iterator[Label]:
    """The name of each line at its right end, moved apart where they would lie on one another."""
    low, high = panel.range
    least = (high - low) * _APART
    ends = sorted(
        (line for line in panel.lines if line.valued),
        key=lambda line: line.valued[-1].score.value or 0.0,
    )
    floor = low
    for i, line in enumerate(ends):
        ceiling = high - least * (len(ends) - 1 - i)
        y = min(max(line.valued[-1].score.value or 0.0, floor), max(ceiling, floor))
        floor = y + least
        student = line.role == "student"
        yield Label(
            wrapped(line.name, 40), 1, y, ("left", "middle"), "frame", size=11.5, quiet=not student,
            role=line.role if student else "", shift=(6, 0), panel=place,
        )  # fmt: skip


def _guides(board: Board, panel: _Panel, place: int) -> list[Mark]:
    """The base's and the teacher's level where the measure is a share of the gap between them."""
    low, high = panel.range
    levels = [x for x in (0.0, 1.0) if board.index.is_gap(panel.example) and low < x < high]
    return [Guide(y, "y", panel=place) for y in levels]


def _curve(line: _Line, axis: Axis, panel: int) -> Iterator[Mark]:
    """The line's points, for students with the band of their intervals below."""
    banded = [
        (s.at, s.score.low, s.score.high)
        for s in line.valued
        if s.score.low is not None and s.score.high is not None
    ]
    if line.role == "student" and axis.ordered and len(banded) > 1:
        xs, lows, highs = zip(*banded, strict=True)
        yield Band(line.name, line.role, xs, lows, highs, panel)
    dots = (
        Dot(s.at, s.score.value or 0.0, told=(*told(s.score), f"{axis.word} = {s.swept}"))
        for s in line.valued
    )
    yield Curve(line.name, line.role, tuple(dots), axis.ordered, panel)


def _numbers(panels: Sequence[_Panel], axis: Axis) -> Numbers:
    rows = [
        [
            panel.metric,
            line.name,
            s.swept,
            words(s.score),
            str(s.score.n) if s.score.value is not None else "–",
        ]
        for panel in panels
        for line in reversed(panel.lines)
        for s in line.spots
    ]
    return numbers_of(["Measure", "Model", axis.word, "Value", "n"], rows)


def _holes(panels: Sequence[_Panel], axis: Axis) -> list[str]:
    """Why points of students are missing."""
    reasons: dict[str, list[str]] = {}
    for panel in panels:
        for line in panel.lines:
            for spot in line.spots if line.role == "student" else ():
                if spot.score.value is None:
                    place = f"{panel.metric} at {axis.word} = {spot.swept}"
                    reasons.setdefault(spot.score.reason, []).append(place)
    lines = [f"No point for {', '.join(places)}: {reason}." for reason, places in reasons.items()]
    left = len(lines) - _MOST_REASONS
    return [*lines[:_MOST_REASONS], *([f"{left} more reasons are in the table."] * (left > 0))]
