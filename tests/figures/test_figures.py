"""Every figure makes marks inside its frame, with the numbers of the record in its table; plotly accepts each."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, replace

import pytest

import harness.figures
from harness.board.board import Board
from harness.board.joined import Job, join
from harness.board.record import CaseRecord, RunRecord
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Band, Drawing, Heat, Planes, Rows
from harness.page.draw import plotly
from harness.panel.prompts import is_category
from harness.panel.rates import rates_of
from harness.plugins import build, kinds
from harness.testing.figures import check_drawing, misplaced
from tests.figures.losses import several
from tests.figures.marks import dots, of_type
from tests.report.records import board, record
from tests.verdicts.test_rates import ORIGINS, SAID

CASE = CaseRecord("", (), {"a": ("t1",)}, ORIGINS, ())


def made(kind: str) -> AbstractFigure:
    fields = {"kind": kind} | ({"metric": "capa"} if kind == "measure_dots" else {})
    figure = build("figures", kind, fields)
    assert isinstance(figure, AbstractFigure)
    return figure


def board_for(figure: AbstractFigure) -> Board:
    weighed = figure.kind in ("tippett", "cross_entropy")
    run = replace(record(), verdicts=SAID, case=CASE) if weighed else record()
    run = several() if figure.kind == "forgetting_map" else run
    swept = figure.kind == "dose_curve"
    return board(join([Job((("step", v),), run) for v in "12"]) if swept else run)


def subject_for(figure: AbstractFigure, seen: Board) -> Subject | None:
    return seen.subjects[0] if figure.per == "student" else None


def drawn(kind: str, run: RunRecord | None = None) -> Drawing:
    figure = made(kind)
    seen = board_for(figure) if run is None else board(run)
    drawing = figure.draw(seen, subject_for(figure, seen))
    assert drawing is not None
    return drawing


@pytest.mark.parametrize("kind", kinds("figures"))
def test_figure_has_marks_inside_its_frame_and_a_table(kind: str) -> None:
    figure = made(kind)
    check_drawing(figure, board_for(figure))


@pytest.mark.parametrize("kind", kinds("figures"))
def test_plotly_accepts_the_drawing(kind: str) -> None:
    from plotly.graph_objects import Figure

    figure = plotly(drawn(kind))
    Figure(data=figure["data"], layout=figure["layout"])
    assert json.loads(json.dumps(figure, allow_nan=False)) == figure


@pytest.mark.parametrize("kind", kinds("figures"))
def test_the_measures_that_a_figure_names_are_all_it_draws(kind: str) -> None:
    figure = made(kind)
    named = {measure.split("/")[0] for measure in figure.measures}
    if not named or kind == "dose_curve":
        return
    run = board_for(figure).record
    others = tuple(s for s in run.scores if s.metric.split("/")[0] in named)
    assert drawn(kind, replace(run, scores=others)) == drawn(kind)


def test_families_leave_out_what_is_not_a_gap_and_categories_of_prompts() -> None:
    assert {row[1] for row in drawn("style_families").numbers.rows} == {
        "all style",
        "edges",
        "format",
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
    drawing = drawn("transfer_map", replace(run, scores=gone))
    spots = {d.link[0]: (d.x, d.y) for d in dots(drawing, "student") if d.link}
    assert spots["answers_of_a"] == (0.71, 0.83)
    assert "task_only" not in spots
    assert "task_only" in drawing.notes[-1]
    assert isinstance(drawing.frame, Planes)
    assert [plane.title for plane in drawing.frame.planes] == ["teacher_a", "teacher_b"]


def test_map_shows_how_far_unrelated_models_go() -> None:
    bands = of_type(drawn("transfer_map"), Band)
    assert [b.name for b in bands] == ["unrelated to teacher_a", "unrelated to teacher_b"]
    for band in bands:
        assert (*band.lows, *band.highs) == pytest.approx((-0.06, -0.06, 0.26, 0.26))
    run = record()
    rest = tuple(s for s in run.scores if s.metric != "style_transfer/unrelated")
    assert not of_type(drawn("transfer_map", replace(run, scores=rest)), Band)


def test_map_of_a_run_without_capability_is_a_line_of_style() -> None:
    run = record()
    rest = tuple(s for s in run.scores if s.metric != "capability_transfer")
    drawing = drawn("transfer_map", replace(run, scores=rest))
    assert isinstance(drawing.frame, Rows)
    assert drawing.frame.title.startswith("Style")
    assert "no number for capability" in drawing.caption


def test_heatmap_has_holes_with_their_reason() -> None:
    drawing = drawn("task_heatmap")
    (heat,) = of_type(drawing, Heat)
    holes = [c for row in heat.rows for c in row if c.value is None]
    assert len(holes) == 3
    assert all("gap within noise" in c.told[-1] for c in holes)
    dashes = [a for a in plotly(drawing)["layout"]["annotations"] if a["text"] == "–"]
    assert len(dashes) == 3


@pytest.mark.parametrize("kind", kinds("figures"))
def test_figure_without_scores_draws_nothing(kind: str) -> None:
    figure = made(kind)
    seen = board(replace(board_for(figure).record, scores=(), verdicts=()))
    assert figure.draw(seen, subject_for(figure, seen)) is None


def test_the_example_of_the_contract_works() -> None:
    text = inspect.getdoc(harness.figures) or ""
    space = {**vars(harness.figures), "dataclass": dataclass}
    exec(inspect.cleandoc(re.split(r"::\n", text, maxsplit=1)[1]), space)
    drawing = space["Sizes"]("sizes", "sizes").draw(board(), None)
    assert [d.x for d in dots(drawing, "student")] == [r.parameters for r in board().rows]
    assert list(misplaced(drawing)) == []


def test_categories_show_the_pair_and_its_gap_and_say_which_are_small() -> None:
    drawing = drawn("categories")
    student, teacher, base = "answers_of_a", "teacher_a", "base"
    first, second = drawing.numbers.rows
    assert drawing.numbers.columns == (
        "Category",
        "Base",
        "Student",
        "Teacher",
        "Gap recovered",
        "n",
    )
    assert (first[0], second[0]) == ("capitals", "rivers")
    values = {
        s.student: s.value
        for s in record().scores
        if s.metric == "task_score/category/capitals" and s.student in (student, teacher, base)
    }
    spots = {role: dots(drawing, role)[0].x for role in ("base", "student", "teacher")}
    assert spots == {"base": values[base], "student": values[student], "teacher": values[teacher]}
    assert first[4].startswith("0.71")
    assert drawing.notes == ("rare: 7 graded prompts of this category.",)


def test_categories_are_in_no_figure_of_tasks() -> None:
    run = record()
    rest = tuple(s for s in run.scores if not is_category(s.metric))
    for kind in ("task_dumbbell", "task_heatmap", "style_families"):
        assert drawn(kind, replace(run, scores=rest)) == drawn(kind)


def test_leaves_of_a_group_are_its_categories() -> None:
    """Subjects of a group of tasks, each with two grades: the first stands for it; the group itself is no row."""
    run = record()
    rest = tuple(s for s in run.scores if not is_category(s.metric))
    whole = [s for s in rest if (s.metric, s.task) == ("task_score", "zoo_facts")]
    gaps = [s for s in rest if (s.metric, s.task) == ("gap_recovered", "zoo_facts")]
    leaves = [
        replace(s, task=f"zoo_facts/{leaf}", metric=metric, value=value)
        for leaf, value in (("algebra", 0.25), ("botany", 0.75))
        for s, metric in (
            *((s, f"task_score/{grade}") for s in whole for grade in ("acc", "acc_norm")),
            *((s, "gap_recovered") for s in gaps),
        )
    ]
    drawing = drawn("categories", replace(run, scores=(*rest, *leaves)))
    assert [row[0] for row in drawing.numbers.rows] == ["algebra", "botany"]
    assert [d.x for d in dots(drawing, "student")] == [0.25, 0.75]
    assert drawing.numbers.rows[0][4].startswith("0.25")
    alone = tuple(s for s in leaves if "algebra" in s.task)
    seen = board(replace(run, scores=(*rest, *alone)))
    assert made("categories").draw(seen, seen.subjects[0]) is None


def test_curves_of_odds_are_those_of_the_documented_pairs() -> None:
    """By hand: of the two that learned one has odds of at least 3, of the three that did not one."""
    drawing = drawn("tippett")
    shares = {row[0]: row[1:] for row in drawing.numbers.rows}
    assert shares["+0.5"] == ("50\u00a0%", "33\u00a0%")
    assert shares["+1.0"] == ("0.0\u00a0%", "0.0\u00a0%")
    at_even = next(row for row in drawn("cross_entropy").numbers.rows if row[0] == "+0.0")
    _, about = rates_of(SAID, ORIGINS, "")
    assert at_even[1:] == (f"{about.cllr:.3f}", f"{about.cllr_min:.3f}", "1.000")
