"""The Pareto map: a plane for each cost in which models differ, and a line through those that none exceeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.board.record import RunRecord
from harness.figures import Curve, Dots, Drawing, Planes
from tests.figures.marks import of_type
from tests.figures.test_figures import made
from tests.report.records import STUDENTS, board, record

SIZES = {"teacher_a": 8e9, "teacher_b": 8e9, "base": 1e9}


def sized(sizes: dict[str, float]) -> RunRecord:
    """A run in which only sizes are known."""
    run = record()
    models = {
        m: {k: v for k, v in facts.items() if k != "parameters"}
        | ({"parameters": sizes[m]} if m in sizes else {})
        for m, facts in run.models.items()
    }
    return replace(run, models=models, collections=())


def drawn(run: RunRecord) -> Drawing | None:
    return made("pareto_map").draw(board(run), None)


def test_a_plane_holds_students_at_their_gaps_and_the_ends_at_0_and_1() -> None:
    drawing = drawn(sized(SIZES | {"logits_of_a": 1e9, "style_only": 2e9}))
    assert drawing is not None
    assert isinstance(drawing.frame, Planes)
    (plane,) = drawing.frame.planes
    assert plane.x_title.startswith("Parameters")
    places = {(dots.role, round(d.x, 3)): d.y for dots in of_type(drawing, Dots) for d in dots.dots}
    quality = {name: own[1] for name, own in STUDENTS.items()}
    assert places == {
        ("student", 9.0): quality["logits_of_a"],
        ("student", 9.301): quality["style_only"],
        ("teacher", 9.903): 1.0,
        ("base", 9.0): 0.0,
    }
    assert [word for _, word in plane.x_ticks] == ["1B", "3B", "10B"]


def test_the_line_joins_models_that_none_exceeds_in_both() -> None:
    drawing = drawn(sized(SIZES | {"logits_of_a": 1e9, "style_only": 2e9}))
    assert drawing is not None
    (front,) = of_type(drawing, Curve)
    quality = STUDENTS["logits_of_a"][1]
    assert [(round(d.x, 3), d.y) for d in front.dots] == [(9.0, quality), (9.903, 1.0)]


def test_more_tokens_per_second_are_better() -> None:
    run = record()
    one = run.collections[0]
    speeds = {"teacher_a": 10.0, "logits_of_a": 1000.0, "answers_of_a": 100.0, "base": 500.0}
    collections = tuple(
        replace(one, model=m, n_tokens=1000, wall_s=1000 / speed, missing="", peak_memory_bytes=0)
        for m, speed in speeds.items()
    )
    drawing = drawn(replace(sized({}), collections=collections))
    assert drawing is not None
    (front,) = of_type(drawing, Curve)
    assert [round(d.x, 3) for d in front.dots] == [1.0, 3.0], "the slower student is exceeded"


@pytest.mark.parametrize("sizes", [{}, {"logits_of_a": 1e9}, dict.fromkeys(STUDENTS, 1e9)])
def test_where_nothing_differs_there_is_no_map(sizes: dict[str, float]) -> None:
    assert drawn(sized(sizes)) is None
