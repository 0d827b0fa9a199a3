"""Numbers in words, means over tasks, sentences."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.board import numerals
from harness.board.sentences import sentences
from harness.board.subjects import overall
from harness.types import Score
from tests.report.records import board, record


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.62, 0.55, 0.69, "0.62 [0.55, 0.69]"),
        (1.034, 0.98, 1.1, "1.03 [0.98, 1.10]"),
        (-0.0004, -0.2, 0.3, "0.00 [\u22120.20, 0.30]"),
        (0.00123, 0.0011, 0.0014, "0.0012 [0.0011, 0.0014]"),
        (123.4, 110.0, 140.0, "123 [110, 140]"),
        (0.4567, None, None, "0.46"),
    ],
)
def test_estimates_have_two_digits_and_their_interval(
    value: float, low: float | None, high: float | None, expected: str
) -> None:
    assert numerals.estimate(value, low, high) == expected


def test_large_and_small_quantities() -> None:
    assert numerals.scaled(7_600_000_000) == "7.6\u00a0B"
    assert numerals.size(26 * 2**20) == "26\u00a0MiB"
    assert numerals.seconds(0.034) == "34\u00a0ms"
    assert numerals.seconds(185) == "3\u00a0min 5\u00a0s"
    assert numerals.percent(0.62, 0.55, 0.69) == "62\u00a0% [55, 69]"


def score(task: str, value: float | None, half: float = 0.1) -> Score:
    if value is None:
        return Score(
            "capa", task, "s", "t", "b", None, None, None, 0, "kappa", "higher", "too few", ()
        )
    return Score(
        "capa",
        task,
        "s",
        "t",
        "b",
        value,
        value - half,
        value + half,
        50,
        "kappa",
        "higher",
        "",
        (),
    )


def test_mean_over_tasks_adds_half_widths_in_squares() -> None:
    mean = overall([score("x", 0.2), score("y", 0.4), score("z", None), score("x/leaf", 0.9)])
    assert mean is not None
    assert mean.value == pytest.approx(0.3)
    assert mean.high == pytest.approx(0.3 + math.sqrt(2 * 0.1**2) / 2)
    assert (mean.n, mean.task) == (100, "mean of 2 tasks (of 3)")


def test_a_score_over_several_tasks_stands_for_itself() -> None:
    assert overall([score("x", 0.2), score("x+y", 0.5)]) == score("x+y", 0.5)


def test_holes_alone_give_a_reason() -> None:
    hole = overall([score("x", None), score("y", None)])
    assert hole is not None
    assert hole.reason == "too few"


def test_sentence_says_both_numbers_and_the_corner() -> None:
    said = {s.subject.student: s for s in sentences(board())}
    text = "".join(t for t, _ in said["answers_of_a"].parts)
    assert text.startswith(
        "took over 83\u00a0% [78, 88] of teacher_a\u2019s style (unrelated models: 10\u00a0%, sd 16 points) "
        "and 71\u00a0% [65, 77] of its capability gap"
    )
    assert "in length alone it went 9\u00a0% of the way" in text
    assert said["style_only"].doubts[-1] == "80\u00a0% of its replies are too short to show a style"
    assert len(said["answers_of_a"].doubts) == 1
    assert (
        "Style: above what unrelated models reach (independent reaches 12\u00a0%)"
        in said["answers_of_a"].doubts[0]
    )
    corners = {name: s.corner for name, s in said.items()}
    assert (corners["answers_of_a"], corners["style_only"], corners["task_only"]) == (
        "clone",
        "imitator",
        "learner",
    )


def test_sentence_says_that_a_style_is_overdone_where_all_of_its_interval_is_above_the_teacher() -> (
    None
):
    for low, told in ((1.02, True), (0.98, False)):
        run = record()
        scores = tuple(
            replace(s, value=1.3, low=low, high=1.6)
            if (s.metric, s.student) == ("style_transfer", "answers_of_a")
            else s
            for s in run.scores
        )
        said = {s.subject.student: s for s in sentences(board(replace(run, scores=scores)))}
        text = "".join(t for t, _ in said["answers_of_a"].parts)
        assert ("style, overdoing it (unrelated" in text) == told


def test_sentence_gives_the_reason_for_a_missing_half() -> None:
    run = record()
    none = tuple(
        replace(s, value=None, low=None, high=None, reason="no base")
        if s.metric == "capability_transfer"
        else s
        for s in run.scores
    )
    said = sentences(board(replace(run, scores=none)))[0]
    assert "capability" not in "".join(t for t, _ in said.parts)
    assert said.doubts[0] == "Capability: no base"
    assert said.corner == ""
