"""The parts of a drawing: marks at numbers, in a frame that gives the numbers a meaning. No colours here.

Texts are plain, `\\n` breaks a line. A role ("student", "control" ...) says how a mark looks; whoever draws knows how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Ends = tuple[float | None, float | None]  # of an interval; None where it has none
Told = tuple[str, ...]  # hover text of a mark, in lines; the first is its name
Side = Literal[
    "top right", "top left", "top center", "bottom right", "bottom left", "bottom center",
    "middle right", "middle left",
]  # fmt: skip


@dataclass(frozen=True)
class Dot:
    """A point with its intervals."""

    x: float
    y: float
    x_ends: Ends = (None, None)
    y_ends: Ends = (None, None)
    told: Told = ()
    label: str = ""  # written beside it
    side: Side = "top right"  # where
    link: tuple[str, str] | None = (
        None  # label and teacher of the student whose part of the page it opens
    )


@dataclass(frozen=True)
class Dots:
    """Points of one role."""

    role: str  # or "expected": a tick at what was to be expected
    dots: tuple[Dot, ...]
    size: float = 11.0  # pixels
    quiet: bool = False  # less prominent than the others
    panel: int = 0


@dataclass(frozen=True)
class Bar:
    """A stretch from one number to another in a row."""

    start: float
    end: float
    row: float


@dataclass(frozen=True)
class Bars:
    """Stretches behind the points."""

    name: str
    bars: tuple[Bar, ...]
    width: float = 3.0  # pixels


@dataclass(frozen=True)
class Curve:
    """The points of one model along an axis, joined where the axis has an order."""

    name: str
    role: str
    dots: tuple[Dot, ...]
    joined: bool
    panel: int  # of the frame, counted from the top and the left


@dataclass(frozen=True)
class Band:
    """The area between two curves."""

    name: str
    role: str
    xs: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    panel: int


@dataclass(frozen=True)
class HeatCell:
    """A cell of a heat map; without a value it is empty and shows a dash."""

    value: float | None
    text: str
    told: Told


@dataclass(frozen=True)
class Heat:
    """Cells from 0 (light) to 1 (dark), row by row from the top."""

    rows: tuple[tuple[HeatCell, ...], ...]


@dataclass(frozen=True)
class Label:
    """A text at a place."""

    text: str
    x: float
    y: float
    end: tuple[Literal["left", "center", "right"], Literal["top", "middle", "bottom"]]
    # end: that of the text which lies at the place
    x_of: Literal["axis", "frame"] = "axis"  # "frame" = 0 to 1 from left to right
    y_of: Literal["axis", "frame"] = "axis"  # "frame" = 0 to 1 from bottom to top of its panel
    strong: str = ""  # comes before the text
    size: float | None = 11.0  # pixels; None = that of running text
    quiet: bool = False
    role: str = ""  # whose colour it has
    shift: tuple[float, float] = (0.0, 0.0)  # pixels to the right and upwards
    panel: int = 0


@dataclass(frozen=True)
class Name:
    """The name of a place in a plot."""

    text: str
    x: float
    y: float
    shift: tuple[
        float, float
    ]  # pixels from the place to the middle of the text, to the right and upwards
    leader: bool = False  # a line leads from the place to the text
    role: str = ""  # whose colour it has
    quiet: bool = False
    size: float = 12.0  # pixels


@dataclass(frozen=True)
class Names:
    """Names that cross nothing where the plot has this size; the widest that fits is drawn, with its names."""

    width: int  # pixels of the plot between its axes
    height: int
    names: tuple[Name, ...]
    panel: int = 0


@dataclass(frozen=True)
class Guide:
    """A line through the whole frame or panel where one axis has this number."""

    at: float
    across: Literal["x", "y"] = "x"
    dotted: bool = False
    panel: int = 0


@dataclass(frozen=True)
class Box:
    """A rectangle behind the points."""

    low: tuple[float, float]
    high: tuple[float, float]
    panel: int = 0


Mark = Dots | Bars | Curve | Band | Heat | Label | Names | Guide | Box


# --- frames ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RowName:
    """The name of a row, wrapped."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Rows:
    """Named rows, counted from the top, over one axis of numbers."""

    names: tuple[RowName, ...]
    title: str  # of the axis
    span: tuple[float, float] | None = None  # of the axis; None = what is drawn
    from_zero: bool = False
    numbers: bool = True  # whether the axis shows its numbers
    grid: bool = True
    headed: bool = False  # room for labels above the rows

    @property
    def height(self) -> int:
        """Pixels."""
        lines = max((name.text.count("\n") + 1 for name in self.names), default=1)
        return 96 + max(30 if len(self.names) <= 16 else 23, 14 * lines) * max(2, len(self.names))


@dataclass(frozen=True)
class Plane:
    """Two axes of numbers."""

    x_title: str
    y_title: str
    x_span: tuple[float, float]
    y_span: tuple[float, float]
    step: float  # between two numbers on an axis
    height: int = 540  # where no Names say otherwise
    x_ticks: tuple[
        tuple[float, str], ...
    ] = ()  # places with their words; () = the multiples of the step
    title: str = ""  # above it, where there are several


@dataclass(frozen=True)
class Planes:
    """Planes beside and below one another: the panels of small multiples."""

    planes: tuple[Plane, ...]

    @property
    def height(self) -> int:
        """Pixels."""
        return sum(plane.height for plane in self.planes)


@dataclass(frozen=True)
class Ticks:
    """An axis with a tick at each of some values."""

    title: str
    places: tuple[tuple[float, str], ...]  # in order
    span: tuple[float, float]  # of the logarithms to base 10 where it is logarithmic
    logarithmic: bool = False


@dataclass(frozen=True)
class Panels:
    """Panels below one another over a shared axis, each with its own range of numbers."""

    x: Ticks
    spans: tuple[tuple[float, float], ...]  # one per panel, from the top
    panel_height: int = 150
    between: int = 44
    foot: int = 52
    head: int = 34

    @property
    def height(self) -> int:
        """Pixels."""
        n = len(self.spans)
        return self.head + self.foot + n * self.panel_height + (n - 1) * self.between


@dataclass(frozen=True)
class Grid:
    """Named columns and rows of cells."""

    across: tuple[str, ...]
    down: tuple[str, ...]

    @property
    def head(self) -> int:
        """Pixels of the columns' names."""
        return 16 * max(name.count("\n") + 1 for name in self.across)

    @property
    def height(self) -> int:
        """Pixels."""
        return 40 + self.head + 36 * len(self.down)


Frame = Rows | Plane | Planes | Panels | Grid


@dataclass(frozen=True)
class Numbers:
    """The same numbers as a table in words."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Drawing:
    """A figure, independent of the program that draws it."""

    marks: tuple[Mark, ...]  # the first lie lowest
    frame: Frame
    numbers: Numbers
    caption: str = ""  # "" = the figure's own
    notes: tuple[str, ...] = ()  # further remarks for readers


def numbers_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Numbers:
    """A table from its rows."""
    return Numbers(tuple(columns), tuple(tuple(row) for row in rows))
