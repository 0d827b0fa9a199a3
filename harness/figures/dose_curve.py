"""Measures against what a sweep changed: training steps, amount of data, temperature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from harness.board.board import ScoreIndex, Subject, Variant, is_gap, overall, subjects
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._doses import Axis, axis_of, rest_of
from harness.figures._marks import FAINT, QUIET, hover, label, mark, whose, words
from harness.types import Score

_FIRST = (
    "capability_transfer", "style_transfer", "task_score", "capa", "error_inheritance/excess", "top1_agreement",
    "judged/retention",
)  # fmt: skip
_MOST_PANELS = 6
_MOST_REASONS = 6
_PANEL, _BETWEEN, _FOOT, _HEAD = 150, 44, 52, 34  # pixels
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
        return [s for s in self.spots if s.score.value is not None]


@dataclass(frozen=True)
class _Panel:
    """One metric."""

    metric: str
    lines: tuple[_Line, ...]

    @property
    def example(self) -> Score:
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
            x for line in self.lines for s in line.valued for x in _numbers(s.score, line.role)
        ]
        room = 0.12 * (max(numbers) - min(numbers)) or 0.1
        return min(numbers) - room, max(numbers) + room


@dataclass(frozen=True)
class DoseCurve(AbstractFigure):
    """A panel per measure, a line per model, a band for each student's interval."""

    title: ClassVar[str] = "Dose and time"
    reading: ClassVar[str] = (
        "One panel per measure, averaged over tasks; along the bottom what the sweep changed. Bands are the 95 % "
        "intervals of the students, each point for itself."
    )
    order: ClassVar[int] = 5

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Panels over the numeric key of the sweep; nothing where no key but seeds was swept."""
        axis = axis_of(record)
        panels = _panels(record, axis) if axis else []
        if axis is None or not panels:
            return None
        moved = [p for p in panels if p.moves] or panels
        shown = moved[:_MOST_PANELS]
        height = _HEAD + _FOOT + len(shown) * _PANEL + (len(shown) - 1) * _BETWEEN
        layout: dict[str, Any] = {
            "height": height,
            "margin": {"l": 8, "r": 116, "t": _HEAD, "b": _FOOT},
            "showlegend": False,
            "hovermode": "closest",
            "xaxis": {**axis.layout(), "anchor": f"y{len(shown)}" if len(shown) > 1 else "y"},
            "shapes": [],
            "annotations": [],
            "meta": {"panels": len(shown), "least_width": 420},
        }
        data: list[dict[str, Any]] = []
        for i, panel in enumerate(shown):
            name = str(i + 1) if i else ""
            layout[f"yaxis{name}"] = _vertical(i, height, panel)
            layout["annotations"] += [_heading(f"y{name}", panel), *_names(f"y{name}", panel, axis)]
            layout["shapes"] += _guides(f"y{name}", panel)
            data += [trace for line in panel.lines for trace in _traces(line, f"y{name}", axis)]
        still = [p.metric for p in panels if p not in moved]
        notes = [f"The same all along: {', '.join(still)}."] if still else []
        notes += (
            [f"In the table only: {', '.join(p.metric for p in moved[_MOST_PANELS:])}."]
            if moved != shown
            else []
        )
        return {
            "data": data,
            "layout": layout,
            "table": _table(panels, axis),
            "notes": [*notes, *_holes(shown, axis)],
        }


def _panels(record: RunRecord, axis: Axis) -> list[_Panel]:
    """Metrics in which some student has values at two places at least, the main ones first."""
    names = sorted({s.metric for s in record.scores})
    families = {n.split("/")[0] for n in names if "/" not in n}
    # of measures that are nothing but parts
    parts = [n for n in names if "/" in n and n.split("/")[0] not in families]
    order = [n for n in _FIRST if n in names] + [
        n for n in (*sorted(families), *parts) if n not in _FIRST
    ]
    index = ScoreIndex.of(record.scores)
    panels = [_Panel(n, tuple(_lines(record, index, n, axis))) for n in order]
    return [
        p
        for p in panels
        if any(line.role == "student" and len(line.valued) > 1 for line in p.lines)
    ]


def _lines(record: RunRecord, index: ScoreIndex, metric: str, axis: Axis) -> Iterator[_Line]:
    """A line for every model and setting of the other keys; students last, so that they are drawn on top."""
    found: dict[tuple[Subject, Variant], dict[str, Score]] = {}
    several = len({p.teacher for p in record.pairs}) > 1
    for subject in _all_models(record):
        score = index.overall(metric, subject) or overall(
            index.own(metric, subject.student, subject.variant)
        )
        if score is not None:
            name = whose(subject.student, subject.teacher, several and bool(subject.teacher))
            bare = Subject(name, subject.teacher, subject.role)
            found.setdefault((bare, rest_of(subject.variant, axis)), {})[
                dict(subject.variant)[axis.key]
            ] = score
    for (bare, rest), held in sorted(found.items(), key=lambda item: item[0][0].role == "student"):
        settings = "".join(f" {key.rsplit('.', 1)[-1]}={value}" for key, value in rest)
        spots = sorted(_Spot(axis.at(swept), swept, score) for swept, score in held.items())
        yield _Line(bare.student + settings, bare.role, tuple(spots))


def _all_models(record: RunRecord) -> list[Subject]:
    """Students, controls and ceilings, then teachers and bases, under every setting."""
    held = subjects(record)
    teachers = dict.fromkeys(p.teacher for p in record.pairs)
    bases = dict.fromkeys(p.base for p in record.pairs if p.base)
    extra = [(m, "teacher") for m in teachers] + [(m, "base") for m in bases if m not in teachers]
    variants = sorted({s.variant for s in held})
    return [*held, *(Subject(m, "", role, variant=v) for m, role in extra for v in variants)]


def _numbers(score: Score, role: str) -> list[float]:
    both = (score.value, score.low, score.high) if role == "student" else (score.value,)
    return [x for x in both if x is not None]


def _vertical(i: int, height: int, panel: _Panel) -> dict[str, Any]:
    plot = height - _HEAD - _FOOT
    top = plot - i * (_PANEL + _BETWEEN)
    return {
        "domain": [max(0.0, (top - _PANEL) / plot), top / plot],
        "range": list(panel.range),
        "automargin": True,
        "zeroline": False,
        "nticks": 5,
        "exponentformat": "none",
    }


def _heading(axis: str, panel: _Panel) -> dict[str, Any]:
    score = panel.example
    towards = (
        f", {_DIRECTION[score.better]} {'closer' if score.teacher else 'better'}"
        if _DIRECTION[score.better]
        else ""
    )
    text = f"<b>{label(panel.metric, 60)}</b>  {label(score.unit, 60)}{towards}"
    place = {
        "xref": "paper",
        "yref": f"{axis} domain",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
    }
    return {**place, "yshift": 4, "text": text, "showarrow": False, "align": "left"}


def _names(axis: str, panel: _Panel, axis_x: Axis) -> list[dict[str, Any]]:
    """The name of each line at its right end, moved apart where they would lie on one another."""
    low, high = panel.range
    least = (high - low) * 15 / _PANEL
    ends = sorted(
        (line for line in panel.lines if line.valued),
        key=lambda line: line.valued[-1].score.value or 0.0,
    )
    found, floor = [], low
    for i, line in enumerate(ends):
        ceiling = high - least * (len(ends) - 1 - i)
        y = min(max(line.valued[-1].score.value or 0.0, floor), max(ceiling, floor))
        floor = y + least
        look = mark(line.role)
        colour = look.colour if line.role == "student" else QUIET
        place = {
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "yref": axis,
            "y": y,
            "showarrow": False,
            "xshift": 6,
        }
        found.append(
            {**place, "text": label(line.name, 40), "font": {"size": 11.5, "color": colour}}
        )
    return found


def _guides(axis: str, panel: _Panel) -> list[dict[str, Any]]:
    """The base's and the teacher's level where the measure is a share of the gap between them."""
    low, high = panel.range
    levels = [x for x in (0.0, 1.0) if is_gap(panel.example) and low < x < high]
    line = {"color": FAINT, "width": 1.5}
    return [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "yref": axis,
            "y0": y,
            "y1": y,
            "layer": "below",
            "line": line,
        }
        for y in levels
    ]


def _traces(line: _Line, axis: str, axis_x: Axis) -> Iterator[dict[str, Any]]:
    look, student = mark(line.role), line.role == "student"
    spots = line.valued
    banded = [s for s in spots if s.score.low is not None and s.score.high is not None]
    common = {"type": "scatter", "yaxis": axis, "name": line.name}
    if student and axis_x.ordered and len(banded) > 1:
        xs = [s.at for s in banded]
        ys = [s.score.high for s in banded] + [s.score.low for s in reversed(banded)]
        area = {
            "fill": "toself",
            "fillcolor": look.colour,
            "opacity": 0.18,
            "line": {"width": 0},
            "hoverinfo": "skip",
        }
        yield {**common, **area, "mode": "lines", "x": xs + xs[::-1], "y": ys}
    yield {
        **common,
        "mode": "lines+markers" if axis_x.ordered else "markers",
        "x": [s.at for s in spots],
        "y": [s.score.value for s in spots],
        "line": {
            "color": look.colour,
            "width": 2 if student else 1.2,
            "dash": "solid" if student else "dot",
        },
        "marker": {
            "symbol": look.symbol,
            "color": look.colour,
            "size": 8 if student else 6,
            "opacity": 1,
        },
        "text": [f"{hover(s.score)}<br>{axis_x.word} = {s.swept}" for s in spots],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def _table(panels: Sequence[_Panel], axis: Axis) -> Mapping[str, Any]:
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
    return {"columns": ["Measure", "Model", axis.word, "Value", "n"], "rows": rows}


def _holes(panels: Sequence[_Panel], axis: Axis) -> list[str]:
    """Why points of students are absent."""
    found: dict[str, list[str]] = {}
    for panel in panels:
        for line in panel.lines:
            for spot in line.spots if line.role == "student" else ():
                if spot.score.value is None:
                    found.setdefault(spot.score.reason, []).append(
                        f"{panel.metric} at {axis.word} = {spot.swept}"
                    )
    told = [
        f"No point for {', '.join(places)}: {reason}."
        for reason, places in list(found.items())[:_MOST_REASONS]
    ]
    left = len(found) - len(told)
    return [*told, f"{left} more reasons are in the table."] if left else told
