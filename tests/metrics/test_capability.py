"""Task score, retention, gap recovered and the capability headline: by hand and from published tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.capability_transfer import CapabilityTransfer, combined_ratio
from harness.metrics.gap_recovered import GapRecovered, gap_recovered
from harness.metrics.retention import Retention, retention
from harness.metrics.task_score import TaskScore
from harness.panel.side import Side
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import graded_text_side, talk_sides, text_side
from harness.types import Finding, Floats, Given, GradeColumn, Grades, Unavailable

RNG = np.random.default_rng(0)
GAP = GapRecovered("gap_recovered", "gap_recovered")
HEADLINE = CapabilityTransfer("capability_transfer", "capability_transfer")


def estimate(found: Finding) -> Estimate:
    """The number that a found statistic comes to."""
    assert not isinstance(found.statistic, str), found.statistic
    return evaluate(found.statistic, RNG)


def share(right: int, n: int = 100) -> Floats:
    """Grades of a model that is right on the first so many prompts."""
    return (np.arange(n) < right).astype(np.float64)


def short_sides(student: Floats, teacher: Floats, base: Floats, task: str = "short") -> Sides:
    """Three models with one graded column."""
    made = [
        graded_text_side(m, {"exact_match": v}, task)
        for m, v in zip("stb", (student, teacher, base), strict=True)
    ]
    return Sides(task, made[0], made[1], made[2])


def grouped(model: str, first: Floats, second: Floats) -> Side:
    """A group of two leaves, with lm-eval's aggregate of the group before its leaves."""
    n = len(first) + len(second)
    side = text_side(model, ["x"] * n, "group")
    leaf = ["one"] * len(first) + ["two"] * len(second)
    requests = tuple(replace(r, leaf=x) for r, x in zip(side.requests.requests, leaf, strict=True))
    rows = np.arange(n)
    columns = (
        GradeColumn(
            "group",
            "acc",
            "none",
            "higher",
            np.empty(0, np.int64),
            np.empty(0),
            0.5,
            "mean of means",
        ),
        GradeColumn("one", "acc", "none", "higher", rows[: len(first)], first, float(first.mean())),
        GradeColumn(
            "two", "acc", "none", "higher", rows[len(first) :], second, float(second.mean())
        ),
    )
    asked = replace(side.requests, requests=requests, yields=("grades",))
    return replace(side, requests=asked, grades=Grades(columns))


# Gudibande et al. 2023, Table 1, Natural Questions: base 17, teacher 31.
@pytest.mark.parametrize(("student", "expected"), [(10, -0.5), (22, 5 / 14)])
def test_gap_recovered_of_published_scores(student: int, expected: float) -> None:
    assert gap_recovered(share(student), share(31), share(17)) == pytest.approx(expected, abs=1e-12)
    value = 10 * student / 1000
    found = findings(
        GAP, [short_sides(share(10 * student, 1000), share(310, 1000), share(170, 1000))], RNG
    )[0]
    assert estimate(found).value == pytest.approx((value - 0.17) / 0.14, abs=1e-12)
    assert estimate(found).value == pytest.approx(expected, abs=1e-12)


def test_a_gap_within_noise_is_a_reason_with_both_differences() -> None:
    rng = np.random.default_rng(3)
    models = (rng.random((3, 100)) < 0.5).astype(np.float64)
    found, *_ = findings(GAP, [short_sides(models[0], models[1], models[2])], RNG)
    with pytest.raises(Unavailable, match="gap within noise"):
        estimate(found)


def test_the_unit_says_what_the_base_is() -> None:
    sides = short_sides(share(60), share(80), share(20))
    assert findings(GAP, [sides], RNG)[0].unit == "gap recovered"
    assert findings(GAP, [replace(sides, base_kind="sibling")], RNG)[0].unit == "gap transferred"
    assert (
        findings(HEADLINE, [replace(sides, base_kind="sibling")], RNG)[0].unit == "gap transferred"
    )


def test_retention_by_hand() -> None:
    assert retention(share(30), share(60)) == 0.5
    (found,) = findings(
        Retention("retention", "retention"), [short_sides(share(30), share(60), share(0))], RNG
    )
    got = estimate(found)
    assert got.value == pytest.approx(0.5, abs=1e-12)
    assert got.low is not None
    assert got.high is not None
    assert got.low < 0.5 < got.high


def test_the_headline_is_the_ratio_of_sums_over_tasks() -> None:
    one = short_sides(share(50), share(90), share(10), "one")  # .4 of .8
    two = short_sides(share(30, 200), share(60, 200), share(20, 200), "two")  # .05 of .2
    (found,) = findings(HEADLINE, [one, two], RNG)
    assert estimate(found).value == pytest.approx(0.45 / 1.0, abs=1e-12)
    assert combined_ratio(
        np.array([0.5, 0.15]), np.array([0.9, 0.3]), np.array([0.1, 0.1])
    ) == pytest.approx(0.45)
    assert estimate(findings(HEADLINE, [two, one], RNG)[0]) == estimate(found)


