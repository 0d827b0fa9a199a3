"""Drawings as plotly figures; the only module that knows plotly's names. Pure.

For the page's interactive figures, whose script exchanges colours for those of the dark scheme, for notebooks and for
the exporter `plotly`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from harness.figures import (
    Band,
    Bars,
    Box,
    Curve,
    Dots,
    Drawing,
    Frame,
    Grid,
    Guide,
    Heat,
    Label,
    Mark,
    Names,
    Panels,
    Plane,
    Rows,
)
from harness.page.looks import FAINT, LOOKS, OTHER, QUIET, escaped

_TITLE = 48  # pixels of a title above a figure that stands alone
_WIDTH = 700
_PLANE_MARGIN = (56, 12, 12, 52)  # pixels left, right, above and below a plane
Plotly = dict[str, Any]


def plotly(drawing: Drawing) -> Plotly:
    """The drawing as a plotly figure: "data" and "layout", all of it JSON."""
    data: list[Plotly] = []
    shapes: list[Plotly] = []
    annotations: list[Plotly] = []
    designs: list[Plotly] = []
    for mark in drawing.marks:
        if isinstance(mark, (Guide, Box)):
            shapes.append(_shape(mark, drawing.frame))
        elif isinstance(mark, Names):
            designs.append(_design(mark))
        elif isinstance(mark, Label):
            annotations.append(_annotation(mark, drawing.frame))
        else:
            data.append(_trace(mark))
            annotations += _dashes(mark) if isinstance(mark, Heat) else []
    layout = _layout(drawing.frame) | {"shapes": shapes, "annotations": annotations}
    if designs:
        layout["meta"] = {**layout.get("meta", {}), "designs": designs}
    return {"data": data, "layout": layout}


def _told(lines: Sequence[str]) -> str:
    """Text of a hover box; the first of several lines is a name."""
    first, *rest = map(escaped, lines) if lines else ("",)
    return "<br>".join([f"<b>{first}</b>", *rest]) if rest else first


# --- marks ----------------------------------------------------------------------------------------


def _trace(mark: Mark) -> Plotly:
    if isinstance(mark, Dots):
        return _dots(mark)
    if isinstance(mark, Bars):
        return _bars(mark)
    if isinstance(mark, Curve):
        return _curve(mark)
    if isinstance(mark, Band):
        return _band(mark)
    if isinstance(mark, Heat):
        return _heat(mark)
    raise TypeError(f"{type(mark).__name__} is not a trace")


def _dots(mark: Dots) -> Plotly:
    look = LOOKS.get(mark.role, OTHER)
    dots = mark.dots
    tells = any(d.told for d in dots)
    outline = {"line": {"width": look.outline, "color": look.colour}}
    trace: Plotly = {
        "type": "scatter",
        "mode": "markers+text" if any(d.label for d in dots) else "markers",
        "name": look.word,
        "x": [d.x for d in dots],
        "y": [d.y for d in dots],
        "marker": {"symbol": look.symbol, "color": look.colour, "size": mark.size},
        "hovertext": [_told(d.told) for d in dots],
        "hoverinfo": "text" if tells else "x" if mark.role == "expected" else "skip",
        "cliponaxis": False,
    }
    if tells or mark.role == "expected":
        trace["marker"] |= outline
    for axis in ("x", "y"):
        ends = [(d.x, d.x_ends) if axis == "x" else (d.y, d.y_ends) for d in dots]
        if any(end is not None for _, pair in ends for end in pair):
            trace[f"error_{axis}"] = _spread(ends, look.colour)
    if any(d.label for d in dots):
        own = None if mark.role == "student" else QUIET
        font = {
            "size": 13 if mark.role == "student" else 12,
            "color": own if tells else look.colour,
        }
        trace |= {"text": [escaped(d.label) for d in dots], "textposition": [d.side for d in dots]}
        trace["textfont"] = font
    if any(d.link for d in dots):
        trace["customdata"] = [list(d.link or ()) for d in dots]
    return trace | ({"opacity": 0.75} if mark.quiet else {})


def _spread(ends: Sequence[tuple[float, tuple[float | None, float | None]]], colour: str) -> Plotly:
    """Plotly's error bars; none where there is no interval."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [None if high is None else max(0.0, high - at) for at, (_, high) in ends],
        "arrayminus": [None if low is None else max(0.0, at - low) for at, (low, _) in ends],
        "color": colour,
        "thickness": 1.4,
        "width": 0,
    }


