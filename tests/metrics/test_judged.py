"""Verdicts: win, tie and loss by hand, orders that disagree, replies that are no verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.judged import Judged, win_rate
from harness.stats.intervals import evaluate
from harness.testing.judgements import Replies, drawn_replies, judged_sides
from harness.testing.panels import Sides, findings
from harness.types import Unavailable

JUDGED = Judged("judged", "judged")


def numbers(sides: Sides) -> dict[str, float | str]:
    rng = np.random.default_rng(0)
    found = findings(JUDGED, [sides], rng)
    return {
        f.name: f.statistic if isinstance(f.statistic, str) else evaluate(f.statistic, rng).value
        for f in found
    }


def by_hand(replies: list[Replies]) -> dict[str, float]:
    """The same by counting the nine ways in which two verdicts can fall."""
    count = Counter(replies)
    win = count["A", "B"]
    loss = count["B", "A"]
    agreed = win + loss + count["TIE", "TIE"]
    split = sum(n for pair, n in count.items() if set(pair) <= {"A", "B", "TIE"}) - agreed
    tie, read = count["TIE", "TIE"] + split, agreed + split
    silent = sum(sum(w not in ("A", "B", "TIE") for w in pair) * n for pair, n in count.items())
    return {
        "retention": (win + tie / 2) / read, "win": win / read, "tie": tie / read, "loss": loss / read,
        "disagreement": split / read, "unreadable": silent / (2 * len(replies)),
    }  # fmt: skip


def test_shares_of_random_verdicts_equal_a_count() -> None:
    against_teacher, against_base = drawn_replies(1, 200), drawn_replies(2, 200)
    told = {("student", "teacher"): against_teacher, ("student", "base"): against_base}
    expected = by_hand(against_teacher) | {"over_base": by_hand(against_base)["retention"]}
    assert numbers(judged_sides(told)) == pytest.approx(expected, abs=1e-12)


def test_always_the_first_place_is_a_tie_and_says_so() -> None:
    found = numbers(judged_sides({("student", "teacher"): [("A", "A")] * 30}))
    assert (found["retention"], found["tie"], found["disagreement"]) == (0.5, 1.0, 1.0)
    assert found["over_base"] == "the judge was not asked to compare student with base"


def test_the_other_way_round_mirrors() -> None:
    replies = drawn_replies(3, 100)
    one = numbers(judged_sides({("student", "teacher"): replies}))
    other = numbers(judged_sides({("teacher", "student"): replies}))
    assert one["win"] == other["loss"]
    assert float(one["retention"]) == pytest.approx(1 - float(other["retention"]))


def test_a_judge_that_says_nothing_gives_a_reason_and_its_share() -> None:
    found = numbers(judged_sides({("student", "teacher"): [("Well.", "A"), ("A", "B")] * 15}))
    assert found["retention"] == "15 of 30 prompts with a verdict; at least 20 are needed"
    assert found["unreadable"] == 0.25


def test_models_that_were_not_compared() -> None:
    sides = judged_sides({("student", "base"): [("A", "B")] * 30})
    with pytest.raises(Unavailable, match="not asked to compare student with teacher"):
        findings(JUDGED, [sides], np.random.default_rng(0))
    without = replace(judged_sides({("student", "teacher"): [("A", "B")] * 30}), base=None)
    assert numbers(without)["over_base"] == "this pair names no base"


def test_win_rate_of_points() -> None:
    assert win_rate([1, 1, 0.5, 0]) == 0.625
