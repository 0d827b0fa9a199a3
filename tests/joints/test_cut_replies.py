"""Replies that were cut are counted where they are stored, told, and a column that every file has alike."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from harness.board.board import Board, make_board
from harness.board.leaderboard import leaderboard_view
from harness.board.tables import collections_table, leaderboard_table
from harness.panel.texts import replies_of
from harness.stages.features import reading_key
from harness.stages.marks import count_marks, endings_of
from harness.stages.record import make_record
from harness.store.tables import outputs_from_table
from harness.testing.sides import graded_text_side, text_side
from harness.text.cut import Endings
from tests.joints.small import Small, requests_of, scored

DECODING = {"temperature": 1.0, "max_new_tokens": 32}  # many replies of fakes are longer


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    metrics = {"truncation": None, "length": None}
    return scored(tmp_path_factory.mktemp("ended"), metrics=metrics, decoding=DECODING)


@pytest.fixture(scope="module")
def board(small: Small) -> Board:
    count_marks(small.plan, small.store)
    return make_board(make_record(small.plan, small.store, small.scores))


def stops(small: Small, model: str) -> list[str | None]:
    collection = small.plan.find(model, "open")
    assert collection is not None
    return list(outputs_from_table(small.store.table(collection.key)).stop)


def test_page_files_and_counts_have_the_same_share(small: Small, board: Board) -> None:
    """The share of the stored stops themselves, which is between none and all for somebody."""
    stored = {m: np.mean([s == "length" for s in stops(small, m)]) for m in small.plan.run.models}
    assert any(0 < share < 1 for share in stored.values())
    table = leaderboard_table(board).columns()
    view = leaderboard_view(board)
    head = next(i for i, h in enumerate(view.heads) if h.name == "Cut")
    seen = {row[0].text: row[head].value for row in view.rows}
    assert set(seen) >= {row.subject.student for row in board.rows}
    assert seen["teacher"] == pytest.approx(stored["teacher"]), "teachers have a row too"
    counted = {c.model: c.endings for c in board.record.collections if c.endings is not None}
    scores = {s.student: s.value for s in small.scores if s.metric == "truncation"}
    for place, row in enumerate(board.rows):
        name = row.subject.student
        share = stored[name]
        assert table["truncation"][place] == pytest.approx(share)
        assert seen[name] == pytest.approx(share)
        assert scores[name] == pytest.approx(share)
        endings = counted[name]
        assert endings is not None
        assert endings.share == pytest.approx(share)


def test_a_share_of_cut_replies_is_no_claim(board: Board) -> None:
    """Nobody is above base or controls by it, and nobody is ranked."""
    claims = [board.claims[row.subject, "truncation"] for row in board.rows]
    assert {(c.above_base, c.above_controls, c.rank, c.leads) for c in claims} == {
        (False, None, None, False)
    }


def test_what_is_cut_is_said_and_stands_in_the_table_of_collections(
    small: Small, board: Board
) -> None:
    n = stops(small, "student").count("length")
    (line,) = (w for w in board.record.warnings if w.startswith("Replies are cut before"))
    assert re.findall(r"\bstudent on 1 of 1 task \([^)]*\): open (\d+) of 40;", line) == [str(n)]
    rows = collections_table(board.record).columns()
    place = next(
        i
        for i, (model, task) in enumerate(zip(rows["model"], rows["task"], strict=True))
        if (model, task) == ("student", "open")
    )
    assert rows["n_cut"][place] == n
    assert rows["n_looks_cut"][place] == 0
    quiz = rows["task"].index("quiz")
    assert (rows["n_cut"][quiz], rows["n_wrong"][quiz]) == (None, None)


def test_wrong_answers_that_are_cut_are_told_apart() -> None:
    side = graded_text_side("m", {"exact_match": np.array([1.0, 0.0, 0.0, 0.0, 1.0])})
    stopped = ("length", "length", "eos", "unknown", "eos")
    texts = ("4", "It is", "5", "It is one of the", "4")
    outputs = replace(side.outputs, stop=stopped, text=texts)
    given = replies_of(side.requests, outputs)
    right = {p.id: bool(v) for p, v in zip(side.requests.prompts, (1, 0, 0, 0, 1), strict=True)}
    assert endings_of(given, right) == Endings(5, 2, 1, n_wrong=3, n_wrong_cut=2)
    assert endings_of(given, {}) == Endings(5, 2, 1)


def test_replies_without_full_stops_are_counted_apart() -> None:
    side = text_side("m", ["It rains and then it is all over the town and the sea"] * 5)
    given = replies_of(side.requests, replace(side.outputs, stop=("unknown",) * 5))
    assert endings_of(given, {}) == Endings(5, 0, 0, n_no_stop=5)


def test_tags_of_a_task_are_in_the_key_of_the_words_and_in_the_stored_requests(
    small: Small,
) -> None:
    assert reading_key("answers", (("[a]", "[/a]"),)) != reading_key("answers")
    task = small.plan.run.tasks["open"]
    tasks = {"open": {**vars_of(task), "think": [["[a]", "[/a]"]]}}
    other = scored(
        small.store.root.parent / "tagged", metrics={"length": None}, tasks=tasks, decoding=DECODING
    )
    (own,) = {c.requests_key for c in other.plan.of_task("open")}
    assert own != next(c.requests_key for c in small.plan.of_task("open"))
    asked = requests_of(other.plan.of_task("open")[0], other.store)
    assert asked.think == (("[a]", "[/a]"),)
    keys = [{c.model: c.key for c in s.plan.of_task("open")} for s in (small, other)]
    assert keys[0] == keys[1], "nobody is asked again"


def vars_of(task: object) -> dict[str, object]:
    return {k: vars(task)[k] for k in ("kind", "file", "columns")}
