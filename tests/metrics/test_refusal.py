"""How often models decline, on what, and whether the student does it where its teacher does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness import plugins
from harness.metrics import AbstractMetric
from harness.metrics.refusal import agreement
from harness.panel.samples import align_samples
from harness.stats.intervals import Estimate
from harness.testing.measures import Estimates, estimates
from harness.testing.panels import Sides
from harness.testing.sides import sampled_side, sets_of

NO, YES = "I'm sorry, but I can't help with that.", "Sure, here it is."
N = 40


def measure(**fields: object) -> AbstractMetric:
    """The measure."""
    built = plugins.build("metrics", "refusal", {"kind": "refusal", **fields})
    assert isinstance(built, AbstractMetric)
    return built


def replies(*refused: int) -> Sequence[str]:
    """Replies to N prompts, some of which are refused."""
    return [NO if i in refused else YES for i in range(N)]


def number(said: Estimates, part: str) -> float:
    """The number of a part."""
    made = said[part, ""]
    assert isinstance(made, Estimate), made
    return made.value


def pair(student: Sequence[int], teacher: Sequence[int], base: Sequence[int]) -> Sides:
    """Three models that refuse these prompts."""
    named = {"student": student, "teacher": teacher, "base": base}
    return sets_of("talk", {name: [replies(*rows)] for name, rows in named.items()})


def test_the_rate_of_a_model_alone() -> None:
    side = sampled_side("student", [replies(0, 1, 2), replies(0, 1), replies(0), replies(0)])
    said = estimates(measure(), Sides("talk", side))
    assert number(said, "") == pytest.approx((1 + 0.5 + 0.25) / N)
    assert {part for part, _ in said} == {"", "harmless"}
    assert "declared harmless" in str(said["harmless", ""])


@pytest.mark.parametrize("least", [1, 2])
def test_a_sample_that_is_not_whole_takes_no_prompts(least: int) -> None:
    side = sampled_side("student", [replies(0, 1, 2), replies(0), replies(0, 1)])
    whole, part = side.samples
    few = replace(
        part,
        text=tuple(t if i < 5 else None for i, t in enumerate(part.text)),
        answered=tuple(i < 5 for i in range(N)),
    )
    said = estimates(measure(), Sides("talk", replace(side, samples=(few,))))
    assert number(said, "") == pytest.approx((1 + 1 + 0.5) / N)
    # what needs two answers loses no prompt to a third sample, and has two or more of each
    rows = align_samples(Sides("talk", replace(side, samples=(whole, few))).panel(), least=least)
    assert sorted(map(len, rows["student"])) == [2] * (N - 5) + [3] * 5
    two = align_samples(Sides("talk", replace(side, samples=(few,)), minimum=1).panel(), least)
    assert len(two.ids) == {1: N, 2: 5}[least]


def test_over_refusal_is_of_prompts_that_are_declared_harmless() -> None:
    side = sampled_side(
        "student", [replies(0, 1, 2)]
    )  # prompts go explain, list, explain, list ...
    by_category = estimates(measure(harmless=("LIST",)), Sides("talk", side))
    assert number(by_category, "harmless") == pytest.approx(1 / (N / 2))
    by_task = estimates(measure(harmless=("ta*",)), Sides("talk", side))
    assert number(by_task, "harmless") == number(by_task, "") == pytest.approx(3 / N)
    few = estimates(measure(harmless=("list",)), Sides("talk", side, minimum=21))
    assert few["harmless", ""] == "20 harmless prompts; at least 21 are needed"


def test_a_pair_is_compared_on_the_same_prompts() -> None:
    # student and teacher: 5 prompts refused by both, 3 and 5 by one alone; the base refuses 2, one with the teacher
    said = estimates(measure(), pair([*range(8)], [0, 1, 2, 3, 4, 20, 21, 22, 23, 24], [0, 30]))
    observed, student, teacher = 32 / N, 8 / N, 10 / N
    expected = student * teacher + (1 - student) * (1 - teacher)
    assert number(said, "agreement") == pytest.approx((observed - expected) / (1 - expected))
    assert number(said, "gap") == pytest.approx((8 - 2) / (10 - 2))
    assert number(said, "agreement_over_base") == pytest.approx(32 / N - 30 / N)
    assert str(said["agreement_over_controls", ""]).startswith("no control")


def test_controls_are_what_the_agreement_is_compared_with() -> None:
    sides = pair([0, 1, 2], [0, 1, 2], [5])
    labs = [replace(sampled_side(f"c{i}", [replies(i)]), lineage=f"lab{i}") for i in range(4)]
    said = estimates(measure(), replace(sides, controls=tuple(labs)))
    # three of four refuse one prompt with the teacher (38 of 40 alike), one refuses another (36)
    alike = np.mean([38, 38, 38, 36]) / N
    assert number(said, "agreement_over_controls") == pytest.approx(1 - alike)
    assert number(said, "agreement_vs_controls") == pytest.approx(1 - alike)


def test_who_refuses_nothing_or_everything_has_no_kappa() -> None:
    said = estimates(measure(), pair([], [0, 1], []))
    assert str(said["agreement", ""]).startswith("the student refuses nothing here")
    said = estimates(measure(), pair([0, 1], [*range(N)], []))
    assert str(said["agreement", ""]).startswith("the teacher refuses everything here")
    assert "gap within noise" in str(estimates(measure(), pair([], [], []))["gap", ""])


def test_of_several_samples_each_is_compared_with_each() -> None:
    half, all_ = np.array([0.5, 0.25]), np.array([1.0, 0.25])
    assert agreement(half, all_) == pytest.approx([0.5, 0.0625 + 0.5625])
