"""Every figure draws what plotly accepts, with the numbers of the record in its table."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.board.board import narrowed, subjects
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.plugins import build, kinds
from harness.stages.record import join_records
from tests.report.records import record


def made(kind: str) -> AbstractFigure:
    fields = {"kind": kind} | ({"metric": "capa"} if kind == "measure_dots" else {})
    figure = build("figures", kind, fields)
    assert isinstance(figure, AbstractFigure)
    return figure


def seen_by(figure: AbstractFigure) -> RunRecord:
    run = record()
    if figure.kind == "dose_curve":
        return join_records([run, run], [(("step", "1"),), (("step", "2"),)])
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


def test_families_leave_out_what_is_no_gap_and_categories_of_prompts() -> None:
    figure = made("style_families")
    drawn = figure.draw(seen_by(figure))
    assert drawn is not None
    assert {row[1] for row in drawn["table"]["rows"]} == {
        "all style",
        "format",
        "length rhythm",
        "openings closings",
        "words",
    }


def test_map_places_students_and_names_what_is_missing() -> None:
    run = record()
    gone = tuple(
        replace(s, value=None, low=None, high=None, reason="no base")
        if s.metric == "style_transfer" and s.student == "task_only"
        else s
        for s in run.scores
    )
    drawn = made("transfer_map").draw(replace(run, scores=gone))
    assert drawn is not None
    students = next(t for t in drawn["data"] if t["name"] == "student")
    spots = dict(
        zip(
            (c[0] for c in students["customdata"]),
            zip(students["x"], students["y"], strict=True),
            strict=True,
        )
    )
    assert spots["answers_of_a"] == (0.71, 0.83)
    assert "task_only" not in spots
    assert "task_only" in drawn["notes"][0]


def test_map_of_a_run_without_capability_is_a_line_of_style() -> None:
    run = record()
    drawn = made("transfer_map").draw(
        replace(run, scores=tuple(s for s in run.scores if s.metric != "capability_transfer"))
    )
    assert drawn is not None
    assert drawn["layout"]["xaxis"]["title"]["text"].startswith("Style")
    assert "no number for capability" in drawn["reading"]


def test_heatmap_shows_holes_as_dashes_with_their_reason() -> None:
    drawn = made("task_heatmap").draw(record())
    assert drawn is not None
    holes = [
        text for row in drawn["data"][0]["hovertext"] for text in row if "gap within noise" in text
    ]
    dashes = [a for a in drawn["layout"]["annotations"] if a["text"] == "–"]
    assert len(holes) == len(dashes) == 3


@pytest.mark.parametrize("kind", kinds("figures"))
def test_figure_without_scores_draws_nothing(kind: str) -> None:
    figure = made(kind)
    assert figure.draw(replace(seen_by(figure), scores=())) is None
