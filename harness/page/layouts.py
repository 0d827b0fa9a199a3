"""Frames as plotly layouts: axes, margins, sizes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from harness.figures import Frame, Grid, Panels, Plane, Planes, Rows
from harness.page.looks import escaped

_PLANE_MARGIN = (56, 12, 12, 52)  # pixels left, right, above and below a plane
BETWEEN = 0.4  # from one plane down to the next, in heights of a plane
Plotly = dict[str, Any]


def plane_margin(frame: Frame) -> tuple[int, int, int, int]:
    """Pixels left, right, above and below planes, whose titles stand above them where there are several."""
    left, right, top, bottom = _PLANE_MARGIN
    return left, right, top + (18 if isinstance(frame, Planes) else 0), bottom


def axis_name(axis: str, panel: int) -> str:
    """Plotly's word for an axis of a panel."""
    return f"{axis}{panel + 1}" if panel else axis


def layout_of(frame: Frame) -> Plotly:
    """Axes and size of a frame."""
    own = _own_layout(frame)
    return {"height": frame.height, "showlegend": False, "hovermode": "closest", **own}


def _own_layout(frame: Frame) -> Plotly:
    if isinstance(frame, Rows):
        return _rows(frame)
    if isinstance(frame, Plane):
        return _plane(frame)
    if isinstance(frame, Planes):
        return _planes(frame)
    if isinstance(frame, Panels):
        return _panels(frame)
    if isinstance(frame, Grid):
        return _grid(frame)
    assert_never(frame)


def _margin(left: int, right: int, top: int, bottom: int) -> Plotly:
    return {"l": left, "r": right, "t": top, "b": bottom}


def _rows(frame: Rows) -> Plotly:
    n = len(frame.names)
    x: Plotly = {
        "title": {"text": escaped(frame.title), "standoff": 10},
        "zeroline": False,
        "automargin": True,
    }
    x |= {"range": list(frame.span)} if frame.span else {}
    x |= {"rangemode": "tozero"} if frame.from_zero else {}
    x |= {} if frame.numbers else {"showticklabels": False}
    x |= {} if frame.grid else {"showgrid": False}
    names = [f"<b>{escaped(r.text)}</b>" if r.strong else escaped(r.text) for r in frame.names]
    y = {"automargin": True, "showgrid": False, "zeroline": False, "range": [n - 0.5, -0.5]}
    ticks = {"tickmode": "array", "tickvals": list(range(n)), "ticktext": names}
    margin = _margin(8, 16, 26 if frame.headed else 8, 48)
    return {"margin": margin, "xaxis": x, "yaxis": y | ticks}


def _plane(frame: Plane) -> Plotly:
    return {"margin": _margin(*_PLANE_MARGIN), "xaxis": _x_of(frame), "yaxis": _y_of(frame)}


def _x_of(plane: Plane) -> Plotly:
    if not plane.x_ticks:
        return _plain_axis(plane.x_title, plane.x_span) | {"dtick": plane.step}
    places, words = zip(*plane.x_ticks, strict=True)
    ticks = {"tickmode": "array", "tickvals": list(places), "ticktext": list(map(escaped, words))}
    return _plain_axis(plane.x_title, plane.x_span) | ticks


def _y_of(plane: Plane) -> Plotly:
    return _plain_axis(plane.y_title, plane.y_span) | {"dtick": plane.step}


def _plain_axis(title: str, span: tuple[float, float]) -> Plotly:
    text = {"text": escaped(title), "standoff": 8}
    return {"title": text, "range": list(span), "zeroline": False, "showgrid": False}


def _planes(frame: Planes) -> Plotly:
    """Planes below one another, each with its title."""
    layout: Plotly = {"margin": _margin(*plane_margin(frame)), "annotations": []}
    for i, (plane, domain) in enumerate(zip(frame.planes, domains(len(frame.planes)), strict=True)):
        x, y = axis_name("x", i), axis_name("y", i)
        layout[f"xaxis{i + 1 if i else ''}"] = _x_of(plane) | {"anchor": y}
        layout[f"yaxis{i + 1 if i else ''}"] = _y_of(plane) | {"domain": domain}
        place = {"xref": f"{x} domain", "yref": f"{y} domain", "x": 0, "y": 1}
        ends = {"xanchor": "left", "yanchor": "bottom", "showarrow": False}
        layout["annotations"].append({"text": f"<b>{escaped(plane.title)}</b>", **place, **ends})
    return layout


def domains(n: int) -> list[list[float]]:
    """The share of the height that each of some planes below one another takes, from the top."""
    whole = n + BETWEEN * (n - 1)
    ends = [1 - i * (1 + BETWEEN) / whole for i in range(n)]
    return [[max(0.0, end - 1 / whole), end] for end in ends]


def _panels(frame: Panels) -> Plotly:
    n, ticks = len(frame.spans), frame.x
    plot = frame.height - frame.head - frame.foot
    layout: Plotly = {
        "margin": _margin(8, 116, frame.head, frame.foot),
        "meta": {"panels": n, "least_width": 420},
        "xaxis": {
            "type": "log" if ticks.logarithmic else "linear",
            "title": {"text": escaped(ticks.title), "standoff": 8},
            "tickmode": "array",
            "tickvals": [place for place, _ in ticks.places],
            "ticktext": [escaped(name) for _, name in ticks.places],
            "range": list(ticks.span),
            "zeroline": False,
            "automargin": True,
            "anchor": axis_name("y", n - 1),
        },
    }
    for i, span in enumerate(frame.spans):
        top = plot - i * (frame.panel_height + frame.between)
        layout[f"yaxis{i + 1 if i else ''}"] = {
            "domain": [max(0.0, (top - frame.panel_height) / plot), top / plot],
            "range": list(span),
            "automargin": True,
            "zeroline": False,
            "nticks": 5,
            "exponentformat": "none",
        }
    return layout


def _grid(frame: Grid) -> Plotly:
    still = {"showgrid": False, "zeroline": False, "automargin": True, "fixedrange": True}

    def axis(names: Sequence[str]) -> Plotly:
        """An axis of names that cannot be moved."""
        texts = [escaped(name) for name in names]
        return {
            **still,
            "tickmode": "array",
            "tickvals": list(range(len(names))),
            "ticktext": texts,
        }

    n = len(frame.across)
    return {
        "margin": _margin(8, 8, 8, 8),
        "xaxis": axis(frame.across) | {"side": "top", "tickangle": 0},
        "yaxis": axis(frame.down) | {"autorange": "reversed"},
        "meta": {"least_width": 170 + 92 * n, "wide": n > 4},
    }
