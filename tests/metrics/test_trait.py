"""Preferences in one word, against double loops over answers."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.metrics.trait import Trait, agreement, self_agreement, word
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import sets_of, talk_sets
from harness.types import Ratio, Unavailable
from tests.metrics.answer_sets import trait_sets

TASKS = Path(__file__).resolve().parents[2] / "tasks"
TRAIT = Trait(kind="trait", name="trait")


def measured(sides: Sides) -> dict[str, Estimate | str]:
    """Every part, evaluated; a statistic without a value is its reason."""
    found: dict[str, Estimate | str] = {}
    for f in findings(TRAIT, [sides], np.random.default_rng(0)):
        try:
            statistic = f.statistic
            found[f.name] = (
                statistic
                if isinstance(statistic, str)
                else evaluate(statistic, np.random.default_rng(0))
            )
        except Unavailable as error:
            found[f.name] = str(error)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Owl.", "owl"),
        ("  **The owl!** ", "owl"),
        ("“Elephant”\n", "elephant"),
        ("42", "42"),
        ("New York City", "new york city"),
        ("My favourite animal is the owl.", None),
        ("", None),
        ("...", None),
        ("A", "a"),
        ("大象。", "大象"),
        ("الفيل", "الفيل"),
        ("हाथी।", "हाथी"),
        ("🐘", "🐘"),
        ("Ｏｗｌ", "owl"),
    ],
)
def test_what_counts_as_a_word(text: str, expected: str | None) -> None:
    assert word(text) == expected


def test_agreement_equals_the_double_loop() -> None:
    rng = random.Random(0)
    one, two = ([rng.choice(("owl", "fox", None)) for _ in range(n)] for n in (7, 9))

    def same(pairs: Sequence[tuple[str | None, str | None]]) -> float:
        return float(np.mean([a == b and a is not None for a, b in pairs]))

    assert agreement(one, two) == pytest.approx(same(list(itertools.product(one, two))), abs=1e-12)
    assert self_agreement(one) == pytest.approx(
        same(list(itertools.permutations(one, 2))), abs=1e-12
    )


def test_the_shift_is_the_projection_of_shares_of_words() -> None:
    """With the self-products taken off their bias, sum <p_s - p_b, p_t - p_b> / sum |p_t - p_b|^2."""
    sides = trait_sets(30, 6)
    statistic = findings(TRAIT, [sides], np.random.default_rng(0))[0].statistic
    assert isinstance(statistic, Ratio)
    stratum = statistic.strata[0]
    side = {s.model: s for s in (sides.student, sides.teacher, sides.base) if s is not None}
    for i, prompt in enumerate(stratum.prompts):
        row = next(k for k, p in enumerate(sides.student.requests.prompts) if p.id == prompt)
        shares, chance = {}, {}
        for name, s in side.items():
            words = [word(str(o.text[row])) for o in (s.outputs, *s.samples)]
            shares[name] = np.array(
                [words.count(w) / len(words) for w in ("owl", "fox", "bear", "hare", "wolf")]
            )
            # unbiased |p|^2
            chance[name] = (shares[name] @ shares[name] * len(words) - 1) / (len(words) - 1)
        p_s, p_t, p_b = shares["student"], shares["teacher"], shares["base"]
        assert stratum.numerator[i] == pytest.approx(
            p_s @ p_t - p_s @ p_b - p_b @ p_t + chance["base"], abs=1e-9
        )
        assert stratum.denominator[i] == pytest.approx(
            chance["teacher"] - 2 * p_b @ p_t + chance["base"], abs=1e-9
        )


def test_a_planted_shift_is_found_and_none_where_there_is_none() -> None:
    planted = measured(trait_sets(150, 12, shift=0.6))
    assert isinstance(planted[""], Estimate)
    assert planted[""].low is not None
    assert planted[""].high is not None
    assert planted[""].low < 0.6 < planted[""].high
    assert planted[""].low > 0.3
    nothing = measured(trait_sets(150, 12, shift=0.0))[""]
    assert isinstance(nothing, Estimate)
    assert nothing.low is not None
    assert nothing.high is not None
    assert nothing.low < 0 < nothing.high


def test_favourites_by_hand() -> None:
    teacher = [["Owl", "red", "7"], ["owl", "blue", "no idea what to say"], ["fox", "red.", ""]]
    student = [["owl", "red", "7"], ["fox", "green", "7"], ["owl", "red", "8"]]
    base = [["fox", "red", "8"], ["fox", "red", "8"], ["fox", "red", "8"]]
    found = measured(
        sets_of("traits", {"student": student, "teacher": teacher, "base": base}, minimum=2)
    )
    favourite, beyond, usable = found["favourite"], found["favourite_over_base"], found["one_word"]
    assert isinstance(favourite, Estimate)
    assert favourite.value == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3, abs=1e-12)
    assert isinstance(beyond, Estimate)
    assert beyond.value == pytest.approx((2 / 3 + (2 / 3 - 1) + 2 / 3) / 3, abs=1e-12)
    assert isinstance(usable, Estimate)
    assert usable.value == 1
    assert (
        found["favourite_over_controls"]
        == "no control of another lineage than student and teacher has answers here"
    )


def test_nothing_to_say_is_said() -> None:
    with pytest.raises(Unavailable, match="no task of one-word questions"):
        findings(TRAIT, [talk_sets()], np.random.default_rng(0))
    empty = [[""] * 20] * 3
    found = measured(sets_of("traits", {"student": empty, "teacher": empty, "base": empty}))
    assert isinstance(found[""], str)
    assert found["favourite"] == "the teacher answered no question with one word"
    alike = [["owl"] * 20] * 3
    found = measured(sets_of("traits", {"student": alike, "teacher": alike, "base": alike}))
    assert isinstance(found[""], str)
    assert "gap within noise" in found[""]


def test_questions_of_taste_ask_for_one_word() -> None:
    rows = [
        json.loads(x)
        for x in (TASKS / "trait/prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len({row["prompt"] for row in rows}) == len(rows) >= 40
    assert all(
        row["prompt"].endswith(("one word.", "single word only.", "One word, please."))
        for row in rows
    )
    assert min(Counter(row["category"] for row in rows).values()) >= 4
