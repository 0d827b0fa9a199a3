"""Options and probabilities from log-probabilities and from recorded choices."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.panel.choices import align_choices, choice_table, one_hot, softmax
from harness.panel.side import Side
from harness.testing.panels import of_equals
from harness.testing.sides import blank_outputs, chosen_side, quiz_prompts, scored_side, shuffled
from harness.types import Prompt, Request, Unavailable

THREE = (
    Prompt("c", "1?", "c", "", 2, 0),
    Prompt("a", "2?", "a", "", 4, 3),
    Prompt("b", "3?", "b", "", 3, 1),
)


def test_log_probabilities_become_shares_of_the_options() -> None:
    logprobs = [[math.log(0.3), math.log(0.1)], [-1.0, -1.0, -1.0, -1.0], [-900.0, -901.0, -902.0]]
    table = choice_table(scored_side("m", THREE, logprobs))
    assert [p.id for p in table.prompts] == ["a", "b", "c"]
    e = 1 + math.exp(-1) + math.exp(-2)
    expected = [[0.25] * 4, [1 / e, math.exp(-1) / e, math.exp(-2) / e, 0], [0.75, 0.25, 0, 0]]
    np.testing.assert_allclose(table.probabilities, expected, rtol=1e-14)
    assert table.chosen.tolist() == [0, 0, 0]
    assert table.answered.all()


def test_recorded_choices_are_one_hot_and_nulls_unanswered() -> None:
    table = choice_table(chosen_side("m", THREE, [1, None, 2]))
    assert table.chosen.tolist() == [-1, 2, 1]
    assert table.answered.tolist() == [False, True, True]
    np.testing.assert_array_equal(table.probabilities, [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]])


def test_an_option_that_the_prompt_does_not_have_is_no_answer() -> None:
    table = choice_table(chosen_side("m", THREE, [2, 4, -1]))  # of 2, 4 and 3 options
    assert not table.answered.any()
    assert table.chosen.tolist() == [-1, -1, -1]


def test_mutual_information_repeats_of_the_options_are_left_out() -> None:
    side = scored_side("m", THREE[:1], [[-1.0, -2.0]])
    extra = tuple(Request(0, "score", "", slot=2 + k, continuation="x") for k in range(2))
    asked = replace(side.requests, requests=(*side.requests.requests, *extra))
    outputs = replace(
        blank_outputs(4, "score"),
        logprob_nats=np.array([-1.0, -2.0, 50.0, 60.0]),
        answered=(True,) * 4,
        greedy=(False,) * 4,
    )
    table = choice_table(replace(side, requests=asked, outputs=outputs))
    np.testing.assert_array_equal(table.probabilities, choice_table(side).probabilities)


def test_a_prompt_without_all_its_answers_is_absent() -> None:
    side = scored_side("m", THREE, [[-1.0, -2.0], [-1.0] * 4, [-1.0] * 3])
    # the second option of prompt "c"
    hole = replace(side.outputs, answered=(True, False, *(True,) * 7))
    assert [p.id for p in choice_table(replace(side, outputs=hole)).prompts] == ["a", "b"]
    recorded = chosen_side("m", THREE, [0, 1, 2])
    missing = replace(recorded.outputs, answered=(True, False, True))
    assert [p.id for p in choice_table(replace(recorded, outputs=missing)).prompts] == ["b", "c"]


def test_prompts_that_are_not_multiple_choice_are_absent() -> None:
    prompts = (replace(THREE[0], n_options=None), replace(THREE[1], n_options=1), THREE[2])
    assert [p.id for p in choice_table(chosen_side("m", prompts, [0, 0, 0])).prompts] == ["b"]


def test_order_of_prompts_requests_and_rows_is_no_matter() -> None:
    prompts = quiz_prompts(50)
    rng = np.random.default_rng(1)
    side = scored_side(
        "m", prompts, [rng.normal(-3, 1, p.n_options or 0).tolist() for p in prompts]
    )
    one, two = choice_table(side), choice_table(shuffled(side, 3))
    assert one.prompts == two.prompts
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_models_are_joined_on_shared_prompts() -> None:
    first = chosen_side("first", THREE, [0, 3, None])
    second = chosen_side("second", THREE[:2], [1, 3])
    aligned = align_choices(of_equals(first, second))
    assert aligned.ids == ("a", "c")
    assert aligned.n_options.tolist() == [4, 2]
    assert aligned.gold.tolist() == [3, 0]
    assert aligned.right.tolist() == [[True, True], [True, False]]
    assert aligned.wrong.tolist() == [[False, False], [False, True]]
    assert aligned.where(np.array([False, True])).ids == ("c",)


def test_unanswered_is_neither_right_nor_wrong_and_nothing_is_where_no_right_option_is_stated() -> (
    None
):
    open_question = replace(THREE[1], gold=None)
    aligned = align_choices(of_equals(chosen_side("m", (THREE[0], open_question), [None, 2])))
    assert aligned.gold.tolist() == [-1, 0]
    assert not aligned.right.any()
    assert not aligned.wrong.any()


def test_too_few_shared_prompts_name_the_model_with_fewest() -> None:
    sides: list[Side] = [chosen_side("many", THREE, [0, 0, 0]), chosen_side("few", THREE[:1], [0])]
    with pytest.raises(
        Unavailable, match=r"1 multiple-choice prompts answered by all of many, few.*few answered 1"
    ):
        align_choices(of_equals(*sides, minimum=2))


def test_softmax_takes_absent_options_and_large_numbers() -> None:
    shares = softmax(np.array([[1000.0, 1000.0, -np.inf]]))
    np.testing.assert_array_equal(shares, [[0.5, 0.5, 0.0]])
    np.testing.assert_array_equal(one_hot(np.array([1, -1]), 2), [[0, 1], [0, 0]])
