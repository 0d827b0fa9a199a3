"""What a run says at its end is what its page says."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from harness.board.board import make_board
from harness.board.closing import closing_lines
from harness.board.leaderboard import leaderboard_view
from harness.board.record import RunRecord
from harness.board.sentences import decisions
from harness.console.columns import shortened
from tests.report.records import record


def test_the_decision_comes_first_and_every_student_has_a_line() -> None:
    board = make_board(record())
    lines = closing_lines(board)
    chosen = [d for d in decisions(board) if d.choice.chosen]
    said = ["".join(text for text, _ in d.parts) for d in chosen]
    assert chosen
    assert [line.split(": ", 1)[1] for line in lines[: len(said)]] == said
    students = [row for row in leaderboard_view(board).rows if row[0].note == "student"]
    names = [shortened(row[0].text, 24) for row in students]
    rows = lines[len(said) + 1 :][: len(names)]
    assert [line.split()[0] for line in rows] == names


def test_marks_are_explained_where_they_stand_and_nowhere_else() -> None:
    whole = record()
    lines = closing_lines(make_board(whole))
    (legend,) = (line for line in lines if line.startswith("brackets hold"))
    table = "\n".join(line for line in lines if line != legend)
    assert {sign for sign in "▲⇈◆" if sign in table} == {sign for sign in "▲⇈◆" if sign in legend}
    assert "▲ significantly above the base" in legend
    marked = replace(whole, scores=tuple(s for s in whole.scores if s.metric == "capa"))
    assert "▲" not in "\n".join(closing_lines(make_board(replace(marked, comparisons=()))))


@pytest.mark.parametrize(
    ("base_kind", "controls", "said"),
    [("before", False, True), ("before", True, False), ("sibling", False, False)],
)
def test_a_run_without_controls_says_what_nobody_can_say(
    base_kind: Literal["before", "sibling"], controls: bool, said: bool
) -> None:
    whole = record()
    assert whole.controls
    pairs = tuple(replace(p, base_kind=base_kind) for p in whole.pairs)
    changed = replace(whole, pairs=pairs, controls=whole.controls if controls else ())
    lines = closing_lines(make_board(changed))
    assert any(line.startswith("no controls: nobody can say") for line in lines) is said


def test_numbers_are_those_of_the_leaderboard() -> None:
    board = make_board(record())
    text = "\n".join(closing_lines(board))
    for row in leaderboard_view(board).rows:
        if row[0].note == "student":
            for cell in row[1:]:
                assert f"{cell.text} {cell.interval}".strip() in text or cell.text == "–"


def test_columns_without_a_number_are_left_out() -> None:
    scores = tuple(s for s in record().scores if s.metric == "capability_transfer")
    lines = closing_lines(make_board(replace(record(), scores=scores, comparisons=())))
    (head,) = (line for line in lines if line.startswith("model"))
    assert "style" not in head
    assert "capability" in head


def test_without_capability_the_line_says_how_far_in_style_and_without_both_nothing() -> None:
    scores = tuple(s for s in record().scores if not s.metric.startswith("capability_transfer"))
    board = make_board(replace(record(), scores=scores, comparisons=()))
    said = closing_lines(board)[1]
    assert said.startswith("teacher_b from base: answers_of_b went 72")
    assert said.endswith("The run does not measure the transfer of capability.")
    mute = tuple(s for s in scores if not s.metric.startswith("style_transfer"))
    board = make_board(replace(record(), scores=mute, comparisons=()))
    assert decisions(board)
    assert closing_lines(board)[0].startswith("model")


@pytest.mark.parametrize("change", [{"pairs": (), "scores": (), "comparisons": ()}])
def test_without_students_nothing_is_said(change: dict[str, object]) -> None:
    empty: RunRecord = replace(record(), **change)  # type: ignore[arg-type]
    assert closing_lines(make_board(empty)) == []
