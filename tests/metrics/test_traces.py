"""What a model thinks aloud changes no measure of its answers, and is told by measures of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import plugins
from harness.metrics import AbstractMetric
from harness.metrics.style_transfer import StyleTransfer
from harness.metrics.traces import Traces
from harness.panel.panel import View
from harness.panel.side import Side
from harness.panel.texts import replies, traces
from harness.stats.intervals import Estimate
from harness.testing.measures import Estimates, estimates
from harness.testing.panels import Sides
from harness.testing.sides import text_side
from harness.text.steps import openings, steps
from harness.types import Outputs
from tests.metrics.answer_sets import install_embedder
from tests.metrics.styled import BASE, TEACHER, THIRD, Way, reply
from tests.metrics.test_contract import metric, sides_of

REPLIES = {View.STYLE, View.TEXT, View.REPLIES}
OF_TRACES = {"traces"}
READING = [
    n
    for n in plugins.kinds("metrics")
    if n not in OF_TRACES and set(metric(n).looks_at.views) & REPLIES
]


@pytest.fixture(autouse=True)
def _embedder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_embedder(monkeypatch, tmp_path)


def thought(i: int) -> str:
    """What is thought before reply i; it resembles no reply."""
    rng = random.Random(f"thought {i}")
    opening = rng.choice(["Wait,", "Hmm,", "So", "Okay,"])
    lines = [
        f"{opening} {' '.join(rng.choices(['zinc', 'or', 'ochre', 'no'], k=9))}." for _ in "ab"
    ]
    return "\n\n".join(lines)


SPELLINGS: dict[str, Callable[[int, str], str]] = {
    "tags": lambda i, t: f"<think>\n{thought(i)}\n</think>\n\n{t}",
    "the template wrote the first tag": lambda i, t: f"{thought(i)}\n</think>\n\n{t}",
    "in one line": lambda i, t: f"<Thinking>{thought(i)}</Thinking>{t}",
    "channels": lambda i, t: (
        f"<|channel|>analysis<|message|>{thought(i)}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{t}<|return|>"
    ),
}


def with_traces(side: Side, spell: Callable[[int, str], str]) -> Side:
    """The side with a thought before every answer."""

    def thinking(outputs: Outputs) -> Outputs:
        texts = (None if t is None else spell(i, t) for i, t in enumerate(outputs.text))
        return replace(outputs, text=tuple(texts))

    samples = tuple(map(thinking, side.samples))
    return replace(side, outputs=thinking(side.outputs), samples=samples)


def all_thinking(sides: Sides, spell: Callable[[int, str], str]) -> Sides:
    """The student and the controls think aloud; the others do not."""
    controls = tuple(with_traces(c, spell) for c in sides.controls)
    return replace(sides, student=with_traces(sides.student, spell), controls=controls)


def unlike(one: Estimates, two: Estimates) -> list[tuple[str, str]]:
    """The parts that differ by .02 or more, or are a number in one and a reason in the other."""
    assert one.keys() == two.keys()
    return [
        name
        for name, a in one.items()
        if isinstance(a, str) != isinstance(b := two[name], str)
        or (isinstance(a, Estimate) and isinstance(b, Estimate) and abs(a.value - b.value) >= 0.02)
    ]


def test_measures_of_replies_come_up_by_themselves() -> None:
    assert {"length", "style_transfer", "style_classifier", "identity", "truncation"} <= set(
        READING
    )


LONG = {"style_ladder", "style_classifier"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in READING]
)
def test_the_same_answers_behind_traces_measure_the_same(name: str) -> None:
    measure = metric(name)
    sides = sides_of(measure)
    spell = list(SPELLINGS.values())[len(name) % len(SPELLINGS)]
    assert unlike(estimates(measure, sides), estimates(measure, all_thinking(sides, spell))) == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_trace_and_the_answer_are_told_apart(spelling: str) -> None:
    side = with_traces(text_side("m", ["One.", "- Two\n- Three"]), SPELLINGS[spelling])
    assert sorted(r.text for r in replies(side).values()) == ["- Two\n- Three", "One."]
    assert all(
        thought(0)[:20] in r.trace or thought(1)[:20] in r.trace for r in replies(side).values()
    )
    assert all(r.ending == "complete" for r in replies(side).values())


@pytest.mark.parametrize(
    "text",
    ["<think>\nLet me see. It is", "<think>", "analysisWe need a list of", "Sure.\n<think>\nor"],
)
def test_a_trace_without_an_end_is_a_cut_reply_and_never_style(text: str) -> None:
    side = text_side("m", [text] * 3)
    assert {r.text for r in replies(side).values()} <= {"", "Sure."}
    assert all(r.is_cut and r.is_open for r in replies(side).values()), "whatever the stop says"
    assert traces(side) == {}


def test_tags_of_one_s_own_are_named_by_the_task() -> None:
    side = text_side("m", ["[plan]One. Two.[/plan]Three."])
    assert next(iter(replies(side).values())).text == "[plan]One. Two.[/plan]Three."
    named = replace(side, requests=replace(side.requests, think=(("[plan]", "[/plan]"),)))
    (said,) = replies(named).values()
    assert (said.text, said.trace) == ("Three.", "One. Two.")


# --- the measure of traces ----------------------------------------------------------------------


def thinker(model: str, opening: str, n: int = 40, every: int = 1) -> Side:
    """A model that thinks aloud on every so many prompts, in three steps of which two open alike."""

    def text(i: int) -> str:
        traced = (
            f"<think>\n{opening} it is {i}.\n\nSo be it.\n\n{opening} no.\n</think>\n\nIt is {i}."
        )
        return traced if i % every == 0 else f"It is {i}."

    return text_side(model, [text(i) for i in range(n)], task="sums")


def said(sides: Sides) -> Estimates:
    return estimates(Traces("traces", "traces"), sides)


def value(found: Estimates, part: str) -> float:
    estimate = found[part, ""]
    assert isinstance(estimate, Estimate), estimate
    return estimate.value


def test_traces_are_counted_and_their_steps_open_as_they_do() -> None:
    found = said(Sides("sums", thinker("student", "Wait,", every=2)))
    assert value(found, "") == 0.5
    assert value(found, "unfinished") == 0
    assert (value(found, "words"), value(found, "steps")) == (9, 3)
    assert value(found, "opening/Wait,") == pytest.approx(2 / 3)
    assert value(found, "opening/So") == pytest.approx(1 / 3)


def test_openings_are_overused_beside_the_teacher_and_traces_agree() -> None:
    pair = Sides("sums", thinker("student", "Wait,"), thinker("teacher", "Hmm,"), minimum=20)
    found = said(pair)
    assert value(found, "opening_above_teacher/Wait,") == pytest.approx(2 / 3)
    assert value(found, "opening_above_teacher/Hmm,") == pytest.approx(-2 / 3)
    assert value(found, "opening_above_teacher/So") == 0
    assert found["agreement_above_base", ""] == "this pair names no base"
    same = said(replace(pair, student=thinker("student", "Hmm,")))
    assert value(same, "agreement") == pytest.approx(1)
    # pairs of words: it/is, is/i, i/so, so/be, be/it, it/wait or it/hmm, wait/no or hmm/no, wait/it or hmm/it
    assert value(found, "agreement") == pytest.approx(5 / 8)


def test_nobody_thinks_aloud() -> None:
    plain = text_side("student", ["It is."] * 30)
    assert said(Sides("talk", plain, text_side("teacher", ["It is."] * 30))).keys() == {
        ("", ""),
        ("unfinished", ""),
    }


def test_a_base_that_does_not_think_is_a_reason() -> None:
    base = text_side("base", [f"It is {i}." for i in range(40)], task="sums")
    found = said(Sides("sums", thinker("student", "Wait,"), thinker("teacher", "Hmm,"), base))
    assert str(found["agreement_above_base", ""]).startswith(
        "0 prompts with a whole trace answered"
    )


@pytest.mark.parametrize(
    ("trace", "number"),
    [("a\n\nb\n \nc", 3), ("a\nb", 2), ("a", 1), ("", 0), ("a\n\nb\nc", 2)],
)
def test_steps_are_paragraphs_or_lines(trace: str, number: int) -> None:
    assert len(steps(trace)) == number


def test_an_opening_is_the_first_word_with_its_mark() -> None:
    trace = "Wait, no.\n\n1. Wait, yes.\n\n**So** it is\n\n42 is it\n\nDon't"
    assert openings(trace) == {"Wait,": 2, "So": 1, "is": 1, "Don't": 1}


# --- the style of traces ------------------------------------------------------------------------


def styled(model: str, way: Way, answer: Way, n: int = 60) -> Side:
    """A model that thinks in one way of writing and answers in another."""
    rng = random.Random(model)
    texts = [
        f"<think>\n{reply(way, i, rng)}\n</think>\n\n{reply(answer, i, rng)}" for i in range(n)
    ]
    return text_side(model, texts, task="styled")


def ratio(measure: AbstractMetric, sides: Sides) -> float:
    return value(estimates(measure, sides), "")


def test_style_of_traces_is_an_axis_apart() -> None:
    """A student that thinks as its teacher does and answers as the base does, and one the other way round."""
    pair = styled("teacher", TEACHER, THIRD), styled("base", BASE, BASE)
    thinks = Sides("styled", styled("student", TEACHER, BASE), *pair)
    answers = Sides("styled", styled("student", BASE, THIRD), *pair)
    trace = StyleTransfer("style_transfer", "trace_style", part="trace")
    answer = StyleTransfer("style_transfer", "style_transfer")
    assert ratio(trace, thinks) == pytest.approx(1, abs=0.06)
    assert ratio(answer, thinks) == pytest.approx(0, abs=0.06)
    assert ratio(trace, answers) == pytest.approx(0, abs=0.06)
    assert ratio(answer, answers) == pytest.approx(1, abs=0.06)


def test_style_of_traces_is_no_column_of_answers() -> None:
    (column,), topics = StyleTransfer("style_transfer", "trace_style", part="trace").on_page()
    assert column.title == "Trace style"
    assert topics == {}
    assert StyleTransfer("style_transfer", "style_transfer").on_page()[1]["style"] == ("",)


def test_no_trace_of_the_base_is_a_reason() -> None:
    base = text_side("base", ["So it is."] * 60, task="styled")
    sides = Sides(
        "styled", styled("student", TEACHER, BASE), styled("teacher", TEACHER, BASE), base
    )
    trace = StyleTransfer("style_transfer", "trace_style", part="trace")
    found = estimates(trace, sides)
    assert str(found["", ""]).startswith("0 prompts with a whole trace answered by all of")
    assert np.all([isinstance(e, str) for e in found.values()])
