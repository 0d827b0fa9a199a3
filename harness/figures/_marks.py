"""How a role looks in every figure (colour, symbol, fill), and the parts that figures are made of.

Colours are Okabe and Ito's; each role also has a symbol of its own, so that none is told by colour alone. The page's
script exchanges colours for those of the dark scheme and adds fonts, grid and background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from harness.board.board import Subject
from harness.board.numerals import estimate
from harness.types import Score


@dataclass(frozen=True)
class Mark:
    """Colour, plotly symbol and word of a role."""

    colour: str
    symbol: str
    word: str


MARKS = {
    "teacher": Mark("#D55E00", "diamond", "teacher"),
    "student": Mark("#0072B2", "circle", "student"),
    "base": Mark("#6B6B6B", "square", "base"),
    "control": Mark("#009E73", "triangle-up-open", "control"),
    "ceiling": Mark("#D55E00", "diamond-open", "another version of the teacher"),
    "other": Mark("#6B6B6B", "x-open", "other"),
}
QUIET = "#6B6B6B"  # text and lines that stay behind the data
FAINT = "#C9C9C9"  # guide lines


def mark(role: str) -> Mark:
    """The mark of a role; that of "other" for a role without its own."""
    return MARKS.get(role, MARKS["other"])


def label(text: str, width: int = 24) -> str:
    """A name for a figure: escaped, broken after a separator where it is long."""
    if "\n" in text:
        first, _, rest = text.partition("\n")
        return (
            label(f"{first} {rest}", width + 2)
            if len(text) <= width + 2
            else f"{label(first, width)}<br>{label(rest, width)}"
        )
    lines, line = [], ""
    for character in text:
        line += character
        if len(line) >= width or (character in "-_/ +" and len(line) >= width * 0.7):
            lines.append(line)
            line = ""
    lines.append(line)
    if len(lines) > 1 and len(lines[-1]) < 4:
        lines[-2:] = [lines[-2] + lines[-1]]
    return "<br>".join(escape(x, quote=False) for x in lines if x)


def points(role: str, scores: Sequence[Score], ys: Sequence[Any], **more: Any) -> dict[str, Any]:
    """A trace of dots with horizontal intervals; every score has a value."""
    look = mark(role)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": look.word,
        "x": [s.value for s in scores],
        "y": list(ys),
        "marker": {
            "symbol": look.symbol,
            "color": look.colour,
            "size": 11,
            "line": {"width": 1.8, "color": look.colour},
        },
        "error_x": spread(scores, look.colour),
        "text": [hover(s) for s in scores],
        "hoverinfo": "text",
        "cliponaxis": False,
        **more,
    }


def spread(scores: Sequence[Score], colour: str) -> dict[str, Any]:
    """Plotly's error bars for the intervals of scores; none where a score has none."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [_above(s) for s in scores],
        "arrayminus": [_below(s) for s in scores],
        "color": colour,
        "thickness": 1.4,
        "width": 0,
    }


def _above(score: Score) -> float | None:
    return None if score.high is None or score.value is None else max(0.0, score.high - score.value)


def _below(score: Score) -> float | None:
    return None if score.low is None or score.value is None else max(0.0, score.value - score.low)


def hover(score: Score) -> str:
    """What a point says when pointed at."""
    name = f"<b>{escape(score.student, quote=False)}</b>"
    if score.value is None:
        return f"{name}<br>{escape(score.reason, quote=False)}"
    n = f"n = {score.n}" + (" control lineages" if score.level == "models" else "")
    return f"{name}<br>{escape(score.task, quote=False)}<br>{estimate(score.value, score.low, score.high)}, {n}"


def words(score: Score | None) -> str:
    """A score in a table: the estimate with its interval, or a dash with the reason."""
    if score is None:
        return "–"
    return (
        estimate(score.value, score.low, score.high)
        if score.value is not None
        else f"– {score.reason}"
    )


def rows_layout(rows: int, title: str, **axis: Any) -> dict[str, Any]:
    """Layout of a dot plot with one line of 30 px per row; rows count downwards."""
    return {
        "height": 96 + 30 * max(rows, 2),
        "margin": {"l": 8, "r": 16, "t": 8, "b": 48},
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": {
            "title": {"text": title, "standoff": 10},
            "zeroline": False,
            "automargin": True,
            **axis,
        },
        "yaxis": {
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
            "range": [rows - 0.5, -0.5],
        },
    }


def named_rows(layout: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The layout with names on its rows, whole and wrapped."""
    texts = [label(n, 30) for n in names]
    layout["yaxis"] |= {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": texts}
    most = max((t.count("<br>") + 1 for t in texts), default=1)
    return layout | {
        "height": 96 + max(30 if len(names) <= 16 else 23, 14 * most) * max(2, len(names))
    }


def whose(model: str, teacher: str, several: bool) -> str:
    """The name of a point: the model, and the teacher where the figure holds several."""
    return f"{model}\n← {teacher}" if several else model


class Held(NamedTuple):
    """A subject and its score, which has a value."""

    subject: Subject
    score: Score


def by_teacher(held: Sequence[Held]) -> tuple[list[Held | str], list[dict[str, Any]]]:
    """Rows from the top (a teacher's name before its models where there are several), and a trace of dots per role.

    Within a teacher the highest comes first.
    """
    rows: list[Held | str] = []
    teachers = list(dict.fromkeys(h.subject.teacher for h in held))
    for teacher in teachers:
        rows += [teacher] if len(teachers) > 1 else []
        own = sorted(
            (-(h.score.value or 0.0), h.subject.label, i)
            for i, h in enumerate(held)
            if h.subject.teacher == teacher
        )
        rows += [held[i] for _, _, i in own]
    roles = sorted({h.subject.role for h in held}, key=lambda role: role == "student")
    traces = []
    for role in roles:
        spots = [
            (y, r.score)
            for y, r in enumerate(rows)
            if isinstance(r, Held) and r.subject.role == role
        ]
        traces.append(points(role, [s for _, s in spots], [y for y, _ in spots]))
    return rows, traces


def teacher_rows(layout: dict[str, Any], rows: Sequence[Held | str]) -> dict[str, Any]:
    """The layout with the rows' names, students in full ink, teachers bold."""
    layout = named_rows(
        layout, [row if isinstance(row, str) else row.subject.label for row in rows]
    )
    texts = layout["yaxis"]["ticktext"]
    bold = [
        f"<b>with {t}</b>" if isinstance(row, str) else t
        for row, t in zip(rows, texts, strict=True)
    ]
    layout["yaxis"] |= {"ticktext": bold}
    return layout


def guide(x: float, dash: str = "solid") -> dict[str, Any]:
    """A vertical guide line through the whole plot."""
    line = {"color": FAINT, "width": 1, "dash": dash}
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": line,
    }


def gap_guides() -> dict[str, Any]:
    """Guides and their names where 0 is the base and 1 the teacher."""
    names = [(0.0, "base"), (1.0, "teacher")]
    text = {"xref": "x", "yref": "paper", "y": 1, "yanchor": "bottom", "showarrow": False}
    notes = [
        {**text, "x": x, "text": word, "font": {"size": 11, "color": QUIET}} for x, word in names
    ]
    return {"shapes": [guide(0.0), guide(1.0)], "annotations": notes}
