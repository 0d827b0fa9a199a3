"""The Pareto map: what quality costs, in price, speed, size or memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.board.board import Board
from harness.board.costs import COSTS
from harness.board.record import RunRecord
from harness.board.subjects import Subject
from harness.board.tables import Cell
from harness.figures import (
    AbstractFigure,
    Curve,
    Dot,
    Drawing,
    Guide,
    Mark,
    Plane,
    Planes,
    numbers_of,
)
from harness.figures._points import Point, dots_by_role, names_of, span_of
from harness.figures._rows import words, wrapped
from harness.types import Score

_APART = 1.1  # the dearest over the cheapest: below that there is nothing to weigh
_ROLES = {"base": 0.0, "teacher": 1.0}  # of the gap, by definition


class _Spot(NamedTuple):
    """A model with its quality and one of its costs."""

    name: str
    subject: Subject
    role: str
    quality: float
    score: Score | None  # None for base and teacher, between which the quality is measured
    cost: float
    said: str  # the cost in words


@dataclass(frozen=True)
class ParetoMap(AbstractFigure):
    """Capability over cost, a plane for each cost that the run knows of several models."""

    title = "Pareto map: quality and its cost"
    caption = (
        "Upwards: share of the gap to its own teacher that a student closed, with its 95 % interval; 0 is the base, 1 "
        "the teacher. To the right: what it costs in this run, on a logarithmic axis. The line joins models that none "
        "here exceeds in both, by the points alone; whether two differ is said by the leaderboard's ranks."
    )
    order = 8

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Planes for price, speed, size and memory, each where two models differ in it."""
        models = _models(board)
        every = [(name, title, _spots(board, models, cost)) for name, title, cost in COSTS]
        panels = [
            (name, title, own)
            for name, title, own in every
            if any(s.score for s in own) and _differ([s.cost for s in own])
        ]
        if not panels:
            return None
        marks: list[Mark] = []
        planes = []
        for i, (name, title, own) in enumerate(panels):
            x_span, y_span = span_of([_log(s) for s in own]), _y_span(own)
            marks += [
                *_marks(own, name == "tokens_per_s", i),
                *names_of([_point(s) for s in own], x_span, y_span, i),
            ]
            planes.append(Plane(title, "Gap closed", x_span, y_span, 0.5, 340, _ticks(x_span)))
        table = [
            [s.name, s.role, title, s.said, words(s.score) if s.score else f"{s.quality:.0f}"]
            for _, title, own in panels
            for s in own
        ]
        return Drawing(
            tuple(marks),
            Planes(tuple(planes)),
            numbers_of(["Model", "Role", "Cost", "Value", "Gap closed"], table),
        )


def _differ(costs: Sequence[float]) -> bool:
    """Whether the dearest costs clearly more than the cheapest."""
    return max(costs) >= _APART * min(costs)


def _models(board: Board) -> list[Subject]:
    """Students, then each teacher and base once under every setting."""
    students = [s for s in board.subjects if s.role == "student"]
    ends = [
        Subject(model, s.teacher, role, s.base, variant=s.variant)
        for s in students
        for role, model in (("teacher", s.teacher), ("base", s.base))
        if model
    ]
    once = {(s.student, s.role, s.variant): s for s in ends}
    return [*students, *once.values()]


def _spots(
    board: Board, models: Sequence[Subject], cost: Callable[[RunRecord, str], Cell]
) -> list[_Spot]:
    """The models whose quality and cost are known."""
    several = len({s.student for s in models if s.role == "student"}) > 1
    runs = board.record.runs()
    spots: list[_Spot] = []
    for s in models:
        score = board.index.about("capability", s) if s.role == "student" else None
        quality = _ROLES.get(s.role) if score is None else score.value
        price = cost(runs[s.variant], s.student)
        if quality is not None and isinstance(price.value, (int, float)) and price.value > 0:
            values = " ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, value in s.variant)
            name = values if values and not several and s.role == "student" else s.label
            spots.append(_Spot(name, s, s.role, quality, score, price.value, price.text))
    same = {(s.subject.student, s.role, s.cost, s.score): s for s in spots}
    once = {key[:3] if key[1] != "student" else key: s for key, s in same.items()}
    return [s if s.role == "student" else s._replace(name=s.subject.student) for s in once.values()]


def _log(spot: _Spot) -> float:
    return math.log10(spot.cost)


def _marks(spots: Sequence[_Spot], more_is_better: bool, panel: int) -> list[Mark]:
    front = _front(spots, more_is_better)
    marks: list[Mark] = [Guide(y, "y", dotted=True, panel=panel) for y in (0.0, 1.0)]
    if len(front) > 1:
        marks.append(Curve("", "path", tuple(Dot(_log(s), s.quality) for s in front), True, panel))
    return [*marks, *dots_by_role([_point(s) for s in spots], panel)]


def _point(spot: _Spot) -> Point:
    ends = (spot.score.low, spot.score.high) if spot.score else (None, None)
    quality = words(spot.score) if spot.score else f"{spot.quality:.0f}"
    told = (wrapped(spot.name, 60), f"gap closed {quality}", spot.said)
    link = (spot.subject.label, spot.subject.teacher) if spot.role == "student" else None
    return Point(spot.name, spot.role, _log(spot), spot.quality, (None, None), ends, told, link)


def _front(spots: Sequence[_Spot], more_is_better: bool) -> list[_Spot]:
    """The models that no other exceeds in quality at the same cost or less, from the left."""
    sign = -1 if more_is_better else 1
    front: list[_Spot] = []
    for spot in sorted(spots, key=lambda s: (sign * _log(s), -s.quality)):
        if not front or spot.quality > front[-1].quality:
            front.append(spot)
    return sorted(front, key=_log)


def _y_span(spots: Sequence[_Spot]) -> tuple[float, float]:
    ends = [e for s in spots if s.score for e in (s.score.low, s.score.high) if e is not None]
    clipped = [min(max(e, -0.6), 1.8) for e in ends]
    return span_of([0.0, 1.0, *(s.quality for s in spots), *clipped])


def _ticks(span: tuple[float, float]) -> tuple[tuple[float, str], ...]:
    """Round numbers along a logarithmic axis: powers of ten, their doubles and halves where there are few."""
    low, high = span
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1,) if high - low > 2.5 else (1, 3) if high - low > 1 else (1, 2, 3, 4, 5, 6, 8)
    numbers = [k * 10.0**power for power in powers for k in factors]
    return tuple((math.log10(n), _short(n)) for n in numbers if low <= math.log10(n) <= high)


def _short(number: float) -> str:
    """A round number with a unit of thousands, in few characters."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= limit * 0.999:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"
