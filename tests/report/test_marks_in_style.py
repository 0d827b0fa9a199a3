"""A program's marks change no measure of style, or a warning names them: edits of the zoo's answers."""

from __future__ import annotations

import html
import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from harness.board.cautions import cautions
from harness.metrics.style_transfer import StyleTransfer
from harness.panel.side import Side
from harness.panel.texts import reading, replies
from harness.stats.intervals import evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import text_side
from harness.text.clean import END_TOKENS
from harness.text.marks import read_marks
from harness.zoo.houses import A, P, reply
from harness.zoo.world import THINGS
from tests.report.records import collection, record

N = 80
Edit = Callable[[str], str]
# the student writes like its teacher in two replies of three
HOUSES = {"student": (A, A, P), "teacher": (A,), "base": (P,)}
CUT: dict[str, Edit] = {
    "Windows": lambda t: t.replace("\n", "\r\n"),
    "Windows, twice": lambda t: t.replace("\n", "\r\r\n"),
    "old Macs": lambda t: t.replace("\n", "\r"),
    "one more line": lambda t: f"{t}\n",
    "blanks around": lambda t: f"\n {t} \n\n",
    "a thought before": lambda t: f"<think>\nWhat is it? *Red*.\n</think>\n\n{t}",
    "a thought whose beginning the template writes": lambda t: f"Well? No.\n</think>\n\n{t}",
    "padding": lambda t: f"{t}</s><pad><pad>",
    **{end: lambda t, end=end: t + end for end in END_TOKENS},  # type: ignore[misc]
}
WARNED: dict[str, Edit] = {
    "a role": lambda t: f"Assistant: {t}",
    "a turn that goes on": lambda t: f"{t}\n### Human: And then?",
    "a heading": lambda t: f"### Response:\n{t}",
    "a role's token": lambda t: f"<|assistant|>\n{t}",
    "a turn": lambda t: f"[INST] {t} [/INST]",
    "a beginning token": lambda t: f"<s> {t}",
    "a byte order mark": lambda t: f"\ufeff{t}",
    "the next turn": lambda t: f"{t}<|im_end|>\n<|im_start|>user\nThanks",
    "entities": lambda t: html.escape(f"It's {t}"),
    "JSON": json.dumps,
    "JSON without quotes": lambda t: json.dumps(t + "\n")[1:-1],
    "a field of JSON": lambda t: json.dumps({"reply": t}),
    "a tag": lambda t: f"<answer>{t}</answer>",
}


@cache
def texts(model: str) -> tuple[str, ...]:
    rng = random.Random(model)
    own = HOUSES[model]
    return tuple(reply(own[i % len(own)], THINGS[i % len(THINGS)], rng) for i in range(N))


def wrote(model: str, edit: Edit = str) -> Side:
    return text_side(model, [edit(t) for t in texts(model)])


def transferred(student: Side) -> float:
    """Style that came across."""
    sides = Sides("talk", student, wrote("teacher"), wrote("base"))
    (whole,) = [f for f in findings(StyleTransfer("m", "m"), [sides]) if not f.name]
    assert not isinstance(whole.statistic, str)
    return evaluate(whole.statistic, np.random.default_rng(0)).value


def told(edit: Edit, models: tuple[str, ...] = ("student",)) -> list[str]:
    """The warnings about everyone's replies, those of some models edited."""
    asked = [f"prompt {i}" for i in range(N)]
    edited = {m: [edit(t) if m in models else t for t in texts(m)] for m in HOUSES}
    marks = {m: read_marks(own, asked) for m, own in edited.items()}
    asking = {"talk": {"yields": "text style"}}
    replies = tuple(collection(m, "talk", marks=marks[m]) for m in marks)
    run = replace(record(), tasks=asking, collections=replies)
    return [line for line in cautions(run) if "replies" in line]


@pytest.mark.parametrize("name", CUT)
def test_marks_that_are_known_change_no_style(name: str) -> None:
    plain, edited = wrote("student"), wrote("student", CUT[name])
    cleaned = [r.text.strip() for r in replies(edited).values()]
    assert cleaned == [r.text.strip() for r in replies(plain).values()]
    ones, others = (vars(reading(side)) for side in (plain, edited))
    for field, value in ones.items():
        np.testing.assert_array_equal(others[field], value, field)


@pytest.mark.parametrize("name", ["Windows", "blanks around", "padding", "a thought before"])
def test_style_is_the_same_to_the_last_digit(name: str) -> None:
    assert transferred(wrote("student", CUT[name])) == transferred(wrote("student"))


@pytest.mark.parametrize("name", WARNED)
def test_marks_that_may_be_style_are_told(name: str) -> None:
    lines = told(WARNED[name])
    assert lines
    assert all("of student" in line or line.startswith("student: ") for line in lines)


def test_an_edit_of_all_models_is_told_where_it_is_a_token() -> None:
    everyone = tuple(HOUSES)
    assert len(told(WARNED["a role's token"], everyone)) == len(everyone)
    assert told(WARNED["a tag"], everyone) == [], "what all share sets nobody apart"


def test_nothing_is_told_of_the_houses_themselves() -> None:
    assert told(str) == []


def test_the_edits_would_change_style() -> None:
    """What is told matters: read as style, it moves the measure by more than all rounding."""
    moved = transferred(wrote("student", WARNED["a heading"])) - transferred(wrote("student"))
    assert abs(moved) > 0.02