def test_a_task_on_which_the_student_lost_stays_in_the_headline() -> None:
    one = short_sides(share(90), share(90), share(10), "one")
    lost = short_sides(share(0), share(60), share(40), "two")
    (found,) = findings(HEADLINE, [one, lost], RNG)
    assert estimate(found).value == pytest.approx((0.8 - 0.4) / (0.8 + 0.2), abs=1e-12)


def test_a_side_without_grades_is_named() -> None:
    one, two = (short_sides(share(50), share(90), share(10), task) for task in ("one", "two"))
    assert two.teacher is not None
    missing = replace(two, teacher=replace(two.teacher, grades=None))
    with pytest.raises(Unavailable, match="t has no grades of two"):
        findings(HEADLINE, [one, missing], RNG)
    with pytest.raises(Unavailable, match="this pair names no base"):
        findings(HEADLINE, [one, replace(two, base=None)], RNG)


def test_no_graded_task_is_a_reason_and_open_tasks_are_passed_over() -> None:
    with pytest.raises(Unavailable, match="no graded task in this matrix"):
        findings(HEADLINE, [talk_sides()], RNG)
    both = findings(HEADLINE, [talk_sides(), short_sides(share(50), share(90), share(10))], RNG)
    assert estimate(both[0]).value == pytest.approx(0.5, abs=1e-12)


def test_a_perplexity_is_left_out_of_the_headline_with_a_reason() -> None:
    made = {m: graded_text_side(m, {"word_perplexity": np.full(50, 9.0)}, "prose") for m in "stb"}
    prose = Sides("prose", made["s"], made["t"], made["b"])
    main, apart = findings(HEADLINE, [prose, short_sides(share(50), share(90), share(10))], RNG)
    assert estimate(main).value == pytest.approx(0.5, abs=1e-12)
    assert apart.name == "prose"
    assert isinstance(apart.statistic, str)
    assert apart.statistic.startswith(
        "not in the headline: no grade that is a share between 0 and 1"
    )
    with pytest.raises(Unavailable, match="no graded task in this matrix whose grade"):
        findings(HEADLINE, [prose], RNG)


def test_values_outside_0_to_1_are_refused() -> None:
    (found,) = findings(GAP, [short_sides(100 * share(50), 100 * share(90), share(10))], RNG)
    assert isinstance(found.statistic, str)
    assert "values outside 0 to 1" in found.statistic


def test_the_first_preferred_column_stands_for_the_task() -> None:
    columns = {
        "acc_norm": share(70),
        "exact_match,flexible-extract": share(60),
        "exact_match,strict": share(40),
    }
    side = graded_text_side("s", columns)
    zero = graded_text_side("b", dict.fromkeys(columns, share(0)))
    full = graded_text_side("t", dict.fromkeys(columns, share(100)))
    sides = Sides("short", side, full, zero)
    assert estimate(findings(GAP, [sides], RNG)[0]).value == pytest.approx(0.6)
    for wanted, expected in (("acc_norm", 0.7), ("exact_match,strict", 0.4)):
        chosen = GapRecovered("gap_recovered", "gap_recovered", columns=(wanted, "exact_match"))
        assert estimate(findings(chosen, [sides], RNG)[0]).value == pytest.approx(expected)
    (found,) = findings(GapRecovered("g", "g", columns=("f1",)), [sides], RNG)
    assert isinstance(found.statistic, str)
    assert "acc_norm, exact_match,flexible-extract" in found.statistic


def test_a_group_is_pooled_over_prompts_and_its_leaves_are_shown() -> None:
    student = grouped("s", share(30), share(45, 50))
    teacher, base = grouped("t", share(60), share(50, 50)), grouped("b", share(10), share(25, 50))
    found = {
        f.leaf: estimate(f).value
        for f in findings(GAP, [Sides("group", student, teacher, base)], RNG)
    }
    assert found["one"] == pytest.approx(20 / 50)
    assert found["two"] == pytest.approx(20 / 25)
    assert found[""] == pytest.approx(40 / 75)


def test_task_score_has_one_number_for_every_column() -> None:
    columns = {"acc": share(40), "exact_match,strict-match": share(60)}
    found = findings(
        TaskScore("task_score", "task_score"), [Sides("short", graded_text_side("s", columns))], RNG
    )
    assert {f.name: estimate(f).value for f in found if "category" not in f.name} == {
        "acc": 0.4,
        "exact_match,strict-match": 0.6,
    }
    single, *_ = findings(
        TaskScore("t", "t"), [Sides("short", graded_text_side("s", {"acc": share(40)}))], RNG
    )
    assert single.name == ""


