"""Maximum mean discrepancy, against double loops over characters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.mmd import Mmd, differing, discrepancy
from harness.panel.side import Side
from harness.panel.texts import replies
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import sampled_side, sets_of, talk_sets
from harness.types import DistillbenchError, Finding, Given, Mean, Unavailable

MMD = Mmd(kind="mmd", name="mmd")
ODD = ["", "象，大象。", "فيل 🐘", "🐘" * 3, "x" * 10_000, "y" * 10_000, "an elephant"]


def kernel(x: str, y: str, length: int) -> float:
    """Share of equal places after padding."""
    x, y = x[:length].ljust(length, "\0"), y[:length].ljust(length, "\0")
    return sum(a == b for a, b in zip(x, y, strict=True)) / length


def mmd_by_hand(one: Sequence[str], two: Sequence[str], length: int = 1000) -> float:
    """Unbiased MMD^2 by its definition."""
    own = [
        np.mean(
            [kernel(x, y, length) for x, y in itertools.permutations(texts, 2)]
        )  # ordered pairs of different ones
        for texts in (one, two)
    ]
    return float(own[0] + own[1] - 2 * np.mean([kernel(x, y, length) for x in one for y in two]))


def texts_of(side: Side) -> dict[str, list[str]]:
    """Prompt id -> its samples."""
    every = [replies(replace(side, outputs=o)) for o in (side.outputs, *side.samples)]
    return {i: [s[i].text for s in every] for i in every[0]}


def found_in(found: Sequence[Finding], name: str) -> Finding:
    """The part of that name."""
    return next(f for f in found if f.name == name)


def measured(sides: Sides) -> dict[str, Estimate | str]:
    """Every part, evaluated."""
    found = findings(MMD, [sides], np.random.default_rng(0))
    rng = np.random.default_rng(0)
    return {
        f.name: f.statistic if isinstance(f.statistic, str) else evaluate(f.statistic, rng)
        for f in found
    }


def value(estimate: Estimate | str) -> float:
    """The number; fails on a reason."""
    assert isinstance(estimate, Estimate), estimate
    return estimate.value


@pytest.mark.parametrize("length", [1, 7, 1000])
def test_kernel_and_discrepancy_equal_the_double_loop(length: int) -> None:
    one, two = [*ODD, "an owl"], ["an eland", "", "大象", "an elephant"]
    distances = differing([*one, *two], length)
    for (i, x), (j, y) in itertools.product(enumerate([*one, *two]), repeat=2):
        assert distances[i, j] == pytest.approx(1 - kernel(x, y, length), abs=1e-12)
    split = np.array([[1.0] * len(one) + [0.0] * len(two)])
    assert discrepancy(distances, split)[0] == pytest.approx(
        mmd_by_hand(one, two, length), abs=1e-9
    )


def test_the_measure_is_the_mean_over_prompts_and_relative_to_controls() -> None:
    sides = talk_sets(25, 3)
    assert sides.teacher is not None
    student, teacher = texts_of(sides.student), texts_of(sides.teacher)
    mine = [mmd_by_hand(student[i], teacher[i]) for i in sorted(student)]
    theirs = [
        [mmd_by_hand(texts_of(c)[i], teacher[i]) for i in sorted(student)] for c in sides.controls
    ]
    found = measured(sides)
    assert value(found[""]) == pytest.approx(np.mean(mine), abs=1e-9)
    relative = np.mean(theirs, axis=0) - mine
    assert value(found["closer_than_controls"]) == pytest.approx(relative.mean(), abs=1e-9)
    assert value(found["closer_than_controls"]) > 0
    assert value(found["closer_than_controls_p"]) < 0.01
    assert value(found["equality_p"]) < 0.05
    assert found["closer_vs_controls"] == "2 control lineages; at least 4 are needed for a limit"


def test_one_prompt_s_values_reach_the_statistic_in_the_order_of_ids() -> None:
    sides = talk_sets(21, 2)
    statistic = found_in(findings(MMD, [sides], np.random.default_rng(0)), "").statistic
    assert isinstance(statistic, Mean)
    assert statistic.prompts == tuple(sorted(statistic.prompts))
    assert sides.teacher is not None
    student, teacher = texts_of(sides.student), texts_of(sides.teacher)
    expected = [mmd_by_hand(student[i], teacher[i]) for i in statistic.prompts]
    np.testing.assert_allclose(statistic.values, expected, atol=1e-9)


def test_two_draws_of_one_model_are_seldom_told_apart() -> None:
    low = 0
    for draw in range(200):
        rng = np.random.default_rng(draw)
        texts = [[["a", "b", "cc"][k] for k in rng.integers(3, size=12)] for _ in range(4)]
        sides = sets_of("talk", {"student": texts[:2], "teacher": texts[2:]}, minimum=5)
        quick = replace(MMD, permutations=99)
        statistic = found_in(findings(quick, [sides], rng), "equality_p").statistic
        assert isinstance(statistic, Given)
        low += statistic.value <= 0.05
    assert low <= 20  # of 200; 10 are expected


def test_one_sample_is_a_reason() -> None:
    sides = talk_sets()
    alone = replace(sides, student=replace(sides.student, samples=()))
    with pytest.raises(
        Unavailable, match="student has 1 answer to each prompt; 2 or more are needed"
    ):
        findings(MMD, [alone], np.random.default_rng(0))
    assert sides.teacher is not None
    with pytest.raises(Unavailable, match="teacher has 1 answer"):
        findings(
            MMD,
            [replace(sides, teacher=replace(sides.teacher, samples=()))],
            np.random.default_rng(0),
        )


def test_odd_answers_give_numbers_or_reasons() -> None:
    empty: list[list[str]] = [[""] * 20] * 2
    found = measured(
        sets_of("talk", {"student": empty, "teacher": empty, "base": empty, "control0": empty})
    )
    assert value(found[""]) == 0
    assert value(found["equality_p"]) == 1
    odd = [[ODD[(i + k) % len(ODD)] for i in range(20)] for k in range(3)]
    found = measured(sets_of("talk", {"student": odd, "teacher": empty, "base": odd}))
    assert isinstance(found[""], Estimate)
    one = sets_of("talk", {"student": [["a"], ["b"]], "teacher": [["a"], ["c"]]}, minimum=1)
    statistic = found_in(findings(MMD, [one], np.random.default_rng(0)), "").statistic
    assert isinstance(statistic, Mean)
    with pytest.raises(Unavailable, match="one prompt only"):
        evaluate(statistic, np.random.default_rng(0))


def test_too_few_shared_prompts_name_the_model_that_answered_fewest() -> None:
    sides = replace(talk_sets(30, 2), student=sampled_side("student", [["a"] * 5] * 2))
    with pytest.raises(
        Unavailable, match=r"5 prompts .* at least 20 are needed \(student answered 5\)"
    ):
        findings(MMD, [sides], np.random.default_rng(0))


def test_a_length_of_nothing_is_refused() -> None:
    with pytest.raises(DistillbenchError, match="1 or more"):
        Mmd(kind="mmd", name="mmd", length=0)
