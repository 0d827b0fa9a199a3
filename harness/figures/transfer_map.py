"""The transfer map: how much capability and how much style came across, one point per student."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import (
    AbstractFigure,
    Band,
    Box,
    Dot,
    Dots,
    Drawing,
    Guide,
    Label,
    Mark,
    Numbers,
    Plane,
    Rows,
    numbers_of,
)
from harness.figures._marks import Side
from harness.figures._placing import label_sides
from harness.figures._rows import (
    Placed,
    by_teacher,
    gap_guides,
    teacher_rows,
    whose,
    words,
    wrapped,
)
from harness.types import Score

_BAND = "The band is where unrelated models write: their mean, give or take one standard deviation."
_UNNAMED = "Controls whose names would cross others have none: the numbers are in the table, and under the pointer."
_ROOM = 0.12  # share of the range left free around the outermost point


class _Spot(NamedTuple):
    """A subject with what it is placed by; a score is None where the run has no row for it."""

    subject: Subject
    capability: Score | None
    style: Score | None
    unrelated: Score | None  # how far models go in style that the teacher did not teach

    @property
    def both(self) -> tuple[Score, Score] | None:
        """The two scores where both have a value."""
        x, y = self.capability, self.style
        if x is None or y is None or x.value is None or y.value is None:
            return None
        return x, y


@dataclass(frozen=True)
class TransferMap(AbstractFigure):
    """Capability against style, with intervals as crosses and the four corners named."""

    title: ClassVar[str] = "Transfer map"
    caption: ClassVar[str] = (
        "Further right: more of the teacher's capability. Further up: further on the way to its style. 0 is the base, "
        "1 the teacher, above 1 overdone; bars are 95 % intervals; hollow triangles never learned from this teacher."
    )
    order: ClassVar[int] = 0
    first: ClassVar[bool] = True

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """The map, or a line of one axis where the run measures only that one."""
        about = board.index.about
        spots = [
            _Spot(s, about("capability", s), about("style", s), about("unrelated_style", s))
            for s in board.subjects
        ]
        spots = [p for p in spots if p.capability or p.style]
        if any(p.both for p in spots):
            return _map(spots)
        style = [Placed(p.subject, p.style) for p in spots if p.style and p.style.value is not None]
        if style:
            return _one_axis(style, "Style", "capability", _numbers(spots))
        capability = [
            Placed(p.subject, p.capability)
            for p in spots
            if p.capability and p.capability.value is not None
        ]
        return _one_axis(capability, "Capability", "style", _numbers(spots)) if capability else None


def _map(spots: Sequence[_Spot]) -> Drawing:
    both = [p for p in spots if p.both]
    places = [_place(p) for p in both]
    bands = _bands(both)
    ends = [end for band in bands for end in (band.low, band.high)]
    spans = (_span([x for x, _ in places]), _span([*(y for _, y in places), *ends]))
    names = _names([p.subject for p in both])
    sides = label_sides(places, names, spans, [p.subject.role == "student" for p in both])
    marks: list[Mark] = [
        Box((0, 0), (1, 1)),
        Guide(0.5, "x", dotted=True),
        Guide(0.5, "y", dotted=True),
        *(mark for i, band in enumerate(bands) for mark in band.marks(spans[0], i, len(bands))),
    ]
    marks += [
        Dots("base", (Dot(0, 0, label="base", side="top right"),), size=13),
        Dots("teacher", (Dot(1, 1, label="teacher, asked again", side="top center"),), size=13),
    ]
    for role in dict.fromkeys(p.subject.role for p in both):
        dots = (
            _dot(p, name if side else "", side or "top right")
            for p, name, side in zip(both, names, sides, strict=True)
            if p.subject.role == role
        )
        marks.append(Dots(role, tuple(dots), size=12))
    marks += _corners()
    sibling = any(p.subject.base_kind == "sibling" for p in both if p.subject.role == "student")
    x_title = f"Capability {'transfer' if sibling else 'gap recovered'} (share of the gap)"
    missing = ", ".join(p.subject.label for p in spots if not p.both)
    return Drawing(
        tuple(marks),
        Plane(x_title, "Style: way from base to teacher", *spans, step=0.5),
        _numbers(spots),
        notes=(
            *([_BAND] if bands else ()),
            *([_UNNAMED] if None in sides else ()),
            *(
                [f"Not on the map, because one of the two numbers is missing: {missing}."]
                if missing
                else ()
            ),
        ),
    )


class _Band(NamedTuple):
    """Where models write that a teacher did not teach."""

    teacher: str
    low: float
    high: float

    def marks(self, across: tuple[float, float], index: int, of: int) -> list[Mark]:
        """The band over the whole width, with its name; names of several stand at its upper and lower edge in turn."""
        name = "unrelated models" if of == 1 else f"unrelated to {self.teacher}"
        lows, highs = (self.low, self.low), (self.high, self.high)
        edges: tuple[tuple[float, Literal["top", "middle", "bottom"]], ...] = (
            (self.high, "top"),
            (self.low, "bottom"),
            ((self.low + self.high) / 2, "middle"),
        )
        at, end = edges[index % 2 if of > 1 else 2]
        return [
            Band(name, "control", across, lows, highs, 0),
            Label(name, 0.99, at, ("right", end), "frame", quiet=True),
        ]


def _bands(spots: Sequence[_Spot]) -> list[_Band]:
    """One band for every teacher and base, read from its students."""
    bands: dict[tuple[str, str], _Band] = {}
    for spot in spots:
        s, read = spot.subject, spot.unrelated
        if s.role != "student" or read is None or read.low is None or read.high is None:
            continue
        bands.setdefault((s.teacher, s.base), _Band(s.teacher, read.low, read.high))
    return list(bands.values())


def _corners() -> list[Mark]:
    """The words of the four corners of the map."""
    return [
        Label("imitator", 0.02, 0.99, ("left", "top"), "frame", "frame", size=12, quiet=True),
        Label("clone", 0.98, 0.99, ("right", "top"), "frame", "frame", size=12, quiet=True),
        Label("neither", 0.02, 0.01, ("left", "bottom"), "frame", "frame", size=12, quiet=True),
        Label("learner", 0.98, 0.01, ("right", "bottom"), "frame", "frame", size=12, quiet=True),
    ]


def _place(spot: _Spot) -> tuple[float, float]:
    if spot.both is None or spot.both[0].value is None or spot.both[1].value is None:
        raise ValueError("only subjects with both values are placed on the map")
    return spot.both[0].value, spot.both[1].value


def _dot(spot: _Spot, name: str, side: Side) -> Dot:
    """A point with both intervals; told: both numbers, the teacher named."""
    x, y = _place(spot)
    capability, style = spot.both or (None, None)
    s = spot.subject
    lines = (
        wrapped(s.label, 60),
        f"compared with {wrapped(s.teacher, 60)}",
        f"capability {words(spot.capability)}",
        f"style {words(spot.style)}",
    )
    x_ends, y_ends = ((e.low, e.high) if e else (None, None) for e in (capability, style))
    return Dot(x, y, x_ends, y_ends, lines, name, side, (s.label, s.teacher))


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(0.0, *values), max(1.0, *values)
    room = _ROOM * (high - low)
    return round(low - room, 4), round(high + room, 4)


def _names(subjects: Sequence[Subject]) -> list[str]:
    """Labels of points, with the teacher where the label alone leaves it open: of several students, or controls."""
    taught = Counter(s.label for s in subjects if s.role == "student")
    often = Counter(s.label for s in subjects)

    def several(s: Subject) -> bool:
        return (taught if s.role == "student" else often)[s.label] > 1

    return [wrapped(whose(s.label, s.teacher, several(s)), 22) for s in subjects]


def _one_axis(placed: Sequence[Placed], word: str, other: str, numbers: Numbers) -> Drawing:
    """A line of dots for runs that measure one of the two axes."""
    rows, dots = by_teacher(placed)
    title = f"{word} recovered (share of the gap to the teacher)"
    return Drawing(
        (*dots, *gap_guides()),
        Rows(teacher_rows(rows), title, headed=True),
        numbers,
        f"{word} alone: this run has no number for {other}. 0 is the base, 1 the teacher; bars are 95 % "
        "intervals; hollow triangles never learned from this teacher.",
    )


def _numbers(spots: Sequence[_Spot]) -> Numbers:
    rows = [
        [p.subject.label, p.subject.role, p.subject.teacher, words(p.capability), words(p.style)]
        for p in spots
    ]
    return numbers_of(["Model", "Role", "Teacher", "Capability", "Style"], rows)