def test_task_score_of_a_group_keeps_lm_evals_aggregate_without_an_interval() -> None:
    found = findings(
        TaskScore("t", "t"), [Sides("group", grouped("s", share(30), share(45, 50)))], RNG
    )
    assert [f.leaf for f in found] == ["", "one", "two"]
    whole = found[0].statistic
    assert isinstance(whole, Given)
    assert (whole.value, whole.low, whole.high, whole.n, whole.note) == (
        0.5,
        None,
        None,
        150,
        "mean of means",
    )


def test_task_score_keeps_direction_and_reasons() -> None:
    side = graded_text_side("s", {"acc": share(40)})
    nothing = np.empty(0)
    columns = (
        GradeColumn(
            "", "word_perplexity", "none", "lower", nothing.astype(np.int64), nothing, 12.5, ""
        ),
        GradeColumn(
            "", "mcc", "none", "higher", nothing.astype(np.int64), nothing, None, "one class only"
        ),
    )
    found = findings(
        TaskScore("t", "t"), [Sides("short", replace(side, grades=Grades(columns)))], RNG
    )
    assert (found[0].better, found[0].unit) == ("lower", "word_perplexity")
    assert estimate(found[0]).value == 12.5
    assert found[1].statistic == "one class only"


def test_below_the_minimum_there_is_a_reason() -> None:
    sides = Sides("short", graded_text_side("s", {"acc": share(4, 10)}))
    (found,) = findings(TaskScore("t", "t"), [sides], RNG)
    assert found.statistic == "10 graded prompts; at least 20 are needed"
    (gap,) = findings(GAP, [short_sides(share(4, 10), share(8, 10), share(1, 10))], RNG)
    assert isinstance(gap.statistic, str)
    assert "at least 20" in gap.statistic


def categorised(model: str, right: Floats, kinds: list[str]) -> Side:
    """A model with one graded column on prompts of several kinds."""
    side = graded_text_side(model, {"exact_match": right}, "short")
    prompts = tuple(
        replace(p, category=kind) for p, kind in zip(side.requests.prompts, kinds, strict=True)
    )
    return replace(side, requests=replace(side.requests, prompts=prompts))


def test_categories_have_scores_and_gaps_of_their_own() -> None:
    # 40 prompts of art, 40 of law, 5 without a category; base, student, teacher are right on 10, 20,
    # 30 of art and on 8, 8, 40 of law.
    kinds = ["art"] * 40 + ["law/order"] * 40 + [""] * 5
    right = {
        m: np.concatenate([share(art, 40), share(law, 40), np.ones(5)])
        for m, art, law in (("b", 10, 8), ("s", 20, 8), ("t", 30, 40))
    }
    student, teacher, base = (categorised(m, right[m], kinds) for m in "stb")
    sides = Sides("short", student, teacher, base)
    scores = {f.name: f for f in findings(TaskScore("t", "t"), [sides], RNG)}
    assert list(scores) == ["", "category/art", "category/law order", "category/other"]
    assert (estimate(scores["category/art"]).value, estimate(scores["category/art"]).n) == (0.5, 40)
    assert estimate(scores["category/law order"]).value == 0.2
    assert (
        scores["category/other"].statistic
        == "5 graded prompts of this category; at least 20 are needed"
    )
    gaps = {f.name: f for f in findings(GAP, [sides], RNG)}
    assert estimate(gaps["category/art"]).value == pytest.approx((20 - 10) / (30 - 10))
    assert estimate(gaps["category/law order"]).value == pytest.approx(0)
    assert gaps["category/other"].statistic == scores["category/other"].statistic


def test_one_category_or_small_ones_alone_are_no_categories() -> None:
    for kinds in (["art"] * 60, ["art"] * 50 + ["law"] * 10, [f"kind {i}" for i in range(60)]):
        side = categorised("s", share(30, 60), kinds)
        (only,) = findings(TaskScore("t", "t"), [Sides("short", side)], RNG)
        assert only.name == ""


def test_leaves_of_a_group_stand_for_its_categories() -> None:
    side = grouped("s", share(20, 40), share(30, 40))
    prompts = tuple(
        replace(p, category="one" if i < 40 else "two") for i, p in enumerate(side.requests.prompts)
    )
    side = replace(side, requests=replace(side.requests, prompts=prompts))
    said = findings(TaskScore("t", "t"), [Sides("group", side)], RNG)
    assert {f.name for f in said} == {""}
    assert {"one", "two"} <= {f.leaf for f in said}
