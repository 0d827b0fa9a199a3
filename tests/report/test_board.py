"""Ranks, marks and bold type of the leaderboard, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.board.board import Board, Row
from harness.board.claims import Claim
from harness.board.joined import Job, join
from harness.board.record import settings_among
from harness.board.subjects import overall
from harness.board.tables import claim_cell
from harness.page.render import page
from tests.report.records import CONTROLS, board, record, scores


def row(made: Board, student: str, teacher: str = "teacher_a") -> Row:
    return next(
        r for r in made.rows if (r.subject.student, r.subject.teacher) == (student, teacher)
    )


def claims(made: Board, student: str) -> dict[str, Claim]:
    columns = (c.metric for c in made.columns)
    return dict(zip(columns, row(made, student).claims, strict=True))


def test_students_that_cannot_be_told_apart_share_a_rank() -> None:
    ranks = {r.subject.student: r.rank for r in board().rows if r.subject.teacher == "teacher_a"}
    assert ranks == {
        "logits_of_a": 1,
        "answers_of_a": 2,
        "task_only": 2,
        "unnamed_student_with_quite_a_long_name-v0.2": 4,
        "style_only": 5,
        **dict.fromkeys(CONTROLS),
    }


def test_where_lower_is_better_the_lowest_comes_first() -> None:
    run = record()
    metric = board().ranked_by
    assert metric is not None

    def turned(one: Any) -> Any:
        if one.metric != metric.metric:
            return one
        named = ("value", "difference", "low", "high")
        ends = {n: -v for n in named if (v := getattr(one, n, None)) is not None}
        ends |= {"low": ends["high"], "high": ends["low"]} if {"low", "high"} <= ends.keys() else {}
        return replace(one, **ends)

    upside_down = replace(
        run,
        scores=tuple(
            replace(turned(s), better="lower") if s.metric == metric.metric else s
            for s in run.scores
        ),
        comparisons=tuple(map(turned, run.comparisons)),
    )
    places = [
        [(r.subject.label, r.rank) for r in made.rows if r.subject.role == "student"]
        for made in (board(), board(upside_down))
    ]
    assert places[0] == places[1]


def test_without_comparisons_nobody_has_a_rank_and_none_is_bold() -> None:
    made = board(replace(record(), comparisons=()))
    assert {r.rank for r in made.rows} == {None}
    assert made.ranked_by is None
    assert row(board(), "answers_of_b", "teacher_b").rank is None, "it has no rival"
    assert not any(c.leads for r in made.rows for c in r.claims)


def test_best_is_bold_only_where_it_differs_from_the_runner_up() -> None:
    assert row(board(), "logits_of_a").claims[0].leads
    close = tuple(replace(c, p_adjusted=0.3) for c in record().comparisons)
    assert not row(board(replace(record(), comparisons=close)), "logits_of_a").claims[0].leads


def test_marks_above_base_and_above_what_controls_reach() -> None:
    strong = claims(board(), "answers_of_a")["capability_transfer"]
    assert strong.above_base
    assert strong.above_controls
    assert strong.highest == (0.62, "independent")
    weak = claims(board(), "style_only")["capability_transfer"]
    assert not weak.above_base
    assert weak.above_controls is False


@pytest.mark.parametrize(("low", "beyond"), [(1.01, True), (0.99, False)])
def test_beyond_the_teacher_is_above_one_with_all_of_the_interval(low: float, beyond: bool) -> None:
    run = record()
    scores = tuple(
        replace(s, value=1.2, low=low, high=1.4)
        if s.student == "answers_of_a" and s.metric in ("style_transfer", "capa")
        else s
        for s in run.scores
    )
    made = claims(board(replace(run, scores=scores)), "answers_of_a")
    assert made["style_transfer"].beyond_teacher == beyond
    assert not made["capa"].beyond_teacher  # 1 is not the teacher's level
    assert ("beyond the teacher" in claim_cell(made["style_transfer"]).marks) == beyond


def test_columns_are_what_the_measures_declare_in_their_order() -> None:
    assert [(c.metric, c.title) for c in board().columns] == [
        ("capability_transfer", "Capability"),
        ("style_transfer", "Style"),
        ("capa", "Agreement"),
        ("error_inheritance/excess_vs_controls", "Inherited errors"),
        ("style_classifier", "Style classifier"),
        ("length", "Length"),
    ]
    alone = tuple(m for m in record().metrics if m.name == "capa")
    assert [c.metric for c in board(replace(record(), metrics=alone)).columns] == ["capa"]


def test_a_listed_control_that_is_also_the_base_is_not_a_row() -> None:
    run = record()
    own = tuple(replace(s, student="base", base="base", teacher="teacher_a") for s in scores()[:1])
    made = board(replace(run, scores=(*run.scores, *own)))
    assert all(r.subject.student != "base" for r in made.rows)


def test_settings_are_told_by_one_key_where_it_suffices() -> None:
    every = [(("seed", s), ("step", t)) for s in "01" for t in "12"]
    assert settings_among(every, every) == ()
    assert settings_among(every[:2], every) == ("seed=0",)
    assert settings_among([every[1], every[3]], every) == ("step=2",)
    assert settings_among(every[:3], every) == (
        "seed=0 step=1",
        "seed=0 step=2",
        "seed=1 step=1",
    )


def test_swept_values_make_rows_of_their_own() -> None:
    both = join([Job((("seed", v),), record()) for v in ("0", "1")])
    variants = [r.subject.variant for r in board(both).rows if r.subject.student == "task_only"]
    assert variants == [(("seed", "0"),), (("seed", "1"),)]


def test_a_number_over_models_is_above_controls_where_its_interval_is() -> None:
    """Its interval is where an unrelated model would lie: no second limit is made of the controls' own numbers."""
    metric = "error_inheritance/excess_vs_controls"
    run = record()

    def above(low: float) -> list[object]:
        moved = tuple(
            replace(s, low=low) if s.metric == metric and s.student == "logits_of_a" else s
            for s in run.scores
        )
        made = board(replace(run, scores=moved))
        own = [s for s in made.subjects if s.student == "logits_of_a"]
        said = [made.claims[s, metric] for s in own]
        assert {(c.lineages, c.limit) for c in said} == {(9, None)}
        return [c.above_controls for c in said]

    assert above(0.01) == [True]
    assert above(-0.01) == [False]


