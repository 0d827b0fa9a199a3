"""The transfer map: how much capability and how much style came across, one point per student."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from harness.board.board import CAPABILITY, STYLE, ScoreIndex, Subject, subjects
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import (
    FAINT,
    MARKS,
    QUIET,
    Held,
    by_teacher,
    gap_guides,
    label,
    mark,
    rows_layout,
    spread,
    teacher_rows,
    whose,
    words,
)
from harness.types import Score

_ROOM = 0.12  # share of the range left free around the outermost point


class _Placed(NamedTuple):
    """A subject with what it is placed by; a score is None where the run has no row for it."""

    subject: Subject
    capability: Score | None
    style: Score | None


@dataclass(frozen=True)
class TransferMap(AbstractFigure):
    """Capability against style, with intervals as crosses and the four corners named."""

    title: ClassVar[str] = "Transfer map"
    reading: ClassVar[str] = (
        "Further right: more of the teacher's capability. Further up: more of its style. 0 is the base, 1 the teacher; "
        "bars are 95 % intervals; hollow triangles never learned from this teacher."
    )
    order: ClassVar[int] = 0

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """The map, or a line of one axis where the run measures only that one."""
        index = ScoreIndex.of(record.scores)
        found = [
            _Placed(s, index.overall(CAPABILITY, s), index.overall(STYLE, s))
            for s in subjects(record)
        ]
        found = [p for p in found if p.capability or p.style]
        both = [p for p in found if _valued(p.capability) and _valued(p.style)]
        if both:
            return _map(found, both)
        for metric, word, place in ((STYLE, "Style", 2), (CAPABILITY, "Capability", 1)):
            held = [(p.subject, p[place]) for p in found]
            scores = [Held(s, x) for s, x in held if isinstance(x, Score) and x.value is not None]
            if scores:
                other = "capability" if metric == STYLE else "style"
                return _one_axis(scores, word, other, _table(found))
        return None


def _valued(score: Score | None) -> bool:
    return score is not None and score.value is not None


def _map(found: Sequence[_Placed], both: Sequence[_Placed]) -> dict[str, Any]:
    spots = [(_value(p.capability), _value(p.style)) for p in both]
    names = _names([p.subject for p in both])
    x_range, y_range = _range([x for x, _ in spots]), _range([y for _, y in spots])
    sides = _label_sides(spots, names, (x_range, y_range))
    traces = [
        _anchor("base", 0.0, "base", "top right"),
        _anchor("teacher", 1.0, "teacher, asked again", "top center"),
    ]
    for role in dict.fromkeys(p.subject.role for p in both):
        rows = [i for i, p in enumerate(both) if p.subject.role == role]
        trace = _role_trace(role, [both[i] for i in rows])
        traces.append(
            trace | {"text": [names[i] for i in rows], "textposition": [sides[i] for i in rows]}
        )
    missing = [p.subject.label for p in found if p not in both]
    kinds = {p.subject.base_kind for p in both if p.subject.role == "student"}
    return {
        "data": traces,
        "layout": _map_layout(x_range, y_range, "sibling" in kinds),
        "table": _table(found),
        "notes": [f"Not on the map, for want of one of the two numbers: {', '.join(missing)}."]
        if missing
        else [],
    }


def _value(score: Score | None) -> float:
    if score is None or score.value is None:
        raise ValueError("only subjects with both values are placed on the map")
    return score.value


def _role_trace(role: str, held: Sequence[_Placed]) -> dict[str, Any]:
    look = mark(role)
    xs = [p.capability for p in held if p.capability]
    ys = [p.style for p in held if p.style]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": look.word,
        "x": [s.value for s in xs],
        "y": [s.value for s in ys],
        "error_x": spread(xs, look.colour),
        "error_y": spread(ys, look.colour),
        "marker": {
            "symbol": look.symbol,
            "color": look.colour,
            "size": 12,
            "line": {"width": 1.8, "color": look.colour},
        },
        "textfont": {
            "size": 13 if role == "student" else 12,
            "color": None if role == "student" else QUIET,
        },
        "hovertext": [_hover(p) for p in held],
        "hoverinfo": "text",
        "customdata": [[p.subject.student, p.subject.teacher] for p in held],
        "cliponaxis": False,
    }


def _hover(placed: _Placed) -> str:
    """Both numbers of a point, the teacher named."""
    lines = [
        f"<b>{label(placed.subject.label, 60)}</b> held against {label(placed.subject.teacher, 60)}"
    ]
    lines += [f"capability {words(placed.capability)}", f"style {words(placed.style)}"]
    return "<br>".join(lines)


def _anchor(role: str, at: float, text: str, side: str) -> dict[str, Any]:
    look = MARKS[role]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": look.word,
        "x": [at],
        "y": [at],
        "marker": {"symbol": look.symbol, "color": look.colour, "size": 13},
        "text": [text],
        "textposition": side,
        "textfont": {"size": 12, "color": look.colour},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def _range(values: Sequence[float]) -> list[float]:
    low, high = min(0.0, *values), max(1.0, *values)
    room = _ROOM * (high - low)
    return [round(low - room, 4), round(high + room, 4)]


_SIDES = (
    "top right",
    "bottom right",
    "top left",
    "bottom left",
    "top center",
    "bottom center",
    "middle right",
    "middle left",
)


_PLOT = (560.0, 470.0)  # pixels of the plot on a wide screen, for the size of labels


def _names(held: Sequence[Subject]) -> list[str]:
    """Labels of points; a model that stands on the map more than once says against which teacher."""
    often = Counter(s.label for s in held)
    return [label(whose(s.label, s.teacher, often[s.label] > 1), 22) for s in held]


def _label_sides(
    spots: Sequence[tuple[float, float]],
    names: Sequence[str],
    ranges: tuple[list[float], list[float]],
) -> list[str]:
    """For every point the side on which its label crosses fewest other points and labels, chosen in order."""
    to_pixels = [_PLOT[i] / (ranges[i][1] - ranges[i][0]) for i in (0, 1)]
    pixels = [
        ((x - ranges[0][0]) * to_pixels[0], (y - ranges[1][0]) * to_pixels[1]) for x, y in spots
    ]
    ends = [
        ((at - ranges[0][0]) * to_pixels[0], (at - ranges[1][0]) * to_pixels[1])
        for at in (0.0, 1.0)
    ]
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in [*pixels, *ends]]
    taken += [
        _label_box(*ends[0], "top right", (36, 16)),
        _label_box(*ends[1], "top center", (136, 16)),
    ]
    chosen = []
    for (x, y), name in zip(pixels, names, strict=True):
        lines = name.split("<br>")
        size = (7.2 * max(map(len, lines)), 17.0 * len(lines))
        boxes = {side: _label_box(x, y, side, size) for side in _SIDES}
        outside = {s: b[2] > _PLOT[0] + 8 or b[0] < 0 for s, b in boxes.items()}
        best = min(
            _SIDES,
            key=lambda s: (
                sum(_crosses(boxes[s], t) for t in taken) + 2 * outside[s],
                _SIDES.index(s),
            ),
        )
        chosen.append(best)
        taken.append(boxes[best])
    return chosen


def _label_box(
    x: float, y: float, side: str, size: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a label beside a point, in pixels."""
    width, height = size
    vertical, horizontal = side.split()
    left = {"right": x + 9, "left": x - width - 9, "center": x - width / 2}[horizontal]
    bottom = {"top": y + 6, "bottom": y - height - 6, "middle": y - height / 2}[vertical]
    return left, bottom, left + width, bottom + height


