"""The headline of style: what it says of models whose style is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.style_transfer import Gap, StyleTransfer, combined, distances
from harness.panel.texts import align_texts
from harness.stats.intervals import Estimate, evaluate
from harness.stats.resample import blocks
from harness.testing.panels import Sides, findings
from harness.testing.sides import text_side
from harness.text.families import FAMILIES, differences
from harness.types import Floats, Ratio, Unavailable
from tests.metrics.styled import BASE, TEACHER, THIRD, Way, side, sides, texts

METRIC = StyleTransfer("style_transfer", "style_transfer")


def values(*tasks: Sides) -> dict[str, Estimate]:
    """The headline and its parts."""
    found = findings(METRIC, tasks, np.random.default_rng(0))
    estimates = {}
    for item in found:
        assert not isinstance(item.statistic, str)
        estimates[item.name] = evaluate(item.statistic, np.random.default_rng(0))
    return estimates


def test_distances_by_hand() -> None:
    block = np.arange(40) % 5
    assert distances(np.tile([3.0, -4.0], (40, 1)), block) == pytest.approx(np.full(40, 5.0))
    assert not distances(np.zeros((40, 3)), block).any()


def test_a_prompts_value_is_its_influence_on_the_length() -> None:
    rng = np.random.default_rng(2)
    delta, block = rng.normal([2.0, 0, 0, 1.0], 1, size=(60, 4)), np.arange(60) % 6
    odd = block % 2 == 1

    def length(weights: Floats) -> float:
        first, second = (np.average(delta[h], axis=0, weights=weights[h]) for h in (odd, ~odd))
        return float(
            (first @ second / np.linalg.norm(second) + first @ second / np.linalg.norm(first)) / 2
        )

    found = distances(delta, block)
    assert found.mean() == pytest.approx(length(np.ones(60)), rel=1e-12)
    norms = [np.linalg.norm(delta[h].mean(axis=0)) for h in (odd, ~odd)]
    # in the other half turning counts for less
    for i in np.flatnonzero(odd if norms[0] > norms[1] else ~odd):
        step = np.where(np.arange(60) == i, 1e-6, 0.0)
        slope = 60 * (length(1 + step) - length(1 - step)) / 2e-6
        assert found[i] - found.mean() == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_distance_of_two_samples_of_one_model_is_zero_on_average() -> None:
    rng = np.random.default_rng(1)
    means = [distances(rng.normal(size=(200, 30)), np.arange(200) % 20).mean() for _ in range(100)]
    assert abs(np.mean(means)) < 3 * np.std(means) / 10
    assert np.std(means) < 0.15


def test_combined_weighs_by_the_deviation_but_not_without_bound() -> None:
    spread, constant, nothing = np.array([0.0, 2.0]), np.array([3.0, 3.0]), np.zeros(2)
    gap = combined([Gap(spread, spread), Gap(constant, constant), Gap(nothing, nothing)])
    assert gap.denominator == pytest.approx(spread / np.sqrt(2) + 1)
    with pytest.raises(Unavailable, match="write alike"):
        combined([Gap(nothing, nothing)])


@pytest.mark.parametrize(
    ("way", "low", "high"),
    [(TEACHER, 0.9, 1.1), (BASE, -0.1, 0.1), (THIRD, -0.25, 0.15)],
    ids=["teacher", "base", "third"],
)
def test_a_student_that_writes_like(way: Way, low: float, high: float) -> None:
    student = side("another", way)
    found = values(sides(student))
    assert low < found[""].value < high
    assert found["short_replies"].value == 0
    kinds = {"category/explain", "category/list"}
    assert {"", *FAMILIES, *kinds, "short_replies"} == set(found)


@pytest.mark.parametrize("family", ["format", "words", "openings_closings"])
def test_a_third_style_is_no_nearer_in_any_family(family: str) -> None:
    assert values(sides(side("another", THIRD)))[family].value == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_taking_over_a_share_of_the_replies_scores_that_share(share: float) -> None:
    found = values(sides(side("mixed", BASE, instead=TEACHER, share=share)))
    assert found[""].value == pytest.approx(share, abs=0.12)


def test_itself_is_exactly_one_and_the_base_exactly_zero() -> None:
    one = sides(side("x", THIRD))
    assert one.teacher
    assert one.base
    assert values(replace(one, student=one.teacher))[""].value == pytest.approx(1, abs=1e-12)
    assert values(replace(one, student=one.base))[""].value == pytest.approx(0, abs=1e-12)


def test_a_teacher_of_many_forms_against_a_base_of_one() -> None:
    # Here two samples of the teacher are less like each other, reply by reply, than teacher and
    # base are.
    varied, plain = (
        side(m, BASE, 400, TEACHER, share) for m, share in (("varied", 0.4), ("plain", 0.0))
    )
    one = Sides("talk", side("student", BASE, 400, TEACHER, 0.4), varied, plain)
    assert values(one)[""].value == pytest.approx(1, abs=0.2)
    assert values(replace(one, student=side("overdone", TEACHER, 400)))[""].value < 0


def test_length_alone_does_not_move_the_other_families() -> None:
    longer = replace(BASE, per_sentence=8)
    found = values(sides(side("longer", longer)))
    assert found["length_rhythm"].value > 0.6
    assert abs(found["format"].value) < 0.1
    assert abs(found["openings_closings"].value) < 0.1


def test_short_replies_count_as_the_base() -> None:
    n = 120
    silent = text_side("silent", [""] * n)
    found = values(sides(silent))
    assert found[""].value == 0
    assert found["short_replies"].value == 1
    half = [t if i % 2 else "Ok." for i, t in enumerate(texts(TEACHER, n, "half"))]
    found = values(sides(text_side("half", half)))
    assert found[""].value == pytest.approx(0.5, abs=0.1)
    assert found["short_replies"].value == 0.5


def test_prompts_with_short_replies_of_the_teacher_are_dropped() -> None:
    taught = [t if i >= 30 else "No." for i, t in enumerate(texts(TEACHER, 120, "t"))]
    one = replace(sides(side("student", TEACHER)), teacher=text_side("teacher", taught))
    assert values(one)[""].n == 90
    with pytest.raises(Unavailable, match="3 words or more"):
        findings(
            METRIC,
            [replace(one, teacher=text_side("teacher", ["No."] * 120))],
            np.random.default_rng(0),
        )


def test_a_second_sample_narrows_and_another_version_is_not_used() -> None:
    one = sides(side("mixed", BASE, instead=TEACHER, share=0.5))
    second = replace(one, ceiling=side("teacher again", TEACHER))
    other = replace(one, ceiling=side("other version", THIRD), ceiling_kind="other_version")
    assert values(second)[""].value == pytest.approx(values(one)[""].value, abs=0.05)
    assert values(other)[""] == values(one)[""]


def test_tasks_are_summed_in_any_order() -> None:
    first = sides(side("mixed", BASE, instead=TEACHER, share=0.5))
    whole = text_side("teacher", texts(TEACHER, 60, "t"), "more")
    second = Sides("more", whole, whole, text_side("base", texts(BASE, 60, "b"), "more"))
    found = values(first, second)
    assert found[""] == values(second, first)[""]
    assert found[""].n == 180
    assert values(first)[""].value < found[""].value < 1


def with_kinds(one: Sides, kinds: Sequence[str]) -> Sides:
    """The same replies to prompts of other categories."""
    asked = one.student.requests
    prompts = tuple(replace(p, category=k) for p, k in zip(asked.prompts, kinds, strict=True))
    return replace(one, student=replace(one.student, requests=replace(asked, prompts=prompts)))


def kinds_of(*tasks: Sides) -> dict[str, Ratio | str]:
    """What is found of every category: its name without the part's."""
    return {
        f.name.removeprefix("category/"): f.statistic
        for f in findings(METRIC, tasks, np.random.default_rng(0))
        if f.name.startswith("category/") and isinstance(f.statistic, (Ratio, str))
    }


