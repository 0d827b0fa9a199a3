"""The headline of style: what it says of models whose style is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.style_transfer import StyleTransfer
from harness.panel.side import Side
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import text_side
from harness.text.families import FAMILIES
from harness.types import Ratio, Unavailable
from tests.metrics.styled import BASE, TEACHER, THIRD, Way, side, sides, texts

METRIC = StyleTransfer("style_transfer", "style_transfer")
KINDS = {"category/explain", "category/list"}
BESIDES = {"beyond_unrelated", "own_style", "angle", "unrelated", "short_replies"}
HABITS = ("perhaps so", "by and large", "to be fair", "in the main", "all told", "for my part")


def said(*tasks: Sides) -> dict[str, Estimate | str]:
    """The headline and its parts; a reason where there is no number."""
    made: dict[str, Estimate | str] = {}
    for item in findings(METRIC, tasks, np.random.default_rng(0)):
        try:
            statistic = item.statistic
            if isinstance(statistic, str):
                made[item.name] = statistic
            else:
                made[item.name] = evaluate(statistic, np.random.default_rng(0))
        except Unavailable as error:
            made[item.name] = str(error)
    return made


def values(*tasks: Sides) -> dict[str, Estimate]:
    """Those that have a number."""
    return {name: e for name, e in said(*tasks).items() if isinstance(e, Estimate)}


def crowd(n: int = 120, number: int = 5) -> tuple[Side, ...]:
    """Unrelated models, each with a style of its own, as far from teacher and base as these are from one another."""
    ways = [
        Way(f"So, {h}!", f"That was {h}.", tuple(h.split()), 6, 6 + k, ("", "> ", "* ")[k % 3])
        for k, h in enumerate(HABITS[:number])
    ]
    return tuple(replace(side(f"m{k}", w, n), lineage=f"lab{k}") for k, w in enumerate(ways))


def with_crowd(student: Side, n: int = 120, number: int = 5) -> Sides:
    """The student between teacher and base, with unrelated models."""
    return replace(sides(student, n), controls=crowd(n, number))


@pytest.mark.parametrize(("way", "truth"), [(TEACHER, 1.0), (BASE, 0.0)], ids=["teacher", "base"])
def test_a_student_that_writes_like(way: Way, truth: float) -> None:
    found = values(with_crowd(side("another", way)))
    assert found[""].value == pytest.approx(truth, abs=0.03)
    assert found["own_style"].value == pytest.approx(0, abs=0.03)
    assert found["short_replies"].value == 0
    parts = {"", *FAMILIES, "closings", *KINDS, *BESIDES}
    assert set(said(with_crowd(side("another", way)))) == parts


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_taking_over_a_share_of_the_replies_reads_as_that_share(share: float) -> None:
    student = side("mixed", BASE, instead=TEACHER, share=share)
    taken = np.mean([t.startswith("Certainly") for t in student.outputs.text if t])
    for one in (sides(student), with_crowd(student)):
        found = values(one)
        assert found[""].value == pytest.approx(taken, abs=0.03)
        assert found["own_style"].value == pytest.approx(0, abs=0.03)
        for family in FAMILIES:
            assert found[family].value == pytest.approx(taken, abs=0.06)


def overdone(times: int, n: int = 200) -> list[str]:
    """Replies of forty words with so many list items, on average; the base's have a fifth of one."""
    rng = np.random.default_rng(times)
    plain = [f"common{i}" for i in range(20)]
    made = []
    for _ in range(n):
        words = list(rng.choice(plain, 40))
        items = rng.poisson(times / 10)
        cut = np.array_split(words, items + 1)
        made.append("\n- ".join(" ".join(c) for c in cut))
    return made


def test_overdoing_a_habit_reads_above_one_and_the_more_the_higher() -> None:
    read = {}
    for times in (20, 40, 80):
        # not the very same replies
        habits = {"s": times + 1, "t": 20, "b": 2}
        student, teacher, base = (text_side(m, overdone(k)) for m, k in habits.items())
        read[times] = values(Sides("talk", student, teacher, base))[""]
    assert read[20].value == pytest.approx(1, abs=0.12)
    for times in (40, 80):
        low = read[times].low
        assert low is not None
        assert low > 1
    assert read[80].value > read[40].value


