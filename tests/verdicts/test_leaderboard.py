"""The leaderboard of methods: its order, its dashes, its cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.board.evidence import Weighing, finding_table, rates_view, weighing_of
from harness.board.methods import methods_view
from harness.board.record import CaseRecord, MethodNote
from harness.board.tables import DASH, Cell, Table
from harness.panel.evidence import Verdict
from harness.panel.rates import rates_of
from harness.stats.betting import Stop
from tests.verdicts.test_rates import ORIGINS, SAID


def weighing(**verdicts: list[Verdict]) -> Weighing:
    """Of several methods, each with what it says of everybody."""
    said = [replace(v, method=name) for name, own in verdicts.items() for v in own]
    notes = tuple(
        MethodNote(name, "", 0.2 if name == "quick" else 61.7 if name == "good" else None)
        for name in verdicts
    )
    case = CaseRecord("", (), {"a": ("t1",)}, ORIGINS, notes)
    return Weighing((), case, (), tuple(said), tuple(rates_of(said, ORIGINS, "")))


def without_odds(verdicts: list[Verdict]) -> list[Verdict]:
    return [replace(v, opinion=replace(v.opinion, odds=None)) for v in verdicts]


def turned(verdicts: list[Verdict]) -> list[Verdict]:
    """Scores and odds the other way round."""
    return [
        replace(
            v,
            opinion=replace(
                v.opinion, score=-(v.opinion.score or 0), odds=1 / (v.opinion.odds or 1)
            ),
        )
        for v in verdicts
    ]


def column(table: Table, name: str) -> list[Cell]:
    place = [h.name for h in table.heads].index(name)
    return [row[place] for row in table.rows]


GOOD, BAD = list(SAID), turned(list(SAID))
EVERY = weighing(none_bad=without_odds(BAD), bad=BAD, quick=without_odds(GOOD), good=GOOD)


def test_the_best_comes_first_and_odds_come_before_scores() -> None:
    table = methods_view(EVERY)
    assert [c.text for c in column(table, "Method")] == ["good", "bad", "quick", "none_bad"]
    assert [c.text for c in column(table, "AUROC")] == ["0.83", "0.17", "0.83", "0.17"]


def test_without_odds_there_is_a_dash_with_its_reason() -> None:
    cells = column(methods_view(EVERY), "Cllr")
    assert [c.text == DASH for c in cells] == [False, False, True, True]
    assert "this method gives no odds" in cells[2].note


def test_counts_stand_with_their_intervals() -> None:
    table = methods_view(EVERY)
    (named, accused) = (column(table, name)[0] for name in ("Named", "Accused"))
    assert named.text == "1 of 2"
    assert (accused.text, accused.interval) == ("1 of 3", "[1, 91] %")
    assert column(table, "Found")[0].text == "1 of 2"
    assert column(table, "Cannot tell")[0].text == "40 %"


def test_costs_stand_where_methods_are_compared() -> None:
    costs = column(methods_view(EVERY), "Cost")
    assert [c.text for c in costs] == ["62 s", DASH, "below 1 s", DASH]
    assert "Cost" not in [h.name for h in methods_view(weighing(good=GOOD)).heads]


def test_of_many_accused_models_the_first_stand_there_and_all_can_be_read() -> None:
    extra = [f"z{i}" for i in range(8)]
    one = next(v for v in SAID if v.suspect == "clean")
    more = [replace(one, suspect=m) for m in extra]
    case = replace(EVERY.case, origins=(*ORIGINS, *(replace(ORIGINS[4], model=m) for m in extra)))
    rates = tuple(rates_of([*SAID, *more], case.origins, ""))
    (cell,) = column(methods_view(replace(EVERY, case=case, rates=rates)), "Accused wrongly")
    assert cell.text == "clean, z0, z1, z2, z3, z4 and 3 more"
    assert cell.note.endswith("z6, z7")


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ({"a": 0.01}, "a (odds 8.0 : 1; after the stated prior odds of 1 : 100: 1 : 12). "),
        ({"a": 1.0}, "a (odds 8.0 : 1). "),
    ],
)
def test_odds_that_support_stand_beside_those_after_the_stated_prior(
    prior: dict[str, float], words: str
) -> None:
    case = replace(EVERY.case, suspect="s1", prior_odds=prior)
    (finding,) = weighing_of(case, SAID).findings
    assert words in "".join(text for text, _ in finding.words)


@pytest.mark.parametrize(
    ("stop", "usd", "words", "cell"),
    [
        (Stop(40, 100, 7), 5.0, "60 prompts, $3.0 of $5.0 less.", "40 of 100"),
        (
            Stop(40, 100, 7),
            None,
            "more than each of 7 innocent lineages of its length",
            "40 of 100",
        ),
        (Stop(None, 100, 7), 5.0, "", DASH),
        (None, 5.0, "", ""),
    ],
)
def test_what_could_have_been_saved_stands_behind_what_is_supported(
    stop: Stop | None, usd: float | None, words: str, cell: str
) -> None:
    said = [replace(v, opinion=replace(v.opinion, stop=stop)) for v in SAID]
    case = replace(EVERY.case, suspect="s1", prior_odds={"a": 1.0})
    prices = None if usd is None else {"talk": usd}
    (finding,) = weighing_of(case, said, usd=prices).findings
    text = "".join(text for text, _ in finding.words)
    assert ("in random order" in text) is bool(words)
    assert words in text
    table = finding_table(finding.verdicts, finding.prior_odds)
    shown = column(table, "Enough prompts") if stop else []
    assert [c.text for c in shown] == ([cell] if cell else [])
    assert ("Enough prompts" in [h.name for h in table.heads]) is bool(stop)


def test_families_have_rows_of_their_own() -> None:
    table = rates_view(weighing(good=GOOD).rates)
    assert [row[0].text for row in table.rows] == ["a"]
    assert table.rows[0][-1].text == "clean"


@pytest.mark.parametrize("kind", [True, False])
def test_what_takes_both_kinds_of_models_is_a_dash_where_one_is_missing(kind: bool) -> None:
    table = methods_view(weighing(good=[v for v in SAID if v.truth is kind]))
    assert column(table, "AUROC")[0].text == DASH
    shown = {n: column(table, n)[0].text for n in ("Named", "Accused")}
    assert shown == (
        {"Named": "1 of 2", "Accused": DASH} if kind else {"Named": DASH, "Accused": "1 of 3"}
    )