def test_style_that_came_across_for_one_kind_of_prompt() -> None:
    teacher, base = texts(TEACHER, 120, "teacher"), texts(BASE, 120, "base")
    mixed = [t if i % 2 else b for i, (t, b) in enumerate(zip(teacher, base, strict=True))]
    found = values(sides(text_side("mixed", mixed)))
    assert found["category/list"].value > 0.9
    assert abs(found["category/explain"].value) < 0.25
    assert 0.3 < found[""].value < 0.8
    assert found["category/list"].n == found["category/explain"].n == 60


def test_a_category_is_the_headline_of_its_prompts_in_the_spaces_of_all() -> None:
    said = [t if i % 3 else "Ok." for i, t in enumerate(texts(THIRD, 120, "student"))]
    one = sides(text_side("student", said))
    assert one.teacher
    assert one.base
    aligned = align_texts(one.panel())
    student, base, teacher = (aligned[r].reading for r in ("student", "base", "teacher"))
    at = np.flatnonzero([p.category == "list" for p in aligned.prompts])
    ids, clusters = (tuple(names[i] for i in at) for names in (aligned.ids, aligned.clusters))
    long, block = student.n_words[at] >= 3, blocks(clusters, 20, 0)
    gaps = []
    for family in FAMILIES:
        near, far = (
            differences(family, x, [teacher], np.arange(len(aligned.prompts)))[at]
            for x in (student, base)
        )
        moved = distances(far, block)
        closer = np.zeros(len(at))
        closer[long] = moved[long] - distances(near[long], block[long])
        gaps.append(Gap(closer, moved))
    found, expected = kinds_of(one)["list"], combined(gaps)
    assert isinstance(found, Ratio)
    (stratum,) = found.strata
    assert (stratum.prompts, stratum.clusters) == (ids, clusters)
    np.testing.assert_array_equal(stratum.numerator, expected.numerator)
    np.testing.assert_array_equal(stratum.denominator, expected.denominator)


