"""Share and time left, by hand."""

from __future__ import annotations

import pytest

from harness.console.forecast import Forecast, Sort
from harness.console.workload import amounts, expected_tokens
from harness.types import Decoding, Message, Request

QUICK, SLOW = Sort("score", "quiz"), Sort("generate", "chat")


def test_time_left_is_right_where_a_quick_task_comes_before_a_slow_one() -> None:
    forecast = Forecast([("a", {QUICK: 1000}), ("a", {SLOW: 9000})])
    assert forecast.left_s(0.0) is None
    forecast.end("a", {QUICK: 1000}, 10.0)
    assert forecast.share() == pytest.approx(0.1)
    # as long per token, until something better is known
    assert forecast.left_s(0.0) == pytest.approx(90.0)
    assert forecast.guessed()
    forecast.end("a", {SLOW: 900}, 90.0)
    assert forecast.left_s(0.0) == pytest.approx(810.0)
    assert not forecast.guessed()
    assert forecast.share() == pytest.approx((10 + 90) / (10 + 900))


def test_a_slower_model_needs_longer_for_what_only_others_have_done() -> None:
    forecast = Forecast((model, {QUICK: 100, SLOW: 100}) for model in ("a", "b"))
    forecast.end("a", {QUICK: 100}, 1.0)
    forecast.end("a", {SLOW: 100}, 10.0)
    assert forecast.left_s(0.0) == pytest.approx(11.0)  # b as quick as a
    forecast.end("b", {QUICK: 50}, 1.5)
    # QUICK costs 2.5 s for 150 tokens over both, so b takes 1.5 / (50 * 2.5 / 150) = 1.8 times as
    # long as usual
    assert forecast.left_s(0.0, "b") == pytest.approx(1.5 + 1.8 * 10.0)


def test_a_task_that_nobody_has_done_is_taken_from_others_of_its_kind() -> None:
    forecast = Forecast([("a", {QUICK: 10, SLOW: 10, Sort("generate", "essay"): 10})])
    forecast.end("a", {QUICK: 10}, 1.0)
    forecast.end("a", {SLOW: 10}, 7.0)
    assert forecast.left_s(0.0) == pytest.approx(7.0)


def test_what_is_being_done_counts_down_but_never_to_nothing() -> None:
    forecast = Forecast([("a", {SLOW: 30})])
    forecast.end("a", {SLOW: 10}, 10.0)
    forecast.begin("a", {SLOW: 10}, 100.0)
    assert forecast.left_s(104.0) == pytest.approx(10 + 6)
    # five times as long as expected: a tenth of it again
    assert forecast.left_s(150.0) == pytest.approx(10 + 5)
    forecast.end("a", {SLOW: 10}, 60.0)
    assert forecast.left_s(160.0) == pytest.approx(35.0)


def test_parts_that_run_side_by_side_take_as_long_as_the_longest() -> None:
    forecast = Forecast([("a", {SLOW: 10}), ("b", {SLOW: 10}), ("c", {SLOW: 2})], at_once=2)
    forecast.end("c", {SLOW: 1}, 1.0)
    assert forecast.left_s(0.0) == pytest.approx((10 + 10 + 1) / 2)
    forecast.finish("a")
    assert forecast.left_s(0.0) == pytest.approx(10.0)
    assert forecast.finished() == 1


def test_what_was_there_already_says_nothing_of_the_time() -> None:
    forecast = Forecast([("a", {SLOW: 10})])
    forecast.end("a", {SLOW: 4}, None)
    assert forecast.share() == pytest.approx(0.4)
    assert forecast.left_s(0.0) is None
    forecast.end("a", {SLOW: 7}, 7.0)  # more than there was
    assert (forecast.share(), forecast.left_s(0.0), forecast.finished()) == (1.0, 0.0, 1)


def test_seconds_of_a_mixed_piece_are_divided_by_what_was_expected_of_each_sort() -> None:
    forecast = Forecast([("a", {QUICK: 20, SLOW: 20})])
    forecast.end("a", {QUICK: 5}, 5.0)
    forecast.end("a", {SLOW: 5}, 15.0)
    forecast.end("a", {QUICK: 5, SLOW: 5}, 40.0)  # twice as long as the 5 + 15 that were expected
    assert forecast.costs() == {
        ("a", QUICK): pytest.approx(15 / 10),
        ("a", SLOW): pytest.approx(45 / 10),
    }


def test_many_small_pieces_are_everything_in_the_end() -> None:
    forecast = Forecast([("a", {SLOW: 1.0})])
    for _ in range(10):
        forecast.end("a", {SLOW: 0.1}, 1.0)  # ten times 0.1 is 0.9999999999999999
    assert (forecast.share(), forecast.finished()) == (1.0, 1)


def test_nothing_to_do_is_done() -> None:
    assert (Forecast([]).share(), Forecast([]).left_s(0.0), Forecast([]).finished()) == (
        1.0,
        None,
        0,
    )


def test_requests_weigh_what_is_read_and_what_may_be_written() -> None:
    decoding = Decoding(max_new_tokens=100)
    assert expected_tokens(Request(0, "score", "x" * 30, continuation="y" * 6), decoding) == 16 + 12
    assert expected_tokens(Request(0, "read", "", continuation="y" * 300), decoding) == 16 + 100
    assert expected_tokens(Request(0, "generate", "x" * 30), decoding) == 16 + 10 + 4 * 100
    assert (
        expected_tokens(Request(0, "generate", "x" * 30, max_new_tokens=5), decoding)
        == 16 + 10 + 4 * 5
    )
    talk = (Message("user", "x" * 24),)  # "user: " stands before it
    assert expected_tokens(Request(0, "choose", talk), decoding) == 16 + 10
    both = [Request(0, "score", "x" * 6), Request(0, "score", ""), Request(0, "choose", "")]
    assert amounts("t", both, decoding) == {Sort("score", "t"): 34, Sort("choose", "t"): 16}
