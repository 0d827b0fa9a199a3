"""Figures drawn once and laid out for the page: an id, words around them, and one island of plotly JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.board.board import Subject, narrowed
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.plugins import build, kinds


@dataclass(frozen=True)
class Picture:
    """A drawn figure."""

    id: str  # of the element that the script fills
    kind: str
    title: str
    reading: str
    notes: tuple[str, ...]
    wide: bool  # takes the whole width of the page
    height: int  # pixels, kept free before the script has drawn
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plotly: Mapping[str, Any]  # data, layout


def stock() -> list[AbstractFigure]:
    """One figure of every kind, in the order of the page."""
    figures: Iterable[AbstractFigure] = (
        build("figures", kind, {"kind": kind}) for kind in kinds("figures")
    )
    return sorted(figures, key=lambda f: (f.order, f.kind))


def of_run(figures: Sequence[AbstractFigure], record: RunRecord) -> list[Picture]:
    """Figures about the whole run."""
    return _drawn([f for f in figures if f.per == "run"], record, "run")


def of_student(
    figures: Sequence[AbstractFigure], record: RunRecord, subject: Subject, number: int
) -> list[Picture]:
    """Figures about one student."""
    return _drawn(
        [f for f in figures if f.per == "student"], narrowed(record, subject), f"student-{number}"
    )


def of_metric(record: RunRecord, metrics: Sequence[str], number: int) -> list[Picture]:
    """A dot plot for each metric of a family."""
    found = []
    for i, metric in enumerate(metrics):
        figure = build("figures", metric, {"kind": "measure_dots", "metric": metric})
        found += [
            replace(p, title=metric) for p in _drawn([figure], record, f"measure-{number}-{i}")
        ]
    return found


def _drawn(figures: Sequence[AbstractFigure], record: RunRecord, prefix: str) -> list[Picture]:
    found = []
    for figure in figures:
        drawn = figure.draw(record)
        if drawn is None:
            continue
        table = drawn.get("table", {"columns": [], "rows": []})
        found.append(
            Picture(
                id=f"{prefix}-{figure.kind}",
                kind=figure.kind,
                title=figure.title,
                reading=drawn.get("reading", figure.reading),
                notes=tuple(drawn.get("notes", ())),
                wide=bool(drawn["layout"].get("meta", {}).get("wide", False)),
                height=int(drawn["layout"].get("height", 420)),
                columns=tuple(table["columns"]),
                rows=tuple(tuple(str(v) for v in row) for row in table["rows"]),
                plotly={"data": drawn["data"], "layout": drawn["layout"]},
            )
        )
    return found
