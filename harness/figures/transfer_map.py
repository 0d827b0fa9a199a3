"""The transfer map: how much capability and how much style came across, one point per student."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import (
    AbstractFigure,
    Band,
    Box,
    Curve,
    Dot,
    Dots,
    Drawing,
    Guide,
    Mark,
    Names,
    Numbers,
    Plane,
    Planes,
    Rows,
    numbers_of,
)
from harness.figures._doses import Axis, axis_of, rest_of, shared_folders
from harness.figures._glyphs import text_size
from harness.figures._marks import Ends
from harness.figures._placing import Plot, Wanted, name_of, place_names
from harness.figures._rows import (
    Placed,
    folded,
    gap_guides,
    placed_of,
    whose,
    words,
    wrapped,
)
from harness.types import Score

_BAND = "The band is where unrelated models write: their mean, give or take one standard deviation."
_UNNAMED = "Where a name would cross others there is none: the numbers are in the table, and under the pointer."
_ROOM = 0.12  # share of the range left free around the outermost point
_SIZES = (
    (406, 406, 12.5),
    (252, 290, 11.0),
)  # width and height of the plot, size of the font: screen, phone
_SMALL_SIZES = ((406, 262, 12.0), (240, 240, 11.0))  # the same where there are several planes
_MOST_CONTROLS = 3  # with a row of their own where there is one axis
_MOST = 12  # points in one plane where there are several teachers
_DOT, _END = 12.0, 13.0  # pixels of a model's mark, and of those of base and teacher
_REACH = (-0.6, 1.8)  # intervals widen the plot no further than to here

Span = tuple[float, float]  # of an axis
Spans = tuple[Span, Span]


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

    title = "Transfer map"
    caption = (
        "Further right: more of the teacher's capability. Further up: further on the way to its style. 0 is the base, "
        "1 the teacher, above 1 overdone; bars are 95 % intervals; hollow triangles never learned from this teacher."
    )
    order = 0
    first = True

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """The map, or a line of one axis where the run measures only that one."""
        about = board.index.about
        spots = [
            _Spot(s, about("capability", s), about("style", s), about("unrelated_style", s))
            for s in board.subjects
        ]
        spots = [p for p in spots if p.capability or p.style]
        if any(p.both for p in spots):
            return _map(spots, axis_of(board.record))
        style = placed_of((p.subject, p.style) for p in spots)
        if style:
            return _one_axis(style, "Style", "capability", _numbers(spots))
        capability = placed_of((p.subject, p.capability) for p in spots)
        return _one_axis(capability, "Capability", "style", _numbers(spots)) if capability else None


def _map(spots: Sequence[_Spot], axis: Axis | None) -> Drawing:
    both = [p for p in spots if p.both]
    groups, several = _groups(both), len(_groups(both)) > 1
    spans = _spans(both, [end for band in _bands(both) for end in (band.low, band.high)])
    sizes = _SMALL_SIZES if several else _SIZES
    marks = [
        *(m for i, own in enumerate(groups) for m in _panel(own, spans, i, axis)),
        *(
            replace(_named(own, _bands(own), spans, *size), panel=i)
            for i, own in enumerate(groups)
            for size in sizes
        ),
    ]
    sibling = any(p.subject.base_kind == "sibling" for p in both if p.subject.role == "student")
    x_title = f"Capability {'transfer' if sibling else 'gap recovered'} (share of the gap)"
    planes = [
        Plane(x_title, "Style: way from base to teacher", *spans, step=0.5, height=470, title=title)
        for title in (_titles(groups) if several else [""])
    ]
    names = [m for m in marks if isinstance(m, Names)]
    wanted = [len(own) + len(_bands(own)) + len(_CORNERS) + 2 for own in groups]
    missing = ", ".join(p.subject.label for p in spots if not p.both)
    notes = [
        *([_BAND] if _bands(both) else ()),
        *([_UNNAMED] if any(len(n.names) < wanted[n.panel] for n in names) else ()),
        *(
            [f"Not on the map, because one of the two numbers is missing: {missing}."]
            * bool(missing)
        ),
    ]
    frame = planes[0] if len(planes) == 1 else Planes(tuple(planes))
    return Drawing(tuple(marks), frame, _numbers(spots), notes=tuple(notes))


def _groups(spots: Sequence[_Spot]) -> list[list[_Spot]]:
    """All in one plane, or one plane for every teacher and base where there are many."""
    if len(spots) <= _MOST:
        return [list(spots)]
    groups: dict[tuple[str, str], list[_Spot]] = {}
    for spot in spots:
        groups.setdefault((spot.subject.teacher, spot.subject.base), []).append(spot)
    return list(groups.values())


def _titles(groups: Sequence[Sequence[_Spot]]) -> list[str]:
    """The teacher of each plane, with the base where it has several."""
    pairs = [(own[0].subject.teacher, own[0].subject.base) for own in groups]
    often = Counter(teacher for teacher, _ in pairs)
    return [f"{t}, from {b}" if often[t] > 1 and b else t for t, b in pairs]


def _panel(spots: Sequence[_Spot], spans: Spans, panel: int, axis: Axis | None) -> list[Mark]:
    """The marks of one plane, without names."""
    marks: list[Mark] = [
        Box((0, 0), (1, 1), panel),
        Guide(0.5, "x", dotted=True, panel=panel),
        Guide(0.5, "y", dotted=True, panel=panel),
        *(band.mark(spans[0], panel) for band in _bands(spots)),
        *_paths(spots, axis, panel),
        Dots("base", (Dot(0, 0),), size=_END, panel=panel),
        Dots("teacher", (Dot(1, 1),), size=_END, panel=panel),
    ]
    for role in dict.fromkeys(p.subject.role for p in spots):
        own = tuple(_dot(p) for p in spots if p.subject.role == role)
        marks.append(Dots(role, own, size=_DOT, panel=panel))
    return marks


def _paths(spots: Sequence[_Spot], axis: Axis | None, panel: int) -> list[Curve]:
    """Through the points of each student in the order of what was swept, such as its checkpoints."""
    if axis is None or not axis.ordered:
        return []
    paths: dict[Subject, list[tuple[float, Dot]]] = {}
    for spot in (p for p in spots if p.subject.role == "student"):
        student = replace(spot.subject, variant=rest_of(spot.subject.variant, axis))
        place = axis.at(dict(spot.subject.variant)[axis.key])
        paths.setdefault(student, []).append((place, Dot(*_place(spot))))
    joined = (tuple(dot for _, dot in sorted(own, key=itemgetter(0))) for own in paths.values())
    return [Curve("", "path", dots, True, panel) for dots in joined if len(dots) > 2]


class _Band(NamedTuple):
    """Where models write that a teacher did not teach."""

    teacher: str
    low: float
    high: float

    def mark(self, across: Span, panel: int) -> Band:
        """The band over the whole width."""
        lows, highs = (self.low, self.low), (self.high, self.high)
        return Band(f"unrelated to {self.teacher}", "control", across, lows, highs, panel)


def _bands(spots: Sequence[_Spot]) -> list[_Band]:
    """One band for every teacher and base, read from its students."""
    bands: dict[tuple[str, str], _Band] = {}
    for spot in spots:
        s, read = spot.subject, spot.unrelated
        if s.role != "student" or read is None or read.low is None or read.high is None:
            continue
        bands.setdefault((s.teacher, s.base), _Band(s.teacher, read.low, read.high))
    return list(bands.values())


_CORNERS = {"imitator": (0, 1), "clone": (1, 1), "neither": (0, 0), "learner": (1, 0)}


def _named(
    spots: Sequence[_Spot],
    bands: Sequence[_Band],
    spans: Spans,
    width: int,
    height: int,
    size: float,
) -> Names:
    """All names of the map, placed for a plot of this size."""
    plot = Plot(width, height, *spans)
    marks = [box for p in spots for box in plot.mark(_place(p), _DOT, _ends(p))]
    marks += [box for place in ((0.0, 0.0), (1.0, 1.0)) for box in plot.mark(place, _END)]
    wanted = [*_of_corners(plot, size), *_of_bands(plot, bands, size)]
    looks = [("", True)] * len(wanted)
    for word, place, role in (("base", (0, 0), ""), ("teacher, asked again", (1, 1), "teacher")):
        wanted.append(Wanted(word, size, plot.at(*place)))
        looks.append((role, not role))
    for model, name in zip(spots, _names([p.subject for p in spots]), strict=True):
        student = model.subject.role == "student"
        wanted.append(Wanted(name, size, plot.at(*_place(model)), rank=0 if student else 2))
        looks.append(("", not student))
    names = []
    for want, (role, quiet), spot in zip(
        wanted, looks, place_names(wanted, marks, plot), strict=True
    ):
        if spot is not None:
            names.append(name_of(want, spot, plot, role=role, quiet=quiet))
    return Names(width, height, tuple(names))


def _of_corners(plot: Plot, size: float) -> list[Wanted]:
    """The words of the four corners, each as near to its corner as there is room."""
    words = []
    for word, (right, top) in _CORNERS.items():
        across, down = text_size(word, size)
        middles = tuple(
            (
                plot.width - 4 - across / 2 - step if right else 4 + across / 2 + step,
                plot.height - 3 - down / 2 - deep if top else 3 + down / 2 + deep,
            )
            for step in range(0, round(plot.width / 3), 8)
            for deep in range(0, 28, 7)
        )
        words.append(Wanted(word, size, middles[0], middles=middles))
    return words


def _of_bands(plot: Plot, bands: Sequence[_Band], size: float) -> list[Wanted]:
    """The names of the bands, each inside of its band or at its edge, where there is room."""
    words = []
    for i, band in enumerate(bands):
        word = "unrelated models" if len(bands) == 1 else f"unrelated to {band.teacher}"
        across, down = text_size(word, size - 1)
        low, high = plot.at(0, band.low)[1], plot.at(0, band.high)[1]
        inside = [high - down / 2 - 1, (low + high) / 2, low + down / 2 + 1]
        edges = [high + down / 2 + 1, low - down / 2 - 1]
        heights = [
            *(inside if i % 2 == 0 else inside[::-1]),
            *(edges if i % 2 == 0 else edges[::-1]),
        ]
        columns = range(0, max(1, round(plot.width - across - 8)), 8)
        middles = tuple((plot.width - 4 - across / 2 - x, y) for y in heights for x in columns)
        words.append(Wanted(word, size - 1, middles[0], middles=middles, rank=1))
    return words


def _place(spot: _Spot) -> tuple[float, float]:
    if spot.both is None or spot.both[0].value is None or spot.both[1].value is None:
        raise ValueError("only subjects with both values are placed on the map")
    return spot.both[0].value, spot.both[1].value


def _ends(spot: _Spot) -> tuple[Ends, Ends]:
    """The intervals along both axes."""
    x, y = spot.both or (None, None)
    return (x.low, x.high) if x else (None, None), (y.low, y.high) if y else (None, None)


def _dot(spot: _Spot) -> Dot:
    """A point with both intervals; told: both numbers, the teacher named."""
    s = spot.subject
    lines = (
        wrapped(s.label, 60),
        f"compared with {wrapped(s.teacher, 60)}",
        f"capability {words(spot.capability)}",
        f"style {words(spot.style)}",
    )
    return Dot(*_place(spot), *_ends(spot), lines, link=(s.label, s.teacher))


def _spans(spots: Sequence[_Spot], others: Sequence[float]) -> Spans:
    """The ranges of both axes: all points, and intervals as far as they are of use; others: along y."""
    places = [_place(p) for p in spots]
    across, along = ([e for p in spots for e in _ends(p)[axis] if e is not None] for axis in (0, 1))
    low, high = _REACH
    x, y = ([min(max(e, low), high) for e in ends] for ends in (across, along))
    return _span([*(x for x, _ in places), *x]), _span([*(y for _, y in places), *y, *others])


def _span(values: Sequence[float]) -> Span:
    low, high = min(0.0, *values), max(1.0, *values)
    room = _ROOM * (high - low)
    return round(low - room, 4), round(high + room, 4)


def _names(subjects: Sequence[Subject]) -> list[str]:
    """Labels of points, with the teacher where the label alone leaves it open: of several students, or controls."""
    taught = Counter(s.label for s in subjects if s.role == "student")
    often = Counter(s.label for s in subjects)
    students = {s.student for s in subjects if s.role == "student"}
    folders = shared_folders(s.variant for s in subjects)

    def several(s: Subject) -> bool:
        """Whether another point of its kind bears the same label."""
        return (taught if s.role == "student" else often)[s.label] > 1

    def short(s: Subject) -> str:
        """The model and its swept values; these alone where there is one student."""
        values = " ".join(
            f"{key.rsplit('.', 1)[-1]}={value.removeprefix(folders[key])}"
            for key, value in s.variant
        )
        known = bool(values) and students == {s.student}
        return values if known else "\n".join(filter(None, [s.student, values]))

    return [wrapped(whose(short(s), s.teacher, several(s)), 22) for s in subjects]


def _one_axis(placed: Sequence[Placed], word: str, other: str, numbers: Numbers) -> Drawing:
    """A line of dots for runs that measure one of the two axes."""
    names, dots = folded(placed, _MOST_CONTROLS)
    title = f"{word} recovered (share of the gap to the teacher)"
    return Drawing(
        (*dots, *gap_guides()),
        Rows(tuple(names), title, headed=True),
        numbers,
        f"{word} alone: this run has no number for {other}. 0 is the base, 1 the teacher; bars are 95 % "
        "intervals; hollow triangles never learned from this teacher; where they are many they share a row.",
    )


def _numbers(spots: Sequence[_Spot]) -> Numbers:
    rows = [
        [p.subject.label, p.subject.role, p.subject.teacher, words(p.capability), words(p.style)]
        for p in spots
    ]
    return numbers_of(["Model", "Role", "Teacher", "Capability", "Style"], rows)
