"""Recorded predictions: labels name options by the rule of right answers, and what names none is asked back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.files.answers import Answer
from harness.models._recorded_choices import Chosen, chosen
from harness.types import DistillbenchError, Request

LETTERS = ("A", "B", "C", "D")


def predicted(labels: Sequence[str | None], first: int | None = None, n: int = 4) -> Chosen:
    """What predictions of a file name, one row each, of questions with n options."""
    requests = [
        Request(i, "choose", str(i), n_options=n, first_number=first) for i in range(len(labels))
    ]
    rows = [
        Answer("choose", label, f"p.csv, row {i + 1}", str(i)) for i, label in enumerate(labels)
    ]
    return chosen(requests, rows)


def test_letters_name_options() -> None:
    assert predicted([*LETTERS, None]) == Chosen((0, 1, 2, 3, None), "")


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("told", [True, False])
def test_numbers_are_counted_from_what_occurs_or_as_the_task_says(first: int, told: bool) -> None:
    numbers = [str(i + first) for i in range(4)]
    found = predicted([*numbers, *LETTERS, None], first if told else None)
    assert found.options == (0, 1, 2, 3, 0, 1, 2, 3, None)
    assert found.words == f"predictions {first}-{3 + first} and A-D, numbers counted from {first}"


def test_a_task_that_says_it_needs_no_number_that_tells() -> None:
    assert predicted(["2", "2", "3"], first=1).options == (1, 1, 2)
    assert predicted(["2", "2", "3"], first=0).options == (2, 2, 3)


@pytest.mark.parametrize(
    ("labels", "words"), [(["1", "2"], "1-2: neither"), (["0", "4"], "0-4: both")]
)
def test_numbers_that_do_not_tell_are_asked_back(labels: list[str], words: str) -> None:
    with pytest.raises(DistillbenchError, match=f"predictions are numbers {words}") as error:
        predicted(labels)
    assert "`labels: from_0` or `labels: from_1`" in str(error.value)


@pytest.mark.parametrize(
    ("labels", "first", "row"),
    [
        (["1", "4", "2", "9"], None, 4),  # a number that no way of counting allows
        (["0", "1", "2", "3"], 1, 1),  # right answers say from 1
        (["1", "2", "3", "4"], 0, 4),
        (["B", "C", "D", "E"], None, 4),  # letters, one further on
    ],
)
def test_predictions_outside_are_asked_back(labels: list[str], first: int | None, row: int) -> None:
    with pytest.raises(DistillbenchError) as error:
        predicted(labels, first)
    assert str(error.value).startswith(f"p.csv, row {row}: prediction ")
    assert ("`labels: from_0`" in str(error.value)) == (first is None)
    assert (f"numbers count from {first} in this task" in str(error.value)) == (first is not None)


@pytest.mark.parametrize("outside", ["E", "5"])
def test_a_few_options_that_a_model_made_up_are_wrong_and_told(outside: str) -> None:
    labels = ["A"] * 95 + [outside] * 5
    found = predicted(labels, first=1)
    assert found.options == (0,) * 95 + (None,) * 5
    assert found.words.endswith("5 of 100 predictions name no option and count as wrong")


def test_a_task_has_to_say_how_many_options_there_are() -> None:
    with pytest.raises(ValueError, match="n_options"):
        chosen([Request(0, "choose", "q")], [Answer("choose", "A", "p.csv, row 1", "q")])


def test_other_requests_and_rows_without_an_answer_have_no_option() -> None:
    requests = [Request(0, "generate", "q"), Request(1, "choose", "r", n_options=2)]
    assert chosen(requests, [Answer("generate", "A", "", "q"), None]) == Chosen((None, None), "")