def test_a_third_style_is_not_beyond_unrelated_models_but_has_a_style_of_its_own() -> None:
    """Styles equally far apart: each of nine is the student in turn, the other eight are unrelated."""
    one = _world(9)
    read = [values(replace(one, student=c)) for c in one.controls]
    beyond = [r["beyond_unrelated"].value for r in read]
    assert np.mean(beyond) == pytest.approx(0, abs=0.05)
    assert min(r["own_style"].value for r in read) > 0.4
    assert all(0.3 < r[""].value < 0.7 for r in read)


def _world(number: int, n: int = 150) -> Sides:
    """Unrelated models of so many styles; the teacher and the base have two more."""

    def of(style: int, name: str) -> Side:
        rng = np.random.default_rng(style)
        liked, common = [f"w{style}x{i}" for i in range(6)], [f"c{i}" for i in range(20)]
        made = []
        for _ in range(n):
            words = rng.choice(common, 24).tolist()
            words[:2] = [liked[0], liked[int(rng.integers(1, 6))]]
            for at in rng.choice(range(4, 22), 4, replace=False):
                words[at] = str(rng.choice(liked))
            made.append(" ".join(words))
        return text_side(name, made, lineage=name)

    controls = tuple(of(k, f"lab{k}") for k in range(number))
    teacher, base = of(100, "t"), of(101, "b")
    return Sides("talk", controls[0], teacher, base, controls=controls)


def test_a_control_in_the_students_place_leaves_the_population() -> None:
    one = with_crowd(side("another", TEACHER))
    control = one.controls[2]
    alone = replace(one, student=control)
    found = values(alone)
    fewer = replace(one, student=replace(control, model="it", lineage="it"))
    fewer = replace(fewer, controls=tuple(c for c in one.controls if c != control))
    assert found[""].value == pytest.approx(values(fewer)[""].value, rel=1e-4)
    # the mean over all is made of what each reads in the student's place
    each = {c.lineage: values(replace(one, student=c))[""].value for c in one.controls}
    crowd_read = values(one)["unrelated"]
    assert crowd_read.value == pytest.approx(np.mean(list(each.values())), abs=1e-4)
    assert crowd_read.low == pytest.approx(
        crowd_read.value - np.std(list(each.values()), ddof=1), abs=1e-3
    )
    assert (crowd_read.n, crowd_read.level) == (5, "models")
    rest = [v for name, v in each.items() if name != control.lineage]
    assert found["unrelated"].value == pytest.approx(np.mean(rest), abs=1e-4)


def test_beyond_unrelated_is_the_way_from_their_mean() -> None:
    one = with_crowd(side("mixed", BASE, instead=TEACHER, share=0.5))
    found, base = values(one), values(replace(one, student=one.base or one.student))
    start = base["beyond_unrelated"].value
    # (r - rbar) / (1 - rbar), where the base's r is 0
    assert found["beyond_unrelated"].value == pytest.approx(
        start + found[""].value * (1 - start), abs=1e-4
    )
    assert base[""].value == 0


def test_siblings_weigh_as_one_lineage_and_relatives_are_left_out() -> None:
    one = with_crowd(side("another", TEACHER))
    twin = replace(one.controls[0], model="twin")
    found = values(replace(one, controls=(*one.controls, twin)))
    assert found["unrelated"].n == 5
    for relative in ("base", "teacher", "another"):
        theirs = replace(side("kin", THIRD), lineage=relative)
        more = values(replace(one, controls=(*one.controls, theirs)))
        assert {k: e.value for k, e in more.items()} == {k: e.value for k, e in values(one).items()}


def test_all_students_of_a_teacher_and_base_are_measured_in_one_metric() -> None:
    """A student that left out prompts, or whose siblings are no controls, reads in the same metric."""
    one = with_crowd(side("another", TEACHER))
    student = one.student
    rows = np.arange(100)
    fewer = replace(
        student,
        outputs=replace(
            student.outputs,
            text=(*(student.outputs.text[i] for i in rows), *(None,) * 20),
            answered=(*(True,) * 100, *(False,) * 20),
        ),
    )
    whole, part = values(one), values(replace(one, student=fewer))
    assert part[""].n == 100
    assert part[""].value == pytest.approx(whole[""].value, abs=0.03)
    assert part["unrelated"] == whole["unrelated"]


def test_below_four_lineages_there_is_a_way_but_nothing_of_unrelated_models() -> None:
    found = said(with_crowd(side("another", TEACHER), number=3))
    few = "3 lineages of controls that are unrelated to teacher, base and students"
    for part in ("beyond_unrelated", "unrelated"):
        assert str(found[part]) == f"{few}; at least 4 are needed"
    assert isinstance(found[""], Estimate)
    assert isinstance(found["angle"], Estimate)


