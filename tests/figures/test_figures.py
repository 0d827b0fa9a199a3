"""Every figure draws what plotly accepts, with the numbers of the record in its table."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.plugins import AbstractFigure, build, kinds
from harness.subjects import narrowed, subjects
from harness.types import RunRecord
from tests.report.records import record


def made(kind: str) -> AbstractFigure:
    fields = {"kind": kind} | ({"metric": "capa"} if kind == "measure_dots" else {})
    figure = build("figures", kind, fields)
    assert isinstance(figure, AbstractFigure)
    return figure


def seen_by(figure: AbstractFigure) -> RunRecord:
    run = record()
    return narrowed(run, subjects(run)[0]) if figure.per == "student" else run


@pytest.mark.parametrize("kind", kinds("figures"))
def test_figure_is_a_plotly_figure_with_a_table(kind: str) -> None:
    from plotly.graph_objects import Figure

    figure = made(kind)
    drawn = figure.draw(seen_by(figure))
    assert drawn is not None
    Figure(data=drawn["data"], layout=drawn["layout"])
    widths = {len(row) for row in drawn["table"]["rows"]}
    assert widths == {len(drawn["table"]["columns"])}
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn


@pytest.mark.parametrize("kind", kinds("figures"))
def test_figure_without_scores_draws_nothing(kind: str) -> None:
    figure = made(kind)
    assert figure.draw(replace(seen_by(figure), scores=())) is None
