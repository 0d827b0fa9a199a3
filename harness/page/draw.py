"""Drawings as plotly figures; the only module that knows plotly's names. Pure.

For the page's interactive figures, whose script exchanges colours for those of the dark scheme, for notebooks and for
the exporter `plotly`.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.figures import (
    Band,
    Bars,
    Box,
    Curve,
    Dots,
    Drawing,
    Frame,
    Guide,
    Heat,
    Label,
    Mark,
    Name,
    Names,
    Panels,
    Planes,
)
from harness.page.layouts import BETWEEN, Plotly, axis_name, layout_of, plane_margin
from harness.page.looks import FAINT, LOOKS, OTHER, QUIET, escaped

_TITLE = 48  # pixels of a title above a figure that stands alone
_WIDTH = 700


def plotly(drawing: Drawing) -> Plotly:
    """The drawing as a plotly figure: "data" and "layout", all of it JSON."""
    frame = drawing.frame
    layout = layout_of(frame)
    data: list[Plotly] = []
    shapes: list[Plotly] = []
    annotations: list[Plotly] = layout.pop("annotations", [])
    for mark in drawing.marks:
        if isinstance(mark, (Guide, Box)):
            shapes.append(_shape(mark, frame))
        elif isinstance(mark, Label):
            annotations.append(_annotation(mark, frame))
        elif not isinstance(mark, Names):
            data.append(_trace(mark) | _axis_of(mark, frame))
            annotations += _dashes(mark) if isinstance(mark, Heat) else []
    layout |= {"shapes": shapes, "annotations": annotations}
    designs = _designs([m for m in drawing.marks if isinstance(m, Names)], frame)
    if designs:
        layout["meta"] = {**layout.get("meta", {}), "designs": designs}
    return {"data": data, "layout": layout}


def _axis_of(mark: Mark, frame: Frame) -> Plotly:
    """The axis along which a mark lies, where panels have one each."""
    if isinstance(frame, Planes) and isinstance(mark, (Dots, Curve, Band)):
        return {"xaxis": axis_name("x", mark.panel)}
    return {}


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
        "yaxis": axis_name("y", mark.panel),
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


def _curve(mark: Curve) -> Plotly:
    student = mark.role in ("student", "path")
    look = LOOKS["student"] if student else LOOKS.get(mark.role, OTHER)
    points = "" if mark.role == "path" else "markers"
    line = {
        "color": look.colour,
        "width": 2 if student else 1.2,
        "dash": "solid" if student else "dot",
    }
    size = 8 if student else 6
    return {
        "type": "scatter",
        "yaxis": axis_name("y", mark.panel),
        "name": mark.name,
        "mode": "+".join(filter(None, ["lines" * mark.joined, points])),
        "x": [d.x for d in mark.dots],
        "y": [d.y for d in mark.dots],
        "line": line,
        "marker": {"symbol": look.symbol, "color": look.colour, "size": size, "opacity": 1},
        "text": [_told(d.told) for d in mark.dots],
        "hoverinfo": "text" if points else "skip",
        "cliponaxis": False,
    }


def _band(mark: Band) -> Plotly:
    return {
        "type": "scatter",
        "yaxis": axis_name("y", mark.panel),
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
    own = mark.panel if isinstance(frame, Planes) else 0
    axes = axis_name("x", own), axis_name("y", mark.panel)
    if isinstance(mark, Box):
        refs = {"xref": axes[0], "yref": axes[1]}
        ends = {"x0": mark.low[0], "x1": mark.high[0], "y0": mark.low[1], "y1": mark.high[1]}
        return {"type": "rect", "layer": "below", "line": line, **refs, **ends}
    line["dash"] = "dot" if mark.dotted else "solid"
    x, y = axes
    whole = [f"{name} domain" if isinstance(frame, Planes) else "paper" for name in axes]
    if mark.across == "x":
        place = {"xref": x, "x0": mark.at, "x1": mark.at, "yref": whole[1], "y0": 0, "y1": 1}
    else:
        place = {"yref": y, "y0": mark.at, "y1": mark.at, "xref": whole[0], "x0": 0, "x1": 1}
    return {"type": "line", "layer": "below", "line": line, **place}


def _annotation(mark: Label, frame: Frame) -> Plotly:
    axis = axis_name("y", mark.panel)
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


def _designs(marks: Sequence[Names], frame: Frame) -> list[Plotly]:
    """The sizes of the whole figure for which names are placed, the widest first, and these names."""
    sizes: dict[tuple[int, int], list[Plotly]] = {}
    for mark in sorted(marks, key=lambda m: -m.width):
        panel = mark.panel if isinstance(frame, Planes) else 0
        refs = {"xref": axis_name("x", panel), "yref": axis_name("y", panel)}
        own = sizes.setdefault((mark.width, mark.height), [])
        own += [_name(name) | refs for name in mark.names]
    left, right, top, bottom = plane_margin(frame)
    n = len(frame.planes) if isinstance(frame, Planes) else 1
    return [
        {
            "width": width + left + right,
            "height": round(height * (n + BETWEEN * (n - 1))) + top + bottom,
            "annotations": annotations,
        }
        for (width, height), annotations in sizes.items()
    ]


def _name(name: Name) -> Plotly:
    colour = LOOKS[name.role].colour if name.role else QUIET if name.quiet else None
    font = {"size": name.size} | ({"color": colour} if colour else {})
    text: Plotly = {"text": escaped(name.text), "x": name.x, "y": name.y, "font": font}
    text |= {"xanchor": "center", "yanchor": "middle", "borderpad": 0}
    across, up = name.shift
    leader = {"ax": across, "ay": -up, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": QUIET}
    if name.leader:
        return text | {"showarrow": True, "standoff": 6} | leader
    return text | {"showarrow": False, "xshift": across, "yshift": up}


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
