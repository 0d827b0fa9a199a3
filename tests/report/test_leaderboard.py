"""Ranks, marks and bold type of the leaderboard, by hand."""

from __future__ import annotations

from dataclasses import replace

from harness.board.leaderboard import Leaderboard, Row, leaderboard
from harness.board.record import RunRecord
from tests.report.records import record, scores


def row(board: Leaderboard, student: str, teacher: str = "teacher_a") -> Row:
    return next(
        r for r in board.rows if (r.subject.student, r.subject.teacher) == (student, teacher)
    )


def test_students_that_cannot_be_told_apart_share_a_rank() -> None:
    board = leaderboard(record())
    ranks = {r.subject.student: r.rank for r in board.rows if r.subject.teacher == "teacher_a"}
    assert ranks == {
        "logits_of_a": 1,
        "answers_of_a": 2,
        "task_only": 2,
        "unnamed_student_with_quite_a_long_name-v0.2": 4,
        "style_only": 5,
        "independent": None,
        "untaught": None,
    }


def test_without_comparisons_all_share_the_first_rank_and_none_is_bold() -> None:
    board = leaderboard(replace(record(), comparisons=()))
    assert {r.rank for r in board.rows if r.cells and r.subject.role == "student"} == {1, None}
    assert row(board, "answers_of_b", "teacher_b").rank is None, "it has no rival"
    assert not any(c.leads for r in board.rows for c in r.cells)


def test_best_is_bold_only_where_it_differs_from_the_runner_up() -> None:
    assert row(leaderboard(record()), "logits_of_a").cells[0].leads
    close = tuple(replace(c, p_adjusted=0.3) for c in record().comparisons)
    assert not row(leaderboard(replace(record(), comparisons=close)), "logits_of_a").cells[0].leads


def test_marks_above_base_and_above_every_control() -> None:
    cells = {c.column.metric: c for c in row(leaderboard(record()), "answers_of_a").cells}
    assert cells["capability_transfer"].above_base
    assert cells["capability_transfer"].above_controls == 2
    weak = {c.column.metric: c for c in row(leaderboard(record()), "style_only").cells}
    assert not weak["capability_transfer"].above_base
    assert weak["capability_transfer"].above_controls == 0


def test_a_listed_control_that_is_also_the_base_is_no_row() -> None:
    run = record()
    own = tuple(replace(s, student="base", base="base", teacher="teacher_a") for s in scores()[:1])
    board = leaderboard(replace(run, scores=(*run.scores, *own)))
    assert all(r.subject.student != "base" for r in board.rows)


def test_swept_values_make_rows_of_their_own() -> None:
    run = record()
    swept = tuple(replace(s, variant=(("seed", v),)) for v in ("0", "1") for s in run.scores)
    both: RunRecord = replace(run, scores=swept, comparisons=(), variants=("seed",))
    held = [r.subject.variant for r in leaderboard(both).rows if r.subject.student == "task_only"]
    assert held == [(("seed", "0"),), (("seed", "1"),)]
