"""Multiple-choice questions with known answers, for recorded predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.plugins import build
from harness.tasks import Setting
from harness.tasks.choices import ChoicesTask
from harness.types import DistillbenchError, Kind, Outputs, Paths, RequestSet, Unavailable

COLUMNS = {"question": "id", "answer": "answer", "n_options": "k", "category": "subject"}


def at(folder: Path, limit: int | None = None) -> Setting:
    return Setting(Paths(folder, folder, (), data=folder), False, None, limit, 0)


def asked(folder: Path, rows: Sequence[tuple[object, ...]], **fields: Any) -> RequestSet:
    pd.DataFrame(rows, columns=["id", "answer", "k", "subject", "model"]).to_parquet(
        folder / "x.parquet"
    )
    task = ChoicesTask("choices", "mine", file="x.parquet", columns=COLUMNS, **fields)
    return task.requests(at(folder))


def predictions(choices: list[int | None], answered: list[bool]) -> Outputs:
    n = len(choices)
    kinds: list[Kind] = ["choose"] * n
    return Outputs(
        np.arange(n), tuple(kinds), np.zeros(n, np.int64), (None,) * n, (None,) * n, np.full(n, np.nan), (None,) * n,
        tuple(choices), tuple(answered),
    )  # fmt: skip


def test_questions_once_with_their_answers(tmp_path: Path) -> None:
    found = asked(
        tmp_path, [(7, "C", 4, "law", "a"), (8, "A", 10, "art", "a"), (7, "C", 4, "law", "b")]
    )
    assert [(p.text, p.gold, p.n_options, p.category) for p in found.prompts] == [
        ("question 7", 2, 4, "law"),
        ("question 8", 0, 10, "art"),
    ]
    assert [(r.kind, r.context) for r in found.requests] == [("choose", "7"), ("choose", "8")]
    assert found.yields == ("grades", "choices")
    assert found.notes == ()


def test_questions_whose_answer_differs_are_dropped(tmp_path: Path) -> None:
    found = asked(
        tmp_path, [(7, "C", 4, "law", "a"), (8, "A", 4, "art", "a"), (7, "B", 4, "law", "b")]
    )
    assert [r.context for r in found.requests] == ["8"]
    assert found.notes == ("1 questions dropped: their right answer differs between rows",)


def test_answers_given_as_indices(tmp_path: Path) -> None:
    assert [
        p.gold for p in asked(tmp_path, [(7, 2, 4, "law", "a"), (8, 0, 4, "art", "a")]).prompts
    ] == [2, 0]


@pytest.mark.parametrize("answer", ["E", "5", "AB", "?", None])
def test_an_answer_that_is_no_option(tmp_path: Path, answer: str | None) -> None:
    rows = [(7, answer, 4, "law", "a"), (8, "A", 4, "art", "a"), (9, "0", 4, "art", "a")]
    found = asked(tmp_path, rows)
    assert [r.context for r in found.requests] == ["8", "9"]
    (_, dropped) = found.notes
    assert dropped == (
        "1 questions dropped: their right answer is none of their options "
        f"(the first: {answer!r} of 4 options)"
    )
    with pytest.raises(
        DistillbenchError, match="each one of its question's options; got none in 1"
    ):
        asked(tmp_path, [(7, answer, 4, "law", "a")], labels="from_0")


def test_a_file_without_a_question_says_what_became_of_all(tmp_path: Path) -> None:
    with pytest.raises(
        DistillbenchError,
        match="got none in 2 rows: 1 questions dropped: their right answer differs",
    ):
        asked(tmp_path, [(7, "A", 4, "law", "a"), (7, "B", 4, "law", "b")])
    with pytest.raises(DistillbenchError, match="no row has a question"):
        asked(tmp_path, [(None, "A", 4, "law", "a")])


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_counted_from_what_occurs(tmp_path: Path, first: int) -> None:
    """Whatever mixture of letters and numbers names the right options, and however these are spelled."""
    spelled: list[Callable[[int], object]] = [
        lambda i: str(i + first),
        lambda i: "ABCD"[i],
        lambda i: f"({i + first})",
        lambda i: f"{'abcd'[i]}.",
    ]
    rows = [(n, spelled[n % 4](n // 4), 4, "law", "a") for n in range(16)]
    found = asked(tmp_path, rows)
    assert [p.gold for p in found.prompts] == [n // 4 for n in range(16)]
    assert {(r.n_options, r.first_number) for r in found.requests} == {(4, first)}
    assert found.notes == (f"labels {first}-{3 + first} and A-D, 16 questions",)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (("1", "2", "A"), "1-2: neither 0 nor the number of the options occurs"),
        (("0", "4", "A"), "0-4: both 0 and the number of the options occur"),
    ],
)
def test_numbers_that_do_not_tell_are_asked_back(
    tmp_path: Path, answers: tuple[str, ...], words: str
) -> None:
    rows = [(i, a, 4, "law", "a") for i, a in enumerate(answers)]
    with pytest.raises(DistillbenchError, match=words) as error:
        asked(tmp_path, rows)
    assert "`labels: from_0` or `labels: from_1`" in str(error.value)
    told = asked(tmp_path, rows, labels="from_1")
    assert [p.gold for p in told.prompts] == [
        g for a in answers if (g := "1234A".find(a) % 4) >= 0 and a != "0"
    ]


def test_labels_are_those_of_the_questions_that_are_asked(tmp_path: Path) -> None:
    rows = [(i, i % 4, 4, "law", "a") for i in range(8)]
    asked(tmp_path, rows)
    task = ChoicesTask("choices", "mine", file="x.parquet", columns=COLUMNS)
    assert task.requests(at(tmp_path, 3)).notes == ("labels 0-2, 3 questions",)


def test_letters_alone_leave_the_predictions_to_tell(tmp_path: Path) -> None:
    found = asked(tmp_path, [(7, "C", 4, "law", "a")])
    assert (found.requests[0].first_number, found.notes) == (None, ())
    told = asked(tmp_path, [(7, "C", 4, "law", "a")], labels="from_1")
    assert (told.requests[0].first_number, told.prompts[0].gold) == (1, 2)


def test_the_number_of_options_may_be_text(tmp_path: Path) -> None:
    assert [p.n_options for p in asked(tmp_path, [(7, "C", "4", "law", "a")]).prompts] == [4]


def test_unanswered_is_wrong_and_unasked_is_left_out(tmp_path: Path) -> None:
    requests = asked(tmp_path, [(i, "B", 4, "law", "a") for i in range(4)])
    task = ChoicesTask("choices", "mine", file="x.parquet", columns=COLUMNS)
    (column,) = task.grade(
        requests, predictions([1, 0, None, None], [True, True, True, False]), at(tmp_path)
    ).columns
    assert (column.leaf, column.metric, column.filter, column.better) == (
        "",
        "acc",
        "none",
        "higher",
    )
    assert column.prompt.tolist() == [0, 1, 2]
    assert column.value.tolist() == [1.0, 0.0, 0.0]
    assert column.aggregate == pytest.approx(1 / 3, abs=1e-15)
    with pytest.raises(Unavailable, match="none of 4 questions"):
        task.grade(requests, predictions([None] * 4, [False] * 4), at(tmp_path))


def test_missing_column_names_the_nearest(tmp_path: Path) -> None:
    pd.DataFrame({"ids": [1], "answer": ["A"], "k": [4], "subject": ["law"]}).to_csv(
        tmp_path / "x.csv", index=False
    )
    with pytest.raises(DistillbenchError, match="did you mean 'ids'"):
        ChoicesTask("choices", "mine", file="x.csv", columns=COLUMNS).requests(at(tmp_path))


def test_fields_are_checked() -> None:
    with pytest.raises(DistillbenchError, match="did you mean 'question'"):
        build("tasks", "x", {"kind": "choices", "file": "f", "columns": {"qestion": "k"}})


@pytest.mark.slow
def test_real_predictions(shared_data: Path, tmp_path: Path) -> None:
    here = Setting(Paths(tmp_path, tmp_path, (), data=shared_data), False, None, None, 0)
    columns = {
        "question": "question_id",
        "answer": "answer",
        "n_options": "n_options",
        "category": "category",
    }
    found = ChoicesTask(
        "choices", "mmlu_pro", file="mmlu_pro/predictions.parquet", columns=columns
    ).requests(here)
    assert found.notes == ("33 questions dropped: their right answer differs between rows",)
    assert len(found.prompts) == 12032 - 33
    assert len({p.category for p in found.prompts}) == 14
