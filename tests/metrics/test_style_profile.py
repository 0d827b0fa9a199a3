"""Length and the style profile, and what all measures of style make of odd replies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import plugins
from harness.metrics import AbstractMetric
from harness.metrics.length import Length, length_gap
from harness.metrics.style_profile import StyleProfile
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import text_side
from harness.text.profile import AGAINST_TEACHER, UNITS
from harness.types import Finding, Ratio, Unavailable
from tests.metrics.styled import BASE, TEACHER, THIRD, side, sides, texts, with_texts

STYLE = ("length", "style_profile", "style_transfer", "style_classifier", "ngram_similarity")


def said(found: list[Finding]) -> dict[str, Estimate | str]:
    """Values and reasons by name."""
    entries: dict[str, Estimate | str] = {}
    for item in found:
        try:
            is_reason = isinstance(item.statistic, str)
            entries[item.name] = (
                str(item.statistic)
                if is_reason
                else evaluate(item.statistic, np.random.default_rng(0))  # type: ignore[arg-type]
            )
        except Unavailable as error:
            entries[item.name] = str(error)
    return entries


def value(entry: Estimate | str) -> float:
    """Its value; fails with the reason."""
    assert isinstance(entry, Estimate), entry
    return entry.value


def test_length_gap_by_hand() -> None:
    moved, gap = length_gap(
        np.array([9, 0]), [np.array([99, 9]), np.array([99, 0])], np.array([0, 9])
    )
    assert moved == pytest.approx(np.log([10, 0.1]))
    assert gap == pytest.approx([np.log(100), -np.log(10) / 2])


def test_length_of_a_model_alone_and_of_a_pair() -> None:
    metric, one = Length("length", "length"), sides(side("student", TEACHER))
    alone = said(findings(metric, [Sides("talk", one.student)], np.random.default_rng(0)))
    assert set(alone) == {"words"}
    assert value(alone["words"]) == pytest.approx(6 * 8 + 3 + 3)
    pair = said(findings(metric, [one], np.random.default_rng(0)))
    assert value(pair[""]) == pytest.approx(1)
    assert pair["words"] == alone["words"]
    assert "names no base" in str(
        said(findings(metric, [replace(one, base=None)], np.random.default_rng(0)))[""]
    )


def test_profile_of_a_model_alone_and_of_a_pair() -> None:
    metric, one = StyleProfile("style_profile", "style_profile"), sides(side("student", THIRD))
    alone = said(findings(metric, [Sides("talk", one.student)], np.random.default_rng(0)))
    assert set(alone) == set(UNITS)
    assert value(alone["headings"]) == 1
    assert value(alone["ends_with_a_question"]) == 1
    pair = said(findings(metric, [one], np.random.default_rng(0)))
    assert set(pair) == {
        *UNITS,
        *AGAINST_TEACHER,
        *(f"gap/{k}" for k in (*UNITS, *AGAINST_TEACHER)),
    }
    assert value(pair["teacher_openings"]) == 0
    assert value(pair["gap/exclamation_marks"]) == pytest.approx(0, abs=0.05)
    same = said(
        findings(metric, [replace(one, student=side("again", TEACHER))], np.random.default_rng(0))
    )
    assert value(same["teacher_openings"]) == value(same["gap/teacher_closings"]) == 1
    assert "gap within noise" in str(same["gap/emoji"])


def test_features_that_replies_are_too_short_for_have_a_reason() -> None:
    one = sides(text_side("terse", ["Yes."] * 120))
    found = said(
        findings(StyleProfile("style_profile", "style_profile"), [one], np.random.default_rng(0))
    )
    assert "0 prompts on which all replies are whole and long enough" in str(
        found["distinct_words"]
    )
    assert value(found["words"]) == 1


ODD = {
    "empty": [""] * 60,
    "all equal": ["The same reply, always the same."] * 60,
    "no space": ["a" * 10_000] * 60,
    "Chinese": [f"你好，我是第{i}个回答。今天天气很好！\n\n1. 一\n2. 二" for i in range(60)],
    "Arabic": [f"مرحبا، هذا هو الجواب رقم {i}؟ نعم." for i in range(60)],
    "emoji": ["🎉👍🏽👨‍👩‍👧" * (i % 4 + 1) for i in range(60)],
    "only marks": ["...!?\n***"] * 60,
    "one word": ["Yes"] * 60,
    "lone surrogate": ["ab \ud800 cd ef."] * 60,
}


@pytest.mark.parametrize("name", STYLE)
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("role", ["student", "teacher", "base", "all"])
def test_odd_replies_give_a_number_or_a_reason(name: str, odd: str, role: str) -> None:
    metric = plugins.build("metrics", name, {"kind": name})
    assert isinstance(metric, AbstractMetric)
    usual = {
        "student": texts(THIRD, 60, "s"),
        "teacher": texts(TEACHER, 60, "t"),
        "base": texts(BASE, 60, "b"),
    }
    made = {k: ODD[odd] if role in (k, "all") else v for k, v in usual.items()}
    one = with_texts(
        sides(side("x", TEACHER, 60), 60), made["student"], made["teacher"], made["base"]
    )
    try:
        found = said(findings(metric, [one], np.random.default_rng(0)))
    except Unavailable as reason:
        found = {"": str(reason)}
    assert found
    assert all(np.isfinite(e.value) if isinstance(e, Estimate) else e for e in found.values())


@pytest.mark.parametrize("name", STYLE)
def test_one_prompt_is_a_reason(name: str) -> None:
    metric = plugins.build("metrics", name, {"kind": name})
    one = replace(sides(side("x", TEACHER, 1), 1), minimum=1)
    try:
        found = said(findings(metric, [one], np.random.default_rng(0)))
    except Unavailable as reason:
        found = {"": str(reason)}
    assert isinstance(found[""] if "" in found else found["gap/words"], str)


@pytest.mark.parametrize("name", STYLE)
def test_chinese_styles_are_told_apart(name: str) -> None:
    if name == "ngram_similarity":
        pytest.skip("n-grams have no gap without a second sample")
    metric = plugins.build("metrics", name, {"kind": name})
    rng = np.random.default_rng(4)
    plain = ["".join(rng.choice(list("天地人山水火木金土日月"), 20)) + "。" for _ in range(80)]
    fancy = [f"当然可以！\n- {x}\n- {y}呢？" for x, y in zip(plain, plain[::-1], strict=True)]
    student = [f"当然可以！\n- {x}\n- {x}呢？" for x in plain]
    found = said(
        findings(
            metric,
            [with_texts(sides(side("x", TEACHER, 80), 80), student, fancy, plain)],
            np.random.default_rng(0),
        )
    )
    assert value(found["gap/words"] if name == "style_profile" else found[""]) == pytest.approx(
        1, abs=0.15
    )


def test_rhythm_is_the_way_to_the_teachers_and_length_is_not_in_it() -> None:
    """Sentences of eight words (teacher) and four (base), six to a paragraph; students write two paragraphs."""

    def written_with(words: int, paragraphs: int, seed: int) -> list[str]:
        rng = np.random.default_rng(seed)

        def paragraph() -> str:
            sizes = words + rng.integers(-1, 2, size=6)
            return " ".join(" ".join(["word"] * int(n)) + "." for n in sizes)

        return ["\n\n".join(paragraph() for _ in range(paragraphs)) for _ in range(60)]

    teacher, base = (text_side(m, written_with(w, 1, w)) for m, w in (("t", 8), ("b", 4)))
    read = {}
    for words in (8, 4, 16):
        student = text_side("s", written_with(words, 2, words + 1))
        found = findings(Length("length", "length"), [Sides("talk", student, teacher, base)])
        statistics = {f.name: f.statistic for f in found}
        assert isinstance(statistics["rhythm"], Ratio)
        read[words] = evaluate(statistics["rhythm"], np.random.default_rng(0))
    assert read[8].value == pytest.approx(1, abs=0.05)
    assert read[4].value == pytest.approx(0, abs=0.05)
    assert read[16].low is not None
    assert read[16].low > 1