def test_itself_is_exactly_one_and_the_base_exactly_zero() -> None:
    one = sides(side("x", THIRD))
    assert one.teacher
    assert one.base
    teacher = values(replace(one, student=one.teacher))
    assert teacher[""].value == pytest.approx(1, abs=1e-12)
    assert teacher["own_style"].value == pytest.approx(0, abs=1e-6)
    assert teacher["angle"].value == pytest.approx(1, abs=1e-6)
    base = said(replace(one, student=one.base))
    assert isinstance(base[""], Estimate)
    assert base[""].value == 0
    assert "no angle" in str(base["angle"])


def test_length_alone_does_not_move_it() -> None:
    longer = replace(BASE, sentences=12)
    assert abs(values(sides(side("longer", longer)))[""].value) < 0.1


def test_short_replies_count_as_the_base() -> None:
    n = 120
    silent = text_side("silent", [""] * n)
    found = values(sides(silent))
    assert found[""].value == 0
    assert found["short_replies"].value == 1
    half = [t if i % 2 else "Ok." for i, t in enumerate(texts(TEACHER, n, "half"))]
    found = values(sides(text_side("half", half)))
    assert found[""].value == pytest.approx(0.5, abs=0.05)
    assert found["short_replies"].value == 0.5


def test_prompts_with_short_replies_of_the_teacher_are_dropped() -> None:
    taught = [t if i >= 30 else "No." for i, t in enumerate(texts(TEACHER, 120, "t"))]
    one = replace(sides(side("student", TEACHER)), teacher=text_side("teacher", taught))
    assert values(one)[""].n == 90
    with pytest.raises(Unavailable, match="3 words or more"):
        said(replace(one, teacher=text_side("teacher", ["No."] * 120)))


def test_a_second_sample_is_averaged_and_another_version_is_not_used() -> None:
    one = sides(side("mixed", BASE, instead=TEACHER, share=0.5))
    second = replace(one, ceiling=side("teacher again", TEACHER))
    other = replace(one, ceiling=side("other version", THIRD), ceiling_kind="other_version")
    assert values(second)[""].value == pytest.approx(values(one)[""].value, abs=0.05)
    assert values(second)[""] != values(one)[""]
    assert values(other)[""] == values(one)[""]


def test_tasks_are_taken_together_in_any_order() -> None:
    first = sides(side("mixed", BASE, instead=TEACHER, share=0.5))
    whole = text_side("teacher", texts(TEACHER, 60, "t"), "more")
    second = Sides("more", whole, whole, text_side("base", texts(BASE, 60, "b"), "more"))
    found = values(first, second)
    assert found[""] == values(second, first)[""]
    assert found[""].n == 180
    assert values(first)[""].value < found[""].value < 1


def with_kinds(one: Sides, kinds: Sequence[str]) -> Sides:
    """The same replies to prompts of other categories."""

    def kinded(own: Side | None) -> Side:
        assert own is not None
        prompts = own.requests.prompts
        named = tuple(replace(p, category=k) for p, k in zip(prompts, kinds, strict=True))
        return replace(own, requests=replace(own.requests, prompts=named))

    return replace(
        one, student=kinded(one.student), teacher=kinded(one.teacher), base=kinded(one.base)
    )


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
    assert found["category/list"].value == pytest.approx(1, abs=0.05)
    assert found["category/explain"].value == pytest.approx(0, abs=0.05)
    assert found[""].value == pytest.approx(0.5, abs=0.05)
    assert found["category/list"].n == found["category/explain"].n == 60


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


def test_no_gap_is_said() -> None:
    one = sides(side("student", TEACHER))
    with pytest.raises(Unavailable, match="write alike"):
        said(replace(one, base=one.teacher))
    found = said(replace(one, base=side("alike", TEACHER)))
    for part in ("", "own_style", "angle"):
        assert "gap within noise" in str(found[part])


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_intervals_cover(share: float) -> None:
    hits, runs = 0, 60
    for seed in range(runs):
        made = [
            text_side(m, texts(BASE, 40, f"{m}{seed}", TEACHER, part))
            for m, part in (("s", share), ("t", 0.8), ("b", 0.0))
        ]
        estimate = values(Sides("talk", made[0], made[1], made[2]))[""]
        assert estimate.low is not None
        assert estimate.high is not None
        hits += estimate.low <= share / 0.8 <= estimate.high
    assert hits >= 52  # 95 % of 60 are 57
