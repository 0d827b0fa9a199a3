"""One student's style, feature by feature: base, student and teacher on one axis each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from harness.board.numerals import number
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import FAINT, QUIET, gap_guides, named_rows, points, rows_layout, words
from harness.types import Pair, Score

_FEATURE = "style_profile/"
_GAP = "style_profile/gap/"
_MOST_ROWS = 24


class _Row(NamedTuple):
    """One feature on one task: its name, and a score by role."""

    name: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class StyleProfile(AbstractFigure):
    """Features of style; every row has its own axis from the lowest to the highest of the three models."""

    title: ClassVar[str] = "Style by feature"
    reading: ClassVar[str] = (
        "Each row is one feature on an axis of its own, from the lowest to the highest of the three models (values at "
        "the ends). A student (circle) that writes like its teacher lies on the diamond; bars that overlap mean little."
    )
    order: ClassVar[int] = 40
    per: ClassVar = "student"

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Rows for features that two models have at least; the gaps recovered where the models' values are absent."""
        if not record.pairs:
            return None
        rows = _rows(record, record.pairs[0])
        if not rows:
            return _gaps(record, record.pairs[0])
        rows.sort(key=lambda r: (-_separation(r.scores), r.name))
        shown = rows[:_MOST_ROWS]
        traces = [_lines(len(shown))]
        for role in ("base", "teacher", "student"):
            held = [(y, _scaled(r.scores, role)) for y, r in enumerate(shown) if role in r.scores]
            text = [
                f"<b>{r.name}</b><br>{role} {words(r.scores[role])}"
                for r in shown
                if role in r.scores
            ]
            traces.append(points(role, [s for _, s in held], [y for y, _ in held], text=text))
        layout = named_rows(
            rows_layout(len(shown), "lowest to highest of the three models"),
            [r.name for r in shown],
        )
        layout["xaxis"] |= {"range": [-0.32, 1.32], "showticklabels": False, "showgrid": False}
        return {
            "data": traces,
            "layout": {**layout, "annotations": _ends(shown)},
            "table": {
                "columns": ["Feature", "Base", "Student", "Teacher", "Unit"],
                "rows": [
                    [
                        r.name,
                        *(words(r.scores.get(k)) for k in ("base", "student", "teacher")),
                        _unit(r),
                    ]
                    for r in rows
                ],
            },
            "notes": [f"{len(rows) - len(shown)} features with smaller gaps are in the table."]
            if len(rows) > len(shown)
            else [],
        }


def _rows(record: RunRecord, pair: Pair) -> list[_Row]:
    models = {"student": pair.student, "teacher": pair.teacher, "base": pair.base}
    found: dict[tuple[str, str], dict[str, Score]] = {}
    for score in record.scores:
        if (
            score.metric.startswith(_FEATURE)
            and not score.metric.startswith(_GAP)
            and score.value is not None
        ):
            for role, model in models.items():
                if score.student == model and score.teacher in ("", pair.teacher):
                    found.setdefault((score.metric.removeprefix(_FEATURE), score.task), {})[
                        role
                    ] = score
    several = len({task for _, task in found}) > 1
    kept = {
        k: v for k, v in sorted(found.items()) if "student" in v and len(v) > 1 and _span(v) > 0
    }
    return [
        _Row(name.replace("_", " ") + (f" · {task}" if several else ""), v)
        for (name, task), v in kept.items()
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


def _scaled(scores: Mapping[str, Score], role: str) -> Score:
    """The role's score on the row's own axis; interval ends beyond the room of the row are cut there."""
    low, span, score = min(_values(scores)), _span(scores), scores[role]

    def place(x: float | None) -> float | None:
        return None if x is None else min(1.14, max(-0.14, (x - low) / span))

    return replace(score, value=place(score.value), low=place(score.low), high=place(score.high))


def _lines(rows: int) -> dict[str, Any]:
    xs = [x for _ in range(rows) for x in (0.0, 1.0, None)]
    ys = [y for row in range(rows) for y in (row, row, None)]
    line = {"color": FAINT, "width": 2}
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": line,
        "hoverinfo": "skip",
        "name": "range",
    }


def _ends(rows: Sequence[_Row]) -> list[dict[str, Any]]:
    """The lowest and the highest value of each row, written at its ends."""
    found = []
    for y, row in enumerate(rows):
        for x, value, anchor in (
            (-0.16, min(_values(row.scores)), "right"),
            (1.16, max(_values(row.scores)), "left"),
        ):
            text = {"text": number(value), "font": {"size": 11, "color": QUIET}, "showarrow": False}
            found.append({**text, "x": x, "y": y, "xanchor": anchor, "xref": "x", "yref": "y"})
    return found


def _unit(row: _Row) -> str:
    return row.scores["student"].unit


def _gaps(record: RunRecord, pair: Pair) -> dict[str, Any] | None:
    """Gaps recovered by feature, for records that hold no values of the models themselves."""
    own = [s for s in record.scores if (s.student, s.teacher) == (pair.student, pair.teacher)]
    held = [s for s in own if s.metric.startswith(_GAP) and s.value is not None]
    if not held:
        return None
    held.sort(key=lambda s: (-(s.value or 0.0), s.metric))
    names = [s.metric.removeprefix(_GAP).replace("_", " ") for s in held[:_MOST_ROWS]]
    layout = named_rows(
        rows_layout(len(names), "Share of the gap, higher is closer to the teacher"), names
    )
    return {
        "data": [points("student", held[:_MOST_ROWS], range(len(names)))],
        "layout": {**layout, **gap_guides(), "margin": {**layout["margin"], "t": 26}},
        "table": {
            "columns": ["Feature", "Recovered", "n"],
            "rows": [[s.metric, words(s), str(s.n)] for s in held],
        },
        "reading": "How far each feature moved from the base (0) to the teacher (1), with 95 % intervals.",
    }
