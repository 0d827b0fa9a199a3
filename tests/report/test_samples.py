"""The sample browser: what is chosen, what is told, and what fits the budget."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.board import answers as board_answers
from harness.board.answers import (
    Answer,
    TaskAnswers,
    browse,
    likeness,
    task_answers,
    word_difference,
)
from harness.board.board import make_board
from harness.board.joined import Job, join
from harness.board.record import CollectionRecord, RunRecord
from harness.exports.samples import Samples
from harness.panel.side import Side
from harness.text.clean import clean
from harness.types import Outputs, Pair, Prompt, Request, RequestSet
from tests.report.records import HOSTILE, board, open_side, record


def answers_to(task: str) -> TaskAnswers:
    return next(a for a in board().answers() if a.task == task)


def shown(task: str, budget_bytes: int) -> dict[str, Any]:
    answers = answers_to(task)
    return browse(answers, board().pairs_in(answers), budget_bytes)


def test_further_samples_are_counted_not_shown() -> None:
    run = record()
    first = next(c for c in run.collections if c.task == "zoo_style" and not c.missing)
    more = tuple(replace(first, sample=n, missing="" if n < 3 else "refused") for n in (1, 2, 3))
    made = replace(run, collections=(*run.collections, *more))
    (answers,) = (a for a in board(made).answers() if a.task == "zoo_style")
    assert answers.n_samples == 3
    assert browse(answers, board(made).pairs_in(answers), 10**6)["samples"] == 3
    assert shown("zoo_style", 10**6)["samples"] == 1


def test_wrong_in_the_same_way_needs_two_wrong_answers_that_agree() -> None:
    wrong, other, right = (
        Answer("Lyon", "", None, False),
        Answer("Nice", "", None, False),
        Answer("Lyon", "", None, True),
    )
    assert likeness(wrong, replace(wrong, text=" Lyon\n")).same_error
    assert not likeness(wrong, other).same_error
    assert not likeness(right, right).same_error
    silent = Answer("", "", None, False)
    assert not likeness(silent, silent).same_error, "saying nothing is no mistake in common"
    assert likeness(Answer("Option 2", "", 1, False), Answer("B", "", 1, False)).same_error


def test_who_is_right_where_the_student_is_wrong_is_told() -> None:
    wrong, right = Answer("Nice", "", None, False), Answer("Paris", "", None, True)
    ungraded = replace(wrong, right=None)
    assert likeness(wrong, right, wrong).wrong_beside == "t"
    assert likeness(wrong, right, right).wrong_beside == "tb"
    assert likeness(wrong, wrong, right).wrong_beside == "b"
    assert likeness(wrong, right).wrong_beside == "t"
    assert likeness(right, wrong, wrong).wrong_beside == ""
    assert likeness(ungraded, right, right).wrong_beside == "", "nobody says that it is wrong"


def test_the_list_tells_losses_cut_and_refused_replies_and_losses_come_early() -> None:
    prompts = {f"p{i}": Prompt(f"p{i}", f"Question {i}?", f"p{i}", "") for i in range(12)}
    teacher = {i: Answer("Paris", "stop", None, True) for i in prompts}
    student = dict(teacher)
    student["p3"] = Answer("Nice, because", "length", None, False, ending="cut")
    student["p7"] = Answer("I'm sorry, but I can't help with that.", "stop", None, None)
    student["p9"] = Answer("I can't", "", 1, True)
    base = {i: Answer("Lyon", "stop", None, False) for i in prompts}
    pair = Pair("teacher", "student", "base")
    answers = TaskAnswers("t", prompts, {"teacher": teacher, "student": student, "base": base})
    page = browse(answers, [pair], 10**6)
    letters = {p["id"]: p["told"][0][3] for p in page["prompts"]}
    assert {i: x for i, x in letters.items() if x} == {"p3": "tc", "p7": "r"}
    assert page["prompts"][0]["id"] == "p3", "the one loss"


def test_large_differences_are_looked_for_in_the_first_pairs_and_told_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(board_answers, "_PAIRS_LOOKED_AT", 1)
    prompts = {f"p{i}": Prompt(f"p{i}", f"Question {i}?", f"p{i}", "") for i in range(30)}
    same = {i: Answer("one two", "stop", None, None) for i in prompts}
    first = {**same, "p17": Answer("one three", "stop", None, None)}
    second = {i: Answer("four five six", "stop", None, None) for i in prompts}
    pairs = [Pair("teacher", "first"), Pair("teacher", "second")]
    given = TaskAnswers("t", prompts, {"teacher": same, "first": first, "second": second})
    page = browse(given, pairs, 10**6)
    assert page["prompts"][0]["id"] == "p17"
    told = [[row[2] for row in prompt["told"]] for prompt in page["prompts"]]
    assert told == [[0.5, 1.0], *([[0.0, 1.0]] * 29)]


def test_difference_is_one_minus_dice_of_words() -> None:
    assert word_difference("a b c", "b c d e") == pytest.approx(1 - 2 * 2 / 7)
    assert word_difference("", "") == 0.0


def test_words_are_the_same_whichever_way_they_are_found() -> None:
    """Between all pairs of ASCII characters, and in texts with others."""
    text = " ".join(f"{a}Ab{b}" for a in map(chr, range(128)) for b in map(chr, range(128)))
    for own in (text, f"{text} Grüße", "ÉTÉ İstanbul ΣΑΣ"):
        assert board_answers._word_set(own) == {w.lower() for w in re.findall(r"\w+", own)}


def test_blocks_hold_the_texts_unchanged() -> None:
    page = shown("zoo_style", 10**6)
    block = {}
    packs = [json.loads(gzip.decompress(base64.b64decode(packed))) for packed in page["blocks"]]
    for listed in page["prompts"]:
        at, place = listed["block"]
        block[listed["id"]] = packs[at][place]
    assert sum(map(len, packs)) == len(page["prompts"])
    answers = [block[f"style{i:04d}"]["answers"]["base"] for i in range(len(HOSTILE))]
    assert [a.get("stored", a["text"]) for a in answers] == HOSTILE
    assert [a["text"] for a in answers] == [clean(text).text for text in HOSTILE]
    (changed,) = [a for a in answers if "stored" in a]
    assert changed["text"] == changed["stored"].replace("\r\n", "\n")
    assert (page["total"], len(page["prompts"])) == (40, 40)


def test_budget_is_kept_and_shared_mistakes_come_first() -> None:
    page = shown("zoo_facts", 1_000)
    assert 0 < len(page["prompts"]) < page["total"]
    assert sum(map(len, page["blocks"])) <= 1_000
    assert any(told and told[0] for told in page["prompts"][0]["told"])


def test_all_answers_are_in_the_file(tmp_path: Path) -> None:
    Samples("samples", "samples").export(board(), tmp_path)
    table = pq.read_table(tmp_path / "samples.parquet").to_pylist()
    answers = [own for task in board().answers() for own in task.answers.values()]
    assert len(table) == sum(map(len, answers)) > 0
    assert {"task": "zoo_facts", "prompt_id": "facts0000"}.items() <= table[0].items()
    changed = [row for row in table if row["stored"] is not None]
    assert changed
    assert all(row["text"] == clean(row["stored"]).text != row["stored"] for row in changed)


def test_options_are_shown_in_their_own_words() -> None:
    prompts = (Prompt("q1", "Capital of France?", "q1", "", n_options=2, gold=0),)
    requests = tuple(
        Request(0, "score", "Capital of France?", slot=k, continuation=w)
        for k, w in enumerate((" Paris", " Nice"))
    )
    outputs = Outputs(
        request=np.arange(2),
        kind=("score", "score"),
        n_tokens=np.ones(2, np.int64),
        text=(None, None),
        stop=(None, None),
        logprob_nats=np.array([-3.0, -1.0]),
        greedy=(False, True),
        choice=(None, None),
        answered=(True, True),
    )
    side = Side(
        "m", "m", RequestSet("quiz", prompts, requests, False, "1", ("choices",)), outputs, None, ()
    )

    def read(c: CollectionRecord) -> Side | None:
        return side if (c.model, c.task) == ("base", "zoo_facts") else None

    (task,) = task_answers(record(), read)
    assert task.answers["base"]["q1"] == Answer("Nice", "", 1, False)


def test_a_sweep_shows_each_setting_s_own_answers() -> None:
    def job(seed: str) -> RunRecord:
        run = record()
        own = tuple(
            replace(c, key=f"{c.key} {seed}") if c.model == "answers_of_a" else c
            for c in run.collections
        )
        return replace(run, collections=own)

    def read(c: CollectionRecord) -> Side | None:
        return open_side(c.key, 0) if c.task == "zoo_style" else None

    settings = [(("seed", "0"),), (("seed", "1"),)]
    joined = join([Job(v, job(v[0][1])) for v in settings])
    made = make_board(joined, read)
    (task,) = made.answers()
    assert {n for n in task.answers if n.startswith("answers_of_a")} == {
        "answers_of_a seed=0",
        "answers_of_a seed=1",
    }
    assert "teacher_a" in task.answers, "whose answers do not depend on the seed"
    texts = [task.answers[f"answers_of_a seed={v}"]["style0010"].text for v in "01"]
    assert texts[0] != texts[1]
    pairs = {(p.student, p.teacher, p.base) for p in made.pairs_in(task)}
    assert ("answers_of_a seed=1", "teacher_a", "base") in pairs
    assert ("logits_of_a", "teacher_a", "base") in pairs
    assert len(pairs) == 7, "six students, one of them under two settings"