@pytest.mark.parametrize(
    "kinds",
    [[""] * 60, ["a"] * 60, ["a"] * 41 + ["b"] * 19, ["a"] * 20 + [f"b{i}" for i in range(40)]],
    ids=["none", "one", "one and a few", "one and many small"],
)
def test_no_breakdown_without_two_categories_of_enough_prompts(kinds: list[str]) -> None:
    assert kinds_of(with_kinds(sides(side("student", TEACHER, 60), 60), kinds)) == {}


def test_small_categories_beside_two_of_enough_prompts_have_a_reason() -> None:
    kinds = ["a/b + c"] * 20 + [""] * 20 + ["few"] * 19
    found = kinds_of(with_kinds(sides(side("student", TEACHER, 59), 59), kinds))
    assert list(found) == ["a b c", "few", "other"]
    assert found["few"] == "19 prompts of this kind; at least 20 are needed"
    assert isinstance(found["a b c"], Ratio)
    assert isinstance(found["other"], Ratio)


def test_a_category_in_which_teacher_and_base_write_alike_has_a_reason() -> None:
    teacher, base = texts(TEACHER, 80, "t"), texts(BASE, 80, "b")
    alike = [t if i % 2 else b for i, (t, b) in enumerate(zip(teacher, base, strict=True))]
    one = replace(sides(side("student", TEACHER, 80), 80), teacher=text_side("t", teacher))
    found = kinds_of(replace(one, base=text_side("b", alike)))
    assert "write alike" in str(found["list"])
    assert isinstance(found["explain"], Ratio)


def test_categories_are_summed_over_tasks_that_have_them() -> None:
    first = sides(side("mixed", BASE, instead=TEACHER, share=0.5))
    whole = text_side("teacher", texts(TEACHER, 60, "t"), "more")
    more = Sides("more", whole, whole, text_side("base", texts(BASE, 60, "b"), "more"))
    second = with_kinds(more, [("list", "write", "few")[min(i // 22, 2)] for i in range(60)])
    plain = with_kinds(replace(more, task="plain"), [""] * 60)
    found = kinds_of(first, second, plain)
    strata = {k: f if isinstance(f, str) else f.strata for k, f in found.items()}
    assert {k: len(s) for k, s in strata.items() if not isinstance(s, str)} == {
        "explain": 1,
        "list": 2,
        "write": 1,
    }
    assert strata["few"] == "16 prompts of this kind; at least 20 are needed"
    assert isinstance(found["list"], Ratio)
    assert evaluate(found["list"], np.random.default_rng(0)).n == 60 + 22


def test_no_gap_is_said() -> None:
    one = sides(side("student", TEACHER))
    with pytest.raises(Unavailable, match="write alike"):
        findings(METRIC, [replace(one, base=one.teacher)], np.random.default_rng(0))
    alike = replace(one, base=side("alike", TEACHER))
    statistic = findings(METRIC, [alike], np.random.default_rng(0))[0].statistic
    assert not isinstance(statistic, str)
    with pytest.raises(Unavailable, match="gap within noise"):
        evaluate(statistic, np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.4, 0.8])
def test_intervals_cover(share: float) -> None:
    hits, runs = 0, 40
    for seed in range(runs):
        made = [
            text_side(m, texts(BASE, 80, f"{m}{seed}", TEACHER, part))
            for m, part in (("s", share), ("t", 0.8), ("b", 0.0))
        ]
        estimate = values(Sides("talk", made[0], made[1], made[2]))[""]
        assert estimate.low is not None
        assert estimate.high is not None
        hits += estimate.low <= share / 0.8 <= estimate.high
    assert hits >= 33  # 95 % of 40 are 38, 90 % are 36