def test_relatives_of_a_pair_are_listed() -> None:
    run = record()
    kin = {"logits_of_a": "house", "stranger": "house", "teacher_a": "lab", "untaught": "lab"}
    lineages = {m: kin.get(m, m) for m in run.models}
    made = board(replace(run, lineages=lineages))
    subject = next(s for s in made.subjects if s.student == "logits_of_a")
    assert made.relatives_of(subject) == ["stranger", "untaught"]
    other = next(s for s in made.subjects if s.student == "answers_of_b")
    assert made.relatives_of(other) == []
    assert (
        "and so not among the unrelated models that it is compared with: stranger, untaught."
        in page(made)
    )


def test_tasks_do_not_multiply_lineages() -> None:
    one = next(
        s for s in scores() if s.metric == "error_inheritance/excess_vs_controls" and s.value
    )
    two = replace(one, task="another", value=0.3, low=0.1, high=0.4, n=5)
    both = overall([replace(one, value=0.1, low=0.0, high=0.2), two])
    assert both is not None
    assert (both.value, both.low, both.high) == pytest.approx((0.2, 0.05, 0.3))
    assert both.n == 5


def test_scores_of_measures_are_those_of_all_that_belong_to_them() -> None:
    made = board()
    for subject in made.subjects:
        every = made.scores_of(subject)
        for names in (("task_score",), ("style_transfer", "task_score"), ("unknown",)):
            own = [s for s in every if s.metric.split("/")[0] in names]
            assert made.scores_of(subject, *names) == own
