"""Graded tasks that were asked several times: the mean, pass@k, the majority, and where a score's error comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness import plugins
from harness.metrics import AbstractMetric
from harness.metrics.majority_score import Vote
from harness.metrics.pass_at_k import Noise, Passed, pass_at_k
from harness.panel.grades import SHARES, primary_values
from harness.panel.panel import Panel
from harness.panel.side import Side
from harness.panel.tallies import Average, Draws, First, joined
from harness.stats.intervals import Estimate
from harness.stats.means import mean_error
from harness.tasks._lm_eval_answers import graded_answers
from harness.testing.measures import estimates
from harness.testing.panels import Sides
from harness.testing.sides import Choices, chosen_side, quiz_prompts
from harness.types import GradeColumn, Grades, Unavailable
from tests.metrics.answer_sets import drawn_side, quiz_sets

# Every prompt of `alike` has options A to C, A right.
PROMPTS = 24


def measure(name: str, **fields: Any) -> AbstractMetric:
    """A measure of the package."""
    built = plugins.build("metrics", name, {"kind": name, **fields})
    assert isinstance(built, AbstractMetric)
    return built


def said(name: str, side: Side, part: str = "", **fields: Any) -> Estimate | str:
    """What a measure says of a model alone."""
    return estimates(measure(name, **fields), Sides("quiz", side))[part, ""]


def value(name: str, side: Side, part: str = "", **fields: Any) -> float:
    """Its number."""
    made = said(name, side, part, **fields)
    assert isinstance(made, Estimate), made
    return made.value


def model(*draws: Sequence[int | None]) -> Side:
    """A model whose answers to the first prompts are these, and to all others those of the last one; 0 = right."""
    prompts = quiz_prompts(PROMPTS)
    rows = [draws[min(i, len(draws) - 1)] for i in range(PROMPTS)]
    samples: list[Choices] = [
        [
            None if a is None else (p.gold or 0) if a == 0 else ((p.gold or 0) + a) % 3
            for p, a in zip(prompts, sample, strict=True)
        ]
        for sample in zip(*rows, strict=True)
    ]
    return drawn_side("student", prompts, samples)


def draws(values: Sequence[float], answers: Sequence[str | None] = ()) -> Draws:
    """Graded answers."""
    return Draws(tuple(map(float, values)), tuple(answers))


def test_pass_at_k_is_the_product_of_its_source() -> None:
    for n in (1, 2, 5, 20, 200):
        for right in range(n + 1):
            for k in (1, 2, 5, 10, n):
                if k > n:
                    continue
                product = float(np.prod(1.0 - k / np.arange(n - right + 1, n + 1)))
                expected = 1.0 if n - right < k else 1.0 - product
                assert abs(pass_at_k(n, right, k) - expected) < 1e-12


def test_pass_at_k_is_the_share_of_all_choices_of_k_answers() -> None:
    answers = [1, 0, 0, 1, 0, 0, 0]
    for k in range(1, 8):
        chosen = list(combinations(answers, k))
        expected = sum(any(some) for some in chosen) / len(chosen)
        assert Passed(k)(draws(answers)) == pytest.approx(expected, abs=1e-12)


def test_a_prompt_with_too_few_answers_has_no_pass_at_k() -> None:
    assert Passed(3)(draws([1, 0])) is None
    with pytest.raises(Unavailable, match="not just right or wrong"):
        Passed(2)(draws([0.5, 1.0]))


@pytest.mark.parametrize(
    ("answers", "values", "expected"),
    [
        (["a", "a", "b"], [1, 1, 0], 1.0),
        (["a", "b", "b"], [1, 0, 0], 0.0),
        (["a", "b"], [1, 0], 0.5),  # a tie
        (["a", "b", "c"], [1, 0, 0], 1 / 3),
        (["a", "a", "b", "b", "c"], [1, 1, 0, 0, 0], 0.5),
        ([None, None, "a"], [0, 0, 1], 1.0),  # who says nothing does not vote
        ([None, None, None], [0, 0, 0], 0.0),
    ],
)
def test_the_vote(answers: list[str | None], values: list[float], expected: float) -> None:
    assert Vote()(draws(values, answers)) == pytest.approx(expected, abs=1e-15)


def test_a_vote_needs_answers_that_are_known() -> None:
    with pytest.raises(Unavailable, match="not known"):
        Vote()(draws([1, 0]))
    assert Vote()(draws([1], ["a"])) is None


def test_answers_of_one_sample_alone_are_not_enough_for_a_vote() -> None:
    both = joined(draws([1], ["a"]), draws([0]))
    assert (both.values, both.answers) == ((1.0, 0.0), ())
    assert joined(draws([1], ["a"]), draws([0], [None])).answers == ("a", None)


def test_the_score_is_the_mean_over_all_answers() -> None:
    side = model((0, 0, 1, 1), (0, 1, 1, 1))
    mean = (0.5 + 23 * 0.25) / PROMPTS
    assert value("task_score", side) == pytest.approx(mean, abs=1e-15)
    assert value("pass_at_k", side, "1", k=(1,)) == pytest.approx(mean, abs=1e-15)
    # of two answers drawn from four: 1 - C(2, 2) / C(4, 2), and 1 - C(3, 2) / C(4, 2)
    assert value("pass_at_k", side, "2") == pytest.approx((5 / 6 + 23 * 0.5) / PROMPTS, abs=1e-15)
    assert value("pass_at_k", side, "4") == 1.0
    assert value("pass_at_k", side, "samples") == 4.0


def test_the_majority_and_what_it_gains() -> None:
    # (0, 0, 1, 1): a tie; (0, 0, 0, 1): right
    side = model((0, 0, 1, 1), (0, 0, 0, 1))
    assert value("majority_score", side) == pytest.approx((0.5 + 23) / PROMPTS)
    single = (0.5 + 23 * 0.75) / PROMPTS
    assert value("majority_score", side, "over_single") == pytest.approx(
        (0.5 + 23) / PROMPTS - single
    )
    assert value("majority_score", model((0, None, None)), "unread") == pytest.approx(2 / 3)


def test_the_two_parts_of_the_error_make_the_whole() -> None:
    side = quiz_sets().student
    panel = Panel("quiz", {"student": (side,)}, minimum=1)
    means = primary_values(panel, SHARES, "", Average())
    whole = float(np.sqrt(mean_error(means.values.T).covariance[0, 0]))
    drawing = value("pass_at_k", side, "between_samples")
    prompts = value("pass_at_k", side, "between_prompts")
    assert np.hypot(drawing, prompts) == pytest.approx(whole, rel=1e-12)
    # by hand: of (1, 1, 0, 0) the variance is 1/3, of its mean 1/12; 24 prompts
    assert Noise()(draws([1, 1, 0, 0])) == pytest.approx(1 / 12)
    even = model((0, 0, 1, 1))
    assert value("pass_at_k", even, "between_samples") == pytest.approx(
        np.sqrt(1 / 12 / PROMPTS), rel=1e-12
    )
    assert value("pass_at_k", even, "between_prompts") == 0.0


def test_more_answers_leave_what_lies_between_prompts() -> None:
    few, many = quiz_sets(400, 2).student, quiz_sets(400, 16).student
    ratio = value("pass_at_k", few, "between_samples") / value("pass_at_k", many, "between_samples")
    assert ratio == pytest.approx(np.sqrt(8), rel=0.1)


def test_shares_of_several_answers_stay_between_0_and_1() -> None:
    side = model((0, 1, 0, 0), (0, 0, 0, 0))
    for name, part in (("task_score", ""), ("pass_at_k", "2"), ("majority_score", "unread")):
        made = said(name, side, part)
        assert isinstance(made, Estimate)
        if made.low is not None and made.high is not None:
            assert 0 <= made.low <= made.value <= made.high <= 1


def test_a_vote_that_gains_nothing_has_no_interval_of_a_share() -> None:
    alike = model((1, 1, 1, 1))
    gain = estimates(measure("majority_score"), Sides("quiz", alike))["over_single", ""]
    assert not isinstance(gain, str)
    assert (gain.value, gain.low, gain.high) == (0.0, None, None)


def test_where_few_prompts_were_asked_twice_pass_at_2_has_its_reason() -> None:
    prompts = quiz_prompts(PROMPTS)
    right: Choices = [p.gold for p in prompts]
    side = drawn_side("student", prompts, [right, right])
    column = side.sample_grades[0].columns[0]
    few = replace(
        column, prompt=column.prompt[:8], value=column.value[:8], answers=column.answers[:8]
    )
    again = replace(side, sample_grades=(Grades((few,)),))
    assert said("pass_at_k", again, "2") == (
        "8 prompts with 2 graded answers or more shared; at least 20 are needed"
    )


@pytest.mark.parametrize("name", ["pass_at_k", "majority_score"])
def test_one_answer_is_a_reason(name: str) -> None:
    side = model((0,))
    assert str(said(name, side)).startswith("student has 1 graded answer to each prompt; 2 or more")


@pytest.mark.parametrize("name", ["pass_at_k", "majority_score"])
def test_without_a_base_there_is_no_gap(name: str) -> None:
    sides = quiz_sets()
    pair = Sides("quiz", sides.student, sides.teacher)
    made = estimates(measure(name), pair)
    assert set(made.values()) == {"this pair names no base"}


def test_samples_of_some_prompts_only_are_used_where_they_are() -> None:
    prompts = quiz_prompts(PROMPTS)
    right: Choices = [p.gold for p in prompts]
    wrong: Choices = [((p.gold or 0) + 1) % 3 for p in prompts]
    side = drawn_side("student", prompts, [wrong, right])
    column = side.sample_grades[0].columns[0]
    half = GradeColumn(
        "", "acc", "none", "higher", column.prompt[:12], column.value[:12], 1.0, "", column.answers[:12]
    )  # fmt: skip
    side = Side(
        side.model, side.lineage, side.requests, side.outputs, side.grades, side.keys, (), side.samples,
        (Grades((half,)),),
    )  # fmt: skip
    assert value("task_score", side) == pytest.approx(0.25)
    made = estimates(measure("pass_at_k", k=(2,)), Sides("quiz", side, minimum=10))["2", ""]
    assert isinstance(made, Estimate)
    assert (made.value, made.n) == (1.0, 12)
    missing = said("pass_at_k", side, "2", k=(2,))
    assert missing == "12 prompts with 2 graded answers or more shared; at least 20 are needed"


def test_right_and_wrong_are_those_of_the_first_answer() -> None:
    assert First()(draws([0, 1, 1])) == 0.0
    sides = quiz_sets()
    several = estimates(measure("error_consistency"), sides)["", ""]
    assert sides.teacher is not None
    once = Sides("quiz", _first(sides.student), _first(sides.teacher))
    single = estimates(measure("error_consistency"), once)["", ""]
    assert isinstance(several, Estimate)
    assert isinstance(single, Estimate)
    assert several.value == single.value


def _first(side: Side) -> Side:
    choices = list(side.outputs.choice)
    return chosen_side(side.model, side.requests.prompts, choices)


# --- the answers that lm-eval graded ---------------------------------------------------------------


def task(**config: Any) -> SimpleNamespace:
    """A task of lm-eval, as far as its answers are concerned."""
    ignoring = {
        "metric": "exact_match",
        "ignore_case": True,
        "regexes_to_ignore": [",", "\\$", "\\.$"],
    }
    usual = {"process_results": None, "filter_list": None, "metric_list": [ignoring]}
    return SimpleNamespace(OUTPUT_TYPE="generate_until", config=SimpleNamespace(**usual | config))


def extracted(*answers: object) -> list[dict[str, Any]]:
    """Logged samples."""
    return [{"filtered_resps": [answer]} for answer in answers]


def test_answers_are_those_that_exact_match_compares() -> None:
    made = graded_answers(task(), "exact_match", "none", extracted("$1,800.", "1800", "YES", "yes"))
    assert made == ("1800", "1800", "yes", "yes")
    marks = {"metric": "exact_match", "ignore_punctuation": True, "ignore_numbers": True}
    made = graded_answers(task(metric_list=[marks]), "exact_match", "none", extracted("(b) 2!"))
    assert made == ("b ",)


def test_what_could_not_be_extracted_is_no_answer() -> None:
    own = [{"name": "own", "filter": [{"function": "regex", "fallback": "none at all"}]}]
    fallbacks = extracted("[invalid]", "", "  ", "none at all")
    assert graded_answers(task(filter_list=own), "exact_match", "own", fallbacks) == (None,) * 4
    assert graded_answers(task(), "exact_match", "own", fallbacks)[3] == "none at all"


def test_answers_that_are_not_compared_are_not_known() -> None:
    some = extracted("1")
    assert graded_answers(task(process_results=print), "exact_match", "none", some) == ()
    assert graded_answers(task(), "f1", "none", some) == ()
    assert graded_answers(task(), "exact_match", "none", extracted(["1", "2"])) == ()