def _crosses(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _map_layout(x_range: list[float], y_range: list[float], transfer: bool) -> dict[str, Any]:
    word = "transfer" if transfer else "gap recovered"
    corners = [("imitator", 0.02, 0.99, "left", "top"), ("clone", 0.98, 0.99, "right", "top")]
    corners += [
        ("neither", 0.02, 0.01, "left", "bottom"),
        ("learner", 0.98, 0.01, "right", "bottom"),
    ]
    half = {"type": "line", "layer": "below", "line": {"color": FAINT, "width": 1, "dash": "dot"}}
    return {
        "height": 540,
        "margin": {"l": 56, "r": 12, "t": 12, "b": 52},
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": _axis(f"Capability {word} (share of the gap)", x_range),
        "yaxis": _axis("Style recovered (share of the gap)", y_range),
        "shapes": [
            {
                "type": "rect",
                "x0": 0,
                "x1": 1,
                "y0": 0,
                "y1": 1,
                "layer": "below",
                "line": {"color": FAINT, "width": 1},
            },
            {**half, "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1},
            {**half, "y0": 0.5, "y1": 0.5, "xref": "paper", "x0": 0, "x1": 1},
        ],
        "annotations": [
            {
                "text": name,
                "xref": "paper",
                "yref": "paper",
                "x": x,
                "y": y,
                "xanchor": xanchor,
                "yanchor": yanchor,
                "showarrow": False,
                "font": {"size": 12, "color": QUIET},
            }
            for name, x, y, xanchor, yanchor in corners
        ],
    }


def _axis(title: str, span: list[float]) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 8},
        "range": span,
        "zeroline": False,
        "showgrid": False,
        "dtick": 0.5,
    }


def _one_axis(held: Sequence[Held], word: str, other: str, table: dict[str, Any]) -> dict[str, Any]:
    """A line of dots for runs that measure one of the two axes."""
    rows, traces = by_teacher(held)
    layout = teacher_rows(
        rows_layout(len(rows), f"{word} recovered (share of the gap to the teacher)"), rows
    )
    return {
        "data": traces,
        "layout": {**layout, **gap_guides(), "margin": {**layout["margin"], "t": 26}},
        "table": table,
        "reading": f"{word} alone: this run has no number for {other}. 0 is the base, 1 the teacher; bars are 95 % "
        "intervals; hollow triangles never learned from this teacher.",
    }


def _table(found: Sequence[_Placed]) -> dict[str, Any]:
    rows = [
        [p.subject.label, p.subject.role, p.subject.teacher, words(p.capability), words(p.style)]
        for p in found
    ]
    return {"columns": ["Model", "Role", "Teacher", "Capability", "Style"], "rows": rows}
