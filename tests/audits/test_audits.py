"""Audits of made-up files: planted shares, rows that cannot be compared, and what must change nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from harness.panel.auditing import Row, audit
from harness.panel.audits import Audit, FamilyShare
from harness.panel.evidence import Crowd, Origin
from harness.testing.crowds import crowd
from harness.types import Unavailable

HOSTILE = {
    "empty": "  \n ",
    "too short": "yes",
    "repeats itself": "also " * 60,
    "other language or code": "while (i < n) { x[i] = f(y[i]); i += 1; } " * 4,
}


@cache
def everyone() -> tuple[Crowd, tuple[Origin, ...]]:
    """Two families, eight students of each, fourteen innocents."""
    return crowd(n_students=8, n_controls=14, n_prompts=100)


@cache
def writers() -> dict[str, list[str]]:
    """Answers to other prompts, of a family's teacher and of a model that the crowd does not have."""
    made, _ = crowd(n_students=0, n_controls=16, n_prompts=220)
    asked = everyone()[0].texts("one-v1").keys()
    models = ("one-v1", "control-14", "control-15")
    return {m: [t for i, t in made.texts(m).items() if i not in asked] for m in models}


def rows(share: float, other: str = "control-15") -> list[Row]:
    """120 rows of which a share is by family one."""
    k = round(share * 120)
    texts = [*writers()["one-v1"][:k], *writers()[other][k:]]
    return [Row(f"row {i + 1}", text) for i, text in enumerate(texts)]


@cache
def audited(share: float) -> Audit:
    return audit(*everyone(), (), rows(share), 0)


def told(made: Audit, family: str = "one") -> FamilyShare:
    return next(s for s in made.shares if s.family == family)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_planted_share_lies_in_its_interval(share: float) -> None:
    one = told(audited(share))
    assert one.low is not None
    assert one.high is not None
    assert one.low - 0.05 <= share <= one.high + 0.05
    assert one.high - one.low < 0.75
    assert (one.outcome == "supports") == (share > 0)


def test_nobody_holds_rows_of_a_family_that_wrote_none() -> None:
    for share in (0.0, 0.5, 1.0):
        assert told(audited(share), "two").outcome != "supports"


def test_the_rows_that_are_named_are_the_family_s() -> None:
    made = audited(0.5)
    named = [int(r.place.split()[1]) for r in made.rows if r.family == "one"]
    assert len(named) == 20
    assert np.mean([n <= 60 for n in named]) >= 0.95
    assert told(made).n_alike >= 30
    rates = [r.false_rate for r in made.rows if r.family == "one"]
    assert rates == sorted(rates)
    assert rates[-1] <= 0.01


@pytest.mark.parametrize(("reason", "text"), HOSTILE.items())
def test_rows_that_cannot_be_compared_are_nobody_s(reason: str, text: str) -> None:
    hostile = [Row(f"row {200 + i}", text) for i in range(60)]
    made, plain = audit(*everyone(), (), [*rows(0.5), *hostile], 0), audited(0.5)
    assert made.left_out.get(reason, 0) == plain.left_out.get(reason, 0) + 60
    assert [replace(s, n_copies=0) for s in made.shares] == [
        replace(s, n_copies=0) for s in plain.shares
    ]
    assert made.rows == plain.rows


def test_a_file_of_nothing_comparable_tells_nothing() -> None:
    made = audit(*everyone(), (), [Row("row 1", text) for text in HOSTILE.values()], 0)
    assert {s.outcome for s in made.shares} == {"cannot tell"}
    assert "0 rows can be compared" in told(made).reason


def test_order_and_further_candidates_change_nothing() -> None:
    (made, origins), some = everyone(), rows(0.5)
    turned = Crowd(made.task, made.sides, dict(list(made.families.items())[::-1]), made.background)
    again = audit(turned, origins[::-1], (), some[::-1], 0)
    assert again == audited(0.5)
    alone = told(audit(made, origins, ("one",), some, 0))
    assert replace(alone, p=None, accused=()) == replace(told(again), p=None, accused=())


def test_copies_of_a_text_are_one_observation() -> None:
    one = told(audit(*everyone(), (), [*rows(0.0), *[rows(1.0)[0]] * 60], 0))
    many = told(audit(*everyone(), (), [*rows(0.0), *rows(1.0)[:60]], 0))
    assert one.low is not None and one.high is not None  # noqa: PT018
    assert many.low is not None and many.high is not None  # noqa: PT018
    assert one.high - one.low > many.high - many.low


def test_answers_of_the_crowd_are_counted_word_for_word() -> None:
    own = list(everyone()[0].texts("one-v2").values())[:7]
    copied = [Row(f"row {300 + i}", f"  {text}\n") for i, text in enumerate(own)]
    assert told(audit(*everyone(), (), [*rows(0.0), *copied], 0)).n_copies == 7


def test_a_crowd_that_is_too_small_is_refused() -> None:
    with pytest.raises(Unavailable, match="at least 10 lineages"):
        audit(*crowd(n_students=2, n_controls=2), (), rows(0.5), 0)


def test_few_innocents_support_nobody() -> None:
    few = told(audit(*crowd(n_students=4, n_controls=8, n_prompts=40), (), rows(1.0), 0))
    assert few.outcome == "cannot tell"
    assert "at least 19 are needed" in few.reason


def test_few_rows_support_nobody() -> None:
    few = told(audit(*everyone(), (), rows(1.0)[:60], 0))
    assert few.outcome == "cannot tell"
    assert "at least 100 are needed" in few.reason
