"""Replies that were cut leave length, rhythm and closings of a comparison, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.metrics import AbstractMetric
from harness.metrics.length import Length
from harness.metrics.phrases import PhrasesTaken
from harness.metrics.style_ladder import StyleLadder
from harness.metrics.style_profile import StyleProfile
from harness.metrics.style_transfer import StyleTransfer
from harness.metrics.truncation import Truncation
from harness.panel.prompts import Prompts
from harness.panel.side import Side
from harness.panel.styles import Axis, Frame, ground
from harness.panel.texts import Reply, Texts, cut_off, replies
from harness.stats.intervals import Estimate
from harness.testing.measures import Estimates, estimates
from harness.testing.panels import Sides
from harness.testing.sides import blank_outputs, talk_sides, text_side
from harness.text.cut import Ending
from harness.text.families import CLOSINGS, WIDTH
from harness.types import Prompt, Request, RequestSet
from tests.metrics.styled import TEACHER, side, sides
from tests.metrics.test_style_transfer import with_crowd

STYLE, LENGTH = StyleTransfer("style_transfer", "style_transfer"), Length("length", "length")
ROLES = ("student", "teacher", "base")
N = 60
Change = Callable[[str], str]


def first_words(n: int) -> Change:
    """The beginning of a text."""
    return lambda text: " ".join(text.split(" ")[:n])


def changed(one: Side, rows: Sequence[int], change: Change, stop: str | None = "length") -> Side:
    """The side with some replies changed, and their stops; None leaves these."""
    texts, stops = list(one.outputs.text), list(one.outputs.stop)
    for i in rows:
        texts[i] = change(str(texts[i]))
        stops[i] = stops[i] if stop is None else stop
    return replace(one, outputs=replace(one.outputs, text=tuple(texts), stop=tuple(stops)))


def cut(one: Sides, role: str, n: int, change: Change | None = None) -> Sides:
    """The sides with the first n replies of a role cut."""
    short = changed(getattr(one, role), range(n), change or first_words(20))
    everyone: dict[str, Any] = {role: short}
    return replace(one, **everyone)


def value(found: Estimates, part: str) -> float:
    return number(found, part).value


def number(found: Estimates, part: str) -> Estimate:
    estimate = found[part, ""]
    assert isinstance(estimate, Estimate), estimate
    return estimate


@pytest.fixture(scope="module")
def whole() -> Sides:
    return with_crowd(side("mixed", TEACHER, N), N)


@pytest.mark.parametrize("role", ROLES)
def test_a_prompt_with_a_cut_reply_leaves_closings_and_length(whole: Sides, role: str) -> None:
    some = cut(whole, role, 6)
    style, length = estimates(STYLE, some), estimates(LENGTH, some)
    assert number(style, "closings").n == N - 6
    assert {number(style, p).n for p in ("", "words", "format", "edges")} == {N}
    assert {number(length, p).n for p in ("", "rhythm")} == {N - 6}
    assert number(length, "words").n == (N - 6 if role == "student" else N)


@pytest.mark.parametrize("role", ROLES)
def test_how_a_cut_reply_ends_changes_no_number_of_endings(whole: Sides, role: str) -> None:
    """The teacher's closing behind cut replies, or the base's: the words alone differ."""
    one = cut(whole, role, 8, lambda t: f"{t} Enjoy every minute!")
    two = cut(whole, role, 8, lambda t: f"{t} But that is all.")
    for measure, parts in ((STYLE, ("closings", "edges")), (LENGTH, ("", "rhythm"))):
        first, second = estimates(measure, one), estimates(measure, two)
        for part in parts:
            assert value(first, part) == pytest.approx(value(second, part), rel=2e-3)


def test_closings_are_those_of_the_whole_replies_alone(whole: Sides) -> None:
    """A student that took over the closings of its teacher in every whole reply has taken them over."""
    student = side("student", TEACHER, N)
    some = replace(whole, student=changed(student, range(10), lambda t: t.rsplit(" ", 4)[0]))
    found = estimates(STYLE, some)
    assert value(found, "closings") == pytest.approx(1, abs=0.02)
    assert value(found, "edges") == pytest.approx(1, abs=0.05)
    uncut = replace(
        whole, student=changed(student, range(10), lambda t: t.rsplit(" ", 4)[0], "eos")
    )
    assert value(estimates(STYLE, uncut), "closings") < 0.95, "said to be complete, it closes so"


@pytest.mark.parametrize("role", ROLES)
def test_above_one_in_five_nothing_is_said_of_endings(whole: Sides, role: str) -> None:
    few, many = N // 5, N // 5 + 1
    assert number(estimates(STYLE, cut(whole, role, few)), "closings").n == N - few
    some = cut(whole, role, many)
    style, length = estimates(STYLE, some), estimates(LENGTH, some)
    reason = f"{many} of {N} answers of {getattr(whole, role).model} are cut off before their end"
    for found, part in ((style, "closings"), (length, ""), (length, "rhythm")):
        assert str(found[part, ""]).startswith(reason)
    numbers = {p for p in ("", "words", "format", "edges") if isinstance(style[p, ""], Estimate)}
    assert numbers == {"", "words", "format", "edges"}


def test_a_cut_reply_of_an_unrelated_model_closes_as_the_others_do(whole: Sides) -> None:
    first, *rest = whole.controls
    some = replace(whole, controls=(changed(first, range(0, N, 2), first_words(20)), *rest))
    crowd = ground([some.panel(STYLE.looks_at)], STYLE.shortest).crowd
    closings = np.array([p[:, CLOSINGS] for p in crowd.points])
    order = np.argsort([p.id for p in first.requests.prompts])  # prompts are sorted by their ids
    is_cut = order % 2 == 0
    assert closings[0][is_cut] == pytest.approx(closings[1:, is_cut].mean(axis=0))
    assert np.abs(closings[0][~is_cut] - closings[1:, ~is_cut].mean(axis=0)).max() > 0.5


def test_replies_cut_to_half_their_length_move_the_style_by_little(whole: Sides) -> None:
    def half(text: str) -> str:
        return text[: len(text) // 2]

    everyone = range(N)
    before = value(estimates(STYLE, whole), "")
    after = estimates(
        STYLE, replace(whole, student=changed(whole.student, everyone, half, "unknown"))
    )
    assert abs(value(after, "") - before) <= 0.2
    assert str(after["closings", ""]).endswith("nothing is said of lengths and endings")
    assert "before their end (guessed from how they end): above" in str(after["closings", ""])


ENDINGS: tuple[Ending, ...] = ("looks cut", "cut", "complete")


@pytest.mark.parametrize(
    ("n_guessed", "told"),
    [
        (0, "before their end: above"),
        (9, "before their end (guessed from how they end): above"),
        (2, "before their end (2 guessed from how they end): above"),
    ],
)
def test_a_guess_is_called_one(n_guessed: int, told: str) -> None:
    guess, fact, whole = (Reply("x", "", "x", "unknown", end) for end in ENDINGS)
    given = (*[guess] * n_guessed, *[fact] * (9 - n_guessed), whole)
    assert told in cut_off([Texts(tuple(map(str, range(10))), given)])


OTHERS: dict[str, tuple[AbstractMetric, set[str], set[str]]] = {
    "style_profile": (
        StyleProfile("style_profile", "style_profile"),
        {"words", "gap/words", "gap/teacher_closings", "paragraphs", "ends_with_a_question"},
        {"commas", "gap/teacher_openings", "word_length"},
    ),
    "style_ladder": (
        StyleLadder("style_ladder", "style_ladder"),
        {"length"},
        {"as_is", "told_apart/as_is"},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_measures_of_endings_have_the_same_reason(name: str) -> None:
    measure, gone, there = OTHERS[name]
    before = estimates(measure, talk_sides())
    after = estimates(measure, cut(talk_sides(), "student", 20, lambda t: t))
    assert all(isinstance(before[p, ""], Estimate) for p in there | gone - {"gap/teacher_closings"})
    assert all("20 of 60 answers of student are cut" in str(after[p, ""]) for p in gone)
    assert all(isinstance(after[p, ""], Estimate) for p in there)


def test_a_model_that_writes_no_full_stops_keeps_its_lengths() -> None:
    texts = ["It rains and then it is all over the town and the sea"] * N
    silent = changed(text_side("m", texts), range(N), lambda t: t, "unknown")
    ended = [r.ending for r in replies(silent).values()]
    assert ended == ["no full stop"] * N
    without = changed(
        sides(side("s", TEACHER, N), N).student, range(N), lambda _: texts[0], "unknown"
    )
    given = estimates(LENGTH, replace(sides(side("s", TEACHER, N), N), student=without))
    assert number(given, "").n == N


def test_replies_without_full_stops_are_cut_where_others_of_the_model_break_off() -> None:
    ends = ("the", "the town", "the town and the sea")
    texts = [f"It rains and then it is all over {end}" for end in ends * 5]
    silent = changed(text_side("m", texts), range(15), lambda t: t, "unknown")
    assert {r.ending for r in replies(silent).values()} == {"looks cut"}


def test_truncation_is_a_share_and_says_what_is_a_guess() -> None:
    texts = ["It rains."] * 6 + ["It rains and then it is all that they have for the"] * 4
    one = text_side("m", texts * 2)
    stops = ("length", *("unknown",) * 19)
    sides_of_it = Sides("talk", replace(one, outputs=replace(one.outputs, stop=stops)))
    found = estimates(Truncation("truncation", "truncation"), sides_of_it)
    assert (value(found, ""), value(found, "guessed")) == (9 / 20, 8 / 20)


# --- recorded replies of real models ------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Callable[[str], Side]:
    import pandas as pd

    table = pd.read_parquet(shared_data / "alpaca_eval" / "responses.parquet")
    wide = table.pivot_table(index="prompt", columns="model", values="response", aggfunc="first")
    prompts = tuple(Prompt(f"{i:04d}", str(p), f"{i:04d}", "") for i, p in enumerate(wide.index))
    requests = tuple(Request(i, "generate", p.text) for i, p in enumerate(prompts))
    asked = RequestSet("alpaca_eval", prompts, requests, False, "1", ("text", "style"))

    def one(model: str) -> Side:
        texts = tuple(t if isinstance(t, str) else None for t in wide[model])
        blank, there = blank_outputs(len(texts), "generate"), tuple(t is not None for t in texts)
        outputs = replace(blank, text=texts, stop=("unknown",) * len(texts), answered=there)
        return Side(model, model, asked, outputs, None, (model,))

    return one


CUTS: dict[str, Change] = {
    "at 40 words": first_words(40),
    "at half": lambda t: " ".join(t.split(" ")[: (len(t.split(" ")) + 1) // 2]),
}


@pytest.mark.slow
@pytest.mark.parametrize("where", CUTS)
@pytest.mark.parametrize("student", ["baize-v2-7b", "recycled-wizardlm-7b-v1.0"])
def test_real_replies_that_are_cut_move_the_style_by_little(
    recorded: Callable[[str], Side], student: str, where: str
) -> None:
    pair = recorded("gpt-3.5-turbo-0301"), recorded("guanaco-7b")
    trio = Sides("alpaca_eval", recorded(student), *pair)
    every = [i for i, t in enumerate(trio.student.outputs.text) if t is not None]
    short = replace(trio, student=changed(trio.student, every, CUTS[where], None))
    before, after = estimates(STYLE, trio), estimates(STYLE, short)
    assert abs(value(before, "") - value(after, "")) <= 0.2
    assert "are cut off before their end" in str(after["closings", ""])
    assert "are cut off before their end" in str(estimates(LENGTH, short)["", ""])
    assert np.isfinite(value(estimates(LENGTH, trio), ""))


def test_the_unrelated_models_way_leaves_closings_where_the_gap_does() -> None:
    rng = np.random.default_rng(0)
    gap, centre = rng.normal(size=(2, 6, WIDTH)).astype(np.float32)
    prompts = Prompts(tuple(Prompt(str(i), "x", str(i), "") for i in range(6)))
    axis = Axis(prompts, np.ones(WIDTH, np.float32), gap, centre)
    every, other = tuple(range(6)), centre.copy()
    frame = Frame(axis.span(every), (0, 1, 2))
    other[3:, CLOSINGS] += 9
    moved = Frame(Axis(prompts, axis.roots, gap, other).span(every), (0, 1, 2))
    assert frame.centre is not None
    assert moved.centre is not None
    assert moved.centre.value == frame.centre.value
    bare, full = centre.copy(), gap.copy()
    for values in (bare, full):
        values[:, CLOSINGS] = 0
        values[:3, CLOSINGS] = 2 * (centre if values is bare else gap)[:3, CLOSINGS]
    by_hand = sum(float(bare[i] @ full[j]) for i in range(6) for j in range(6) if i != j) / 30
    assert frame.centre.value == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("clusters", ["abcdef", "aabccd"])
@pytest.mark.parametrize("rows", [(0, 1, 2, 3, 4, 5), (0, 2, 3, 5)])
@pytest.mark.parametrize("whole", [(), (0, 2), (0, 1, 2, 3)])
def test_a_frame_is_made_from_its_prompts_alone(
    clusters: str, rows: tuple[int, ...], whole: tuple[int, ...]
) -> None:
    gap, centre = np.random.default_rng(0).normal(size=(2, 6, WIDTH)).astype(np.float32)
    prompts = Prompts(tuple(Prompt(str(i), "x", c, "") for i, c in enumerate(clusters)))
    axis = Axis(prompts, np.ones(WIDTH, np.float32), gap, centre)
    Frame(axis.span(rows), tuple(range(len(rows)))).whole  # noqa: B018 - another student's
    frame = Frame(axis.span(rows), whole)
    share = np.zeros((len(rows), 1))
    share[list(whole)] = len(rows) / max(len(whole), 1)
    codes = np.unique([clusters[i] for i in rows], return_inverse=True)[1]
    ways = [x[list(rows)].astype(np.float64) for x in (gap, centre)]
    for way in ways:
        way[:, CLOSINGS] *= share
    toward, away = (np.array([w[codes == k].sum(axis=0) for k in np.unique(codes)]) for w in ways)
    assert frame.centre is not None
    for made, one in ((frame.whole, toward), (frame.centre, away)):
        table = (one @ toward.T + toward @ one.T) / 2
        np.fill_diagonal(table, 0)
        assert made.kernel is not None
        np.testing.assert_allclose(made.kernel, table, rtol=1e-4, atol=1e-2)
        assert made.value == pytest.approx(table.sum() / (len(table) * (len(table) - 1)), rel=1e-3)


def test_everything_is_whole_without_cuts(whole: Sides) -> None:
    assert number(estimates(STYLE, whole), "closings").n == N
    assert number(estimates(LENGTH, sides(side("s", TEACHER, N), N)), "").n == N


@pytest.mark.parametrize(("n", "closings"), [(N // 5, True), (N // 5 + 1, False)])
def test_closings_of_cut_replies_are_no_phrases(n: int, closings: bool) -> None:
    phrases = PhrasesTaken("phrases", "phrases")
    some = cut(sides(side("student", TEACHER, N), N), "student", n, lambda t: t)
    assert any(part.startswith("closing: ") for part, _ in estimates(phrases, some)) is closings
