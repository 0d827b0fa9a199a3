"""The forgetting map: gap closed over what changed outside of what was distilled."""

from __future__ import annotations

import pytest

from harness.figures import Dots, Plane
from tests.figures.losses import change, run
from tests.figures.marks import of_type
from tests.figures.test_figures import made
from tests.report.records import STUDENTS, board


def test_a_student_stands_at_its_gap_and_at_the_mean_over_tasks_outside() -> None:
    changes = (
        change("logits_of_a", "zoo_sums", -0.1),
        change("logits_of_a", "zoo_words", 0.02),
        change("logits_of_a", "zoo_facts", 0.5),
        change("logits_of_a", "zoo_sums", -0.9, against="teacher"),
        change("answers_of_b", "zoo_sums", 0.0),
    )
    drawing = made("forgetting_map").draw(board(run(*changes)), None)
    assert drawing is not None
    assert isinstance(drawing.frame, Plane)
    dots = {d.x: d for mark in of_type(drawing, Dots) for d in mark.dots}
    assert set(dots) == {STUDENTS["logits_of_a"][1], STUDENTS["answers_of_b"][1]}
    lost = dots[STUDENTS["logits_of_a"][1]]
    assert lost.y == pytest.approx(-0.04)
    assert lost.y_ends == pytest.approx((-0.04 - 0.03 * 2**0.5 / 2, -0.04 + 0.04 * 2**0.5 / 2))
    assert drawing.numbers.rows[0][-1] == "zoo_sums, zoo_words"


def test_without_tasks_outside_there_is_no_map() -> None:
    own = change("logits_of_a", "zoo_sums", -0.1)
    assert made("forgetting_map").draw(board(run(own, domain="inside")), None) is None
    assert made("forgetting_map").draw(board(), None) is None
