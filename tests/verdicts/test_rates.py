"""How often a method is right: counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.panel.evidence import Opinion, Origin, Outcome, Verdict, families_of, without_lineage
from harness.panel.rates import rates_of, settled
from harness.stats.means import Interval

ORIGINS = (
    Origin("t1", "teacher", "a", lineage="lab a"),
    Origin("s1", "student", "a", lineage="x"),
    Origin("s2", "student", "a", lineage="x"),
    Origin("s3", "student", "b", lineage="y"),
    Origin("clean", "control", lineage="z"),
    Origin("other", "control", lineage="w", confidence="low"),
    Origin("cousin", "control", also=("a",), lineage="v"),
)


def verdict(
    suspect: str, family: str, odds: float, outcome: Outcome = "cannot tell", *, named: bool = False
) -> Verdict:
    origin = next(o for o in ORIGINS if o.model == suspect)
    opinion = Opinion(family, "t1", math.log(odds), outcome, odds, named)
    return Verdict("m", "talk", suspect, opinion, 100, origin.learned_from(family))


SAID = (
    verdict("s1", "a", 8.0, "supports", named=True),
    verdict("s2", "a", 2.0),
    verdict("s3", "a", 1.0),
    verdict("clean", "a", 4.0, "supports"),
    verdict("other", "a", 0.25, "does not support"),
    verdict("cousin", "a", 100.0, "supports", named=True),
)


def test_who_counts_as_what() -> None:
    whole, about = rates_of(SAID, ORIGINS, "")
    assert (whole.family, about.family) == ("", "a")
    assert (about.n_guilty, about.n_guilty_lineages, about.n_found, about.n_named) == (2, 1, 1, 1)
    assert (about.n_innocent, about.n_innocent_lineages, about.n_clean) == (3, 3, 1)
    assert about.accused == whole.accused == ("clean",)
    assert (whole.n_guilty, whole.n_innocent) == (2, 3)


def test_neither_the_suspect_nor_its_lineage_counts_in_its_error_rates() -> None:
    """By hand: without s1 and s2, of lineage x, nobody is guilty of a; without clean one innocent is missing."""
    whole, about = rates_of(SAID, ORIGINS, "s1")
    assert (about.n_guilty, about.n_found, about.n_innocent, whole.n_guilty) == (0, 0, 3, 0)
    assert about.cllr is None
    assert rates_of(SAID, ORIGINS, "clean")[1].accused == ()
    assert rates_of(SAID, ORIGINS, "clean")[1].n_innocent == 2
    assert rates_of(SAID, ORIGINS, "stranger") == rates_of(SAID, ORIGINS, "")


@pytest.mark.parametrize("suspect", [o.model for o in ORIGINS])
def test_what_a_table_says_of_the_suspect_changes_no_rate(suspect: str) -> None:
    turned = [
        replace(v, truth=not v.truth, opinion=replace(v.opinion, outcome="supports", odds=99.0))
        if v.suspect == suspect
        else v
        for v in SAID
    ]
    assert rates_of(turned, ORIGINS, suspect) == rates_of(SAID, ORIGINS, suspect)


def test_cost_of_odds_by_hand() -> None:
    _, about = rates_of(SAID, ORIGINS, "")
    true = (math.log2(1 + 1 / 8) + math.log2(1 + 1 / 2)) / 2
    false = (math.log2(1 + 1) + math.log2(1 + 4) + math.log2(1 + 0.25)) / 3
    assert about.cllr == pytest.approx((true + false) / 2, rel=1e-12)
    assert about.auroc == pytest.approx((3 + 2) / 6)


def test_a_family_of_which_odds_say_nothing_cannot_be_told() -> None:
    misled = [verdict("s2", "a", 0.1) if v.suspect == "s2" else v for v in SAID]
    said = {v.suspect: v.opinion for v in settled(misled, ORIGINS)}
    assert said["s1"].outcome == "cannot tell"
    assert "no other model is documented that learned from a" in said["s1"].reason
    assert "says almost nothing about a: its Cllr there is 1.2" in said["clean"].reason


def told_apart(students: int, missed: int = 0) -> dict[str, Opinion]:
    """What is said of models beside so many student lineages, some of which look innocent."""
    origins = [Origin(f"p{i}", "student", "a", lineage=f"p{i}") for i in range(students)]
    against = Opinion("a", "t1", -3.0, "does not support", 0.1)
    support = Opinion("a", "t1", 3.0, "supports", 50.0)
    said = [
        Verdict("m", "talk", o.model, against if i < missed else support, 100, truth=True)
        for i, o in enumerate(origins)
    ]
    said += [verdict(m, "a", 0.02, "does not support") for m in ("clean", "other", "s3")]
    return {v.suspect: v.opinion for v in settled(said, (*ORIGINS, *origins))}


def test_a_family_that_is_told_apart_keeps_its_verdicts() -> None:
    """By hand: of 17 students none is missed, at most 1 - .025 ** (1 / 17) = 19.5 %; p0 leaves 16, 20.6 %."""
    said = told_apart(17)
    assert {o.outcome for m, o in said.items() if m.startswith("p")} == {"supports"}
    assert {said[m].outcome for m in ("clean", "other", "s3")} == {"does not support"}
    assert not any(o.reason for o in said.values())


@pytest.mark.parametrize(("students", "missed", "share"), [(16, 0, 21), (17, 1, 29), (2, 0, 84)])
def test_no_trace_says_nothing_where_students_may_leave_none(
    students: int, missed: int, share: int
) -> None:
    said = told_apart(students, missed)["clean"]
    assert (said.outcome, said.odds, said.is_told) == ("cannot tell", 0.02, True)
    assert said.reason == (
        f"no trace was found, but of {students} lineages of students of a that are documented up to {share} % "
        "may show none; at most 20 % may"
    )


def test_what_is_documented_decides_what_counts() -> None:
    low = Origin("m", "student", "a", confidence="low")
    assert low.learned_from("a") is None
    assert low.learned_from("b") is None
    assert Origin("m", "student", "a", also=("b",)).learned_from("b") is None
    assert Origin("m", "student", "a").learned_from("a") is True
    assert Origin("m", "control", confidence="low").learned_from("a") is False
    assert Origin("t", "teacher", "a").learned_from("b") is None


def test_a_lineage_is_left_out_whole() -> None:
    assert [o.model for o in without_lineage(ORIGINS, "s1")] == [
        "clean",
        "cousin",
        "other",
        "s3",
        "t1",
    ]
    assert len(without_lineage(ORIGINS, "stranger")) == len(ORIGINS)


def test_candidates_that_no_table_has_are_families_of_their_own() -> None:
    assert families_of(ORIGINS, ["a", "mine"]) == {"a": ("t1",), "mine": ("mine",)}


def named_of(**lineages: str) -> Interval:
    """The share of named students, the first two of whom are, if they are of these lineages."""
    origins = [Origin(m, "student", "a", lineage=lineage) for m, lineage in lineages.items()]
    said = [
        Verdict(
            "m", "talk", o.model, Opinion("a", "t1", 1.0, "cannot tell", is_named=i < 2), 9, True
        )
        for i, o in enumerate(origins)
    ]
    named = rates_of(said, origins, "")[1].named
    assert named is not None
    return named


def test_a_lineage_is_one_try() -> None:
    apart, kin = named_of(a="x", b="y", c="z", d="w"), named_of(a="x", b="x", c="z", d="z")
    assert apart.value == kin.value == 0.5
    assert (apart.low, apart.high) == pytest.approx((0.0676, 0.9324), abs=1e-4)  # 2 of 4
    assert kin.low < apart.low
    assert kin.high > apart.high


def test_innocents_accused_have_an_interval() -> None:
    whole, about = rates_of(SAID, ORIGINS, "")
    # of the innocents s3, clean and other, of three lineages, one is accused; cousin counts as neither
    accused = about.innocents_accused
    assert accused is not None
    assert accused.value == pytest.approx(1 / 3)
    assert accused.n == 3
    assert (accused.low, accused.high) == pytest.approx((0.0084, 0.9057), abs=1e-4)
    assert whole.innocents_accused == accused


def test_how_often_nothing_is_told() -> None:
    # of the five pairs that are documented, s2 and s3 get no answer
    assert rates_of(SAID, ORIGINS, "")[0].untold == pytest.approx(2 / 5)


def test_one_lineage_alone_is_one_try() -> None:
    same = [Origin(o.model, o.standing, o.family, lineage="x") for o in ORIGINS]
    named = rates_of(SAID, same, "")[1].named
    assert named is not None
    # half of one try: bounds of Beta(1/2, 3/2), whose distribution begins as 4 / pi * sqrt(x)
    assert named.low == pytest.approx((0.025 * math.pi / 4) ** 2, rel=1e-3)
    assert named.high == pytest.approx(1 - named.low)
    assert named.n == 2
