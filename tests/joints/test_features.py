"""What is made of texts before they are measured is stored once, and is the same as if it were made anew."""

from __future__ import annotations

import numpy as np
import pytest

from harness.panel import texts
from harness.plan.questions import Question
from harness.stages import features
from harness.stages.features import reading_from_table, reading_key, reading_to_table
from harness.stages.library import Library
from harness.stages.measuring import measured
from harness.text.segment import read
from harness.types import Pair
from tests.joints.small import Small

TEXTS = ["Sure! Yes, it is.", "", "- a b\n- c\n\n## d", "你好，好。😀", "One. Two three; four!"]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_reading_survives_the_store(n: int) -> None:
    made = read(TEXTS[:n])
    back = reading_from_table(reading_to_table([str(i) for i in range(n)], made))
    for name, value in vars(made).items():
        np.testing.assert_array_equal(getattr(back, name), value, err_msg=name)
        if isinstance(value, np.ndarray):
            assert getattr(back, name).dtype == value.dtype, name
            assert getattr(back, name).shape == value.shape, name


def test_stored_words_are_read_and_not_made_again(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair("teacher", "student", "base")
    question = Question(small.plan.run.metrics["length"], ("open",), "student", pair)
    library = Library(small.plan, small.store)
    expected = measured(question, library)
    cell = small.plan.find("student", "open")
    assert cell is not None
    assert small.store.has(reading_key(cell.key))

    def refuse(*_: object) -> None:
        raise AssertionError("a text was cut up again")

    monkeypatch.setattr(texts, "read", refuse)
    assert measured(question, Library(small.plan, small.store)) == expected


def test_the_code_that_cuts_texts_up_is_part_of_their_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = reading_key("answers")
    assert reading_key("other answers") != before
    monkeypatch.setattr(features, "code_digest", lambda *_, **__: "other code")
    assert reading_key("answers") != before
