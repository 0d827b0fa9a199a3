"""Where the style sits: the ladder and the phrases, on replies made for the purpose."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics import AbstractMetric
from harness.metrics.phrases import own_scores
from harness.plugins import build
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import talk_sides, text_side
from harness.text.ladder import commonest, masked, shuffle, skeleton
from harness.text.phrases import KINDS, phrases, spelled
from harness.text.segment import read
from harness.types import Unavailable
from harness.zoo.houses import A, B, House, P, reply
from harness.zoo.world import THINGS

MEASURES = ("style_ladder", "phrases")
Said = dict[tuple[str, str], Estimate | str]


def measured(kind: str, sides: Sides) -> Said:
    """Everything that a measure says, evaluated; a reason where it has no value."""
    metric = build("metrics", kind, {"kind": kind})
    assert isinstance(metric, AbstractMetric)
    said: Said = {}
    for found in findings(metric, [sides], np.random.default_rng(0)):
        try:
            said[found.name, found.leaf] = (
                found.statistic
                if isinstance(found.statistic, str)
                else evaluate(found.statistic, np.random.default_rng(0))
            )
        except Unavailable as error:
            said[found.name, found.leaf] = str(error)
    return said


def said_or_reason(kind: str, sides: Sides) -> Said:
    """What a measure says, or the one reason why it says nothing."""
    try:
        return measured(kind, sides)
    except Unavailable as error:
        return {("", ""): str(error)}


def value(said: Said, name: str, leaf: str = "") -> float:
    """The number of one part."""
    estimate = said[name, leaf]
    assert isinstance(estimate, Estimate), estimate
    return estimate.value


def houses(house: House, seed: int, n: int = 240) -> list[str]:
    """Replies of a house of the zoo to n prompts."""
    rng = random.Random(seed)
    return [reply(house, THINGS[i % len(THINGS)], rng) for i in range(n)]


def zoo(student: list[str]) -> Sides:
    """House A as teacher, the plain house as base."""
    n = len(student)
    teacher, base = text_side("teacher", houses(A, 1, n)), text_side("base", houses(P, 2, n))
    return Sides(
        "talk",
        text_side("student", student),
        teacher,
        base,
        ceiling=text_side("teacher", houses(A, 3, n)),
    )


def flat(text: str) -> str:
    """The words of a reply without its layout."""
    lines = [line.lstrip("-# ").strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines).replace("**", "")


def dressed(words: str, layout: str) -> str:
    """The words of one reply in the lines of another."""
    lines, pieces = [x for x in layout.splitlines()], words.split()
    step = max(1, len(pieces) // max(sum(1 for x in lines if x.strip()), 1))
    made = []
    for line in lines:
        mark = line[: len(line) - len(line.lstrip("-# "))]
        made.append(mark + " ".join(pieces[:step]) if line.strip() else "")
        pieces = pieces[step:] if line.strip() else pieces
    return "\n".join(made)


@pytest.mark.slow
def test_ladder_finds_layout_and_words_where_they_were_planted() -> None:
    of_a, of_p = houses(A, 5), houses(P, 6)
    words = measured("style_ladder", zoo([flat(t) for t in of_a]))
    assert value(words, "told_apart/as_is") > 0.85
    assert value(words, "told_apart/markdown") > 0.6
    assert value(words, "shuffled_words") == pytest.approx(1, abs=0.2)
    assert value(words, "letters_only") == pytest.approx(1, abs=0.2)
    layout = measured(
        "style_ladder", zoo([dressed(flat(p), a) for p, a in zip(of_p, of_a, strict=True)])
    )
    assert value(layout, "markdown") > 0.6
    assert value(layout, "shuffled_words") == pytest.approx(0, abs=0.2)
    assert value(layout, "markdown") > value(words, "markdown") + 0.3


def test_ladder_finds_order_alone() -> None:
    rng = random.Random(3)
    pool = [f"w{i}" for i in range(40)]

    def said(forward: bool) -> list[str]:
        made = []
        for _ in range(160):
            pairs = [rng.choice(pool[:20]) for _ in range(8)]
            made.append(" ".join(f"{w} and so" if forward else f"so and {w}" for w in pairs))
        return made

    sides = replace(
        zoo(said(True)),
        teacher=text_side("t", said(True)),
        base=text_side("b", said(False)),
        ceiling=None,
    )
    found = measured("style_ladder", sides)
    assert value(found, "told_apart/letters_only") > 0.95
    assert value(found, "told_apart/shuffled_words") < 0.65
    assert value(found, "letters_only") == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_ladder_of_the_teachers_house_is_1_and_of_a_third_house_about_a_half() -> None:
    found = measured("style_ladder", zoo(houses(B, 7)))
    # a style of its own lands anywhere on the line between the two
    assert 0.25 < value(found, "as_is") < 0.75
    assert value(measured("style_ladder", zoo(houses(A, 8))), "as_is") == pytest.approx(1, abs=0.15)


def test_length_is_shown_as_what_has_to_be_beaten() -> None:
    n = 120
    long = [" ".join(["word"] * (30 + i % 7)) for i in range(n)]
    short = [" ".join(["word"] * (8 + i % 7)) for i in range(n)]
    sides = replace(talk_sides(n), student=text_side("s", long[::-1]), teacher=text_side("t", long), ceiling=None,
                    base=text_side("b", short))  # fmt: skip
    found = measured("style_ladder", sides)
    assert value(found, "length") == pytest.approx(1, abs=0.05)
    assert value(found, "told_apart/length") > 0.99
    assert "gap within noise" in str(found["markdown", ""])


def test_shuffling_keeps_the_words_and_is_the_same_for_equal_replies() -> None:
    reading = read(
        ("one two three four five six seven", "one two", "", "one two three four five six seven")
    )
    order = shuffle(reading, ["a", "b", "c", "a"])
    assert sorted(order[:7]) == list(range(7))
    assert list(order[:7]) != list(range(7))
    assert (order[9:] - 9 == order[:7]).all()
    assert sorted(order[7:9]) == [7, 8]


def test_masking_keeps_the_commonest_words() -> None:
    reading = read(("a a b", "a b c"))
    known = commonest([reading], 2)
    assert [w == 0 for w in masked(reading.words, known)] == [False] * 3 + [False, False, True]


def test_skeleton_holds_no_words() -> None:
    assert skeleton("# Title\n\n- one **b** two\n1. three:\n`x` plain\n```") == [
        1,
        8,
        2,
        9,
        3,
        11,
        7,
        10,
        6,
    ]
    assert skeleton("# Other\n\n- four **c** five\n2. six:\n`y` words\n```") == skeleton(
        "# Title\n\n- one **b** two\n1. three:\n`x` plain\n```"
    )


def test_phrases_have_their_places_and_their_words() -> None:
    texts = ("Well, the cat sat.", "The cat")
    every = phrases(read(texts))
    names = {spelled(c, texts, read(texts)) for c in every.codes}
    assert {
        "opening: well the",
        "closing: cat sat",
        "phrase: cat sat",
        "phrase: the cat",
        "opening: the",
    } <= names
    assert not {"opening: cat", "closing: the", "phrase: sat the"} & names
    assert KINDS == ("opening", "closing", "phrase")


def test_phrases_scores_follow_monroe() -> None:
    y, z, n, m = 12.0, 3.0, 100.0, 200.0
    prior = 0.05 * n
    a = prior * (y + z + 0.5) / (n + m + 1)
    odds = np.log((y + a) / (n + prior - y - a)) - np.log((z + a) / (m + prior - z - a))
    found = own_scores(np.array([y]), np.array([z]), np.array([n]), np.array([m]))
    assert found[0] == pytest.approx(odds / np.sqrt(1 / (y + a) + 1 / (z + a)))


def test_phrases_finds_those_that_were_taken_and_those_that_were_not() -> None:
    n = 200
    teacher = [f"Gladly. word{i % 5} it goes, in a nutshell" for i in range(n)]
    student = [f"Gladly. word{i % 5} it goes, and so on" for i in range(n)]
    base = [f"Hm. word{i % 5} it goes, and so on" for i in range(n)]
    sides = Sides("talk", text_side("s", student), text_side("t", teacher), text_side("b", base))
    found = measured("phrases", sides)
    assert value(found, "opening: gladly") == 1
    assert value(found, "rate/base/opening: gladly") == 0
    closing = next(name for name, _ in found if name.startswith("closing:"))
    assert "nutshell" in closing
    assert value(found, closing) == 0
    assert 0.1 < value(found, "") < 0.9
    assert not any("," in name or "\n" in name for name, _ in found)


STRANGE = {
    "empty": [""] * 60,
    "equal": ["the same"] * 60,
    "long word": ["x" * 10_000] * 60,
    "Chinese": [f"你好，我是一个模型{i}。很高兴！" for i in range(60)],
    "Arabic": [f"مرحبا، أنا نموذج {i}. شكرا؟" for i in range(60)],
    "emoji": ["😀👍🏽" * (i % 5) for i in range(60)],
}


@pytest.mark.parametrize("kind", MEASURES)
@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("role", ["student", "teacher", "base", "all"])
def test_strange_replies_give_numbers_or_reasons(kind: str, name: str, role: str) -> None:
    side = text_side("odd", STRANGE[name])
    sides = talk_sides(60)
    roles = ("student", "teacher", "base") if role == "all" else (role,)
    sides = replace(sides, ceiling=None, **dict.fromkeys(roles, side))  # type: ignore[arg-type]
    said = said_or_reason(kind, sides)
    assert all(len(s) > 10 if isinstance(s, str) else np.isfinite(s.value) for s in said.values())


@pytest.mark.parametrize("kind", MEASURES)
def test_one_prompt_has_a_reason(kind: str) -> None:
    said = said_or_reason(kind, replace(talk_sides(1), minimum=1))
    assert all(isinstance(s, str) for s in said.values())