def _bars(mark: Bars) -> Plotly:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": mark.name,
        "x": [v for b in mark.bars for v in (b.start, b.end, None)],
        "y": [v for b in mark.bars for v in (b.row, b.row, None)],
        "line": {"color": FAINT, "width": mark.width},
        "hoverinfo": "skip",
    }


def _axis_name(panel: int) -> str:
    return f"y{panel + 1}" if panel else "y"


def _curve(mark: Curve) -> Plotly:
    look, student = LOOKS.get(mark.role, OTHER), mark.role == "student"
    line = {
        "color": look.colour,
        "width": 2 if student else 1.2,
        "dash": "solid" if student else "dot",
    }
    size = 8 if student else 6
    return {
        "type": "scatter",
        "yaxis": _axis_name(mark.panel),
        "name": mark.name,
        "mode": "lines+markers" if mark.joined else "markers",
        "x": [d.x for d in mark.dots],
        "y": [d.y for d in mark.dots],
        "line": line,
        "marker": {"symbol": look.symbol, "color": look.colour, "size": size, "opacity": 1},
        "text": [_told(d.told) for d in mark.dots],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def _band(mark: Band) -> Plotly:
    return {
        "type": "scatter",
        "yaxis": _axis_name(mark.panel),
        "name": mark.name,
        "mode": "lines",
        "x": [*mark.xs, *reversed(mark.xs)],
        "y": [*mark.highs, *reversed(mark.lows)],
        "fill": "toself",
        "fillcolor": LOOKS.get(mark.role, OTHER).colour,
        "opacity": 0.18,
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _heat(mark: Heat) -> Plotly:
    """One hue, from 0 to 1; numbers are written into the cells."""
    return {
        "type": "heatmap",
        "z": [[cell.value for cell in row] for row in mark.rows],
        "x": list(range(len(mark.rows[0]))),
        "y": list(range(len(mark.rows))),
        "text": [[cell.text for cell in row] for row in mark.rows],
        "texttemplate": "%{text}",
        "hovertext": [[_told(cell.told) for cell in row] for row in mark.rows],
        "hoverinfo": "text",
        "hoverongaps": True,
        "zmin": 0,
        "zmax": 1,
        "xgap": 3,
        "ygap": 3,
        "colorscale": [[0, "#F1F5F8"], [1, "#56B4E9"]],
        "showscale": False,
    }


def _dashes(mark: Heat) -> list[Plotly]:
    """A dash in every cell without a number."""
    places = [
        (x, y) for y, row in enumerate(mark.rows) for x, c in enumerate(row) if c.value is None
    ]
    dash = {"text": "–", "showarrow": False, "font": {"color": QUIET}, "xref": "x", "yref": "y"}
    return [{**dash, "x": x, "y": y} for x, y in places]


def _shape(mark: Guide | Box, frame: Frame) -> Plotly:
    width = 1.5 if isinstance(frame, Panels) else 1
    line: Plotly = {"color": FAINT, "width": width}
    if isinstance(mark, Box):
        ends = {"x0": mark.low[0], "x1": mark.high[0], "y0": mark.low[1], "y1": mark.high[1]}
        return {"type": "rect", "layer": "below", "line": line, **ends}
    line["dash"] = "dot" if mark.dotted else "solid"
    if mark.across == "x":
        place = {"xref": "x", "x0": mark.at, "x1": mark.at, "yref": "paper", "y0": 0, "y1": 1}
    else:
        axis = _axis_name(mark.panel)
        place = {"yref": axis, "y0": mark.at, "y1": mark.at, "xref": "paper", "x0": 0, "x1": 1}
    return {"type": "line", "layer": "below", "line": line, **place}


def _annotation(mark: Label, frame: Frame) -> Plotly:
    axis = _axis_name(mark.panel)
    whole = f"{axis} domain" if isinstance(frame, Panels) else "paper"
    strong = f"<b>{escaped(mark.strong)}</b>" if mark.strong else ""
    colour = LOOKS[mark.role].colour if mark.role else QUIET if mark.quiet else None
    font = {"size": mark.size, "color": colour}
    return {
        "text": strong + escaped(mark.text),
        "showarrow": False,
        "align": mark.end[0],
        "xref": "x" if mark.x_of == "axis" else "paper",
        "yref": axis if mark.y_of == "axis" else whole,
        "x": mark.x,
        "y": mark.y,
        "xanchor": mark.end[0],
        "yanchor": mark.end[1],
        "xshift": mark.shift[0],
        "yshift": mark.shift[1],
        "font": {key: value for key, value in font.items() if value is not None},
    }


def _design(mark: Names) -> Plotly:
    """The size of the whole figure for which names are placed, and these names."""
    annotations = []
    for name in mark.names:
        colour = LOOKS[name.role].colour if name.role else QUIET if name.quiet else None
        font = {"size": name.size} | ({"color": colour} if colour else {})
        text: Plotly = {"text": escaped(name.text), "x": name.x, "y": name.y, "font": font}
        text |= {"xanchor": "center", "yanchor": "middle", "borderpad": 0}
        across, up = name.shift
        text |= (
            {"showarrow": True, "ax": across, "ay": -up, "arrowhead": 0, "arrowwidth": 1}
            | {"arrowcolor": QUIET, "standoff": 6}
            if name.leader
            else {"showarrow": False, "xshift": across, "yshift": up}
        )
        annotations.append(text)
    left, right, top, bottom = _PLANE_MARGIN
    size = {"width": mark.width + left + right, "height": mark.height + top + bottom}
    return {**size, "annotations": annotations}


# --- frames ---------------------------------------------------------------------------------------


def _layout(frame: Frame) -> Plotly:
    own = _own_layout(frame)
    return {"height": frame.height, "showlegend": False, "hovermode": "closest", **own}


def _own_layout(frame: Frame) -> Plotly:
    if isinstance(frame, Rows):
        return _rows(frame)
    if isinstance(frame, Plane):
        return _plane(frame)
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
    def axis(title: str, span: tuple[float, float]) -> Plotly:
        """An axis of the plane."""
        return {
            "title": {"text": escaped(title), "standoff": 8},
            "range": list(span),
            "zeroline": False,
            "showgrid": False,
            "dtick": frame.step,
        }

    x, y = axis(frame.x_title, frame.x_span), axis(frame.y_title, frame.y_span)
    return {"margin": _margin(*_PLANE_MARGIN), "xaxis": x, "yaxis": y}


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
            "anchor": _axis_name(n - 1),
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


def standalone(figure: Plotly, title: str) -> Plotly:
    """A plotly figure that stands alone: with its title, on white, the names where they belong."""
    layout = {key: value for key, value in figure["layout"].items() if key != "meta"}
    meta = figure["layout"].get("meta", {})
    margin = layout.get("margin", {})
    layout |= {"title": {"text": escaped(title)}, "plot_bgcolor": "#FFFFFF"}
    layout["margin"] = {**margin, "t": margin.get("t", 0) + _TITLE}
    layout["height"] += _TITLE
    if "least_width" in meta:
        layout["width"] = max(_WIDTH, meta["least_width"])
    if "designs" in meta:
        widest = max(meta["designs"], key=lambda design: design["width"])
        layout["annotations"] = [*layout["annotations"], *widest["annotations"]]
        layout |= {"width": widest["width"], "height": widest["height"] + _TITLE}
    return {"data": figure["data"], "layout": layout}
