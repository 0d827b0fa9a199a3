"""Cases as whole runs: from a table of lineages and a file of answers to verdicts, rates, page and tables."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from harness.board.board import make_board
from harness.board.evidence import finding_table, weighings
from harness.board.record import RunRecord
from harness.board.saved import read_record
from harness.exports.newick import Newick
from harness.stages.keeping import needed_keys
from harness.stages.preview import planned
from harness.stages.run import DONE, execute
from harness.store.inventory import holdings
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.verdicts.cases import ANSWERS, case_run, matrix, write_crowd

NOWHERE = Path("nowhere.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run about one suspect."""
    folder = tmp_path_factory.mktemp("case")
    write_crowd(folder / "data")
    run = case_run(folder, suspect="one-student-0", candidates=["one"])
    ended = execute(run, NOWHERE, alone=True)
    assert ended.code == DONE
    return folder


def record(folder: Path) -> RunRecord:
    return read_record(folder / "results" / "report")


@pytest.mark.slow
def test_everybody_is_weighed_beside_every_family_but_their_own_versions(folder: Path) -> None:
    said = {(v.suspect, v.family) for v in record(folder).verdicts}
    case = record(folder).case
    assert case is not None
    every = {(o.model, f) for o in case.origins for f in ("one", "two")}
    assert said == every - {(f"{f}-v{v}", f) for f in ("one", "two") for v in (1, 2)}


def test_the_table_says_what_is_true(folder: Path) -> None:
    truth = {(v.suspect, v.family): v.truth for v in record(folder).verdicts}
    assert truth["one-student-0", "one"] is True
    assert truth["one-student-0", "two"] is False
    assert truth["control-3", "one"] is False
    assert truth["one-v1", "two"] is None


def test_a_case_needs_all_that_was_stored_for_it(folder: Path) -> None:
    run = case_run(folder, suspect="one-student-0", candidates=["one"])
    store = Store(run.paths.results)
    assert {h.key for h in holdings(store)} <= needed_keys(planned(run, store), store)


def test_page_and_tables_show_the_same(folder: Path) -> None:
    report = folder / "results" / "report"
    page = (report / "index.html").read_text()
    assert "From whose answers did one-student-0 learn?" in page
    with (report / "verdicts.csv").open(newline="") as file:
        rows = {(r["suspect"], r["family"]): r for r in csv.DictReader(file)}
    said = {(v.suspect, v.family): v for v in record(folder).verdicts}
    assert rows.keys() == said.keys()
    assert float(rows["one-student-0", "one"]["odds"]) == said["one-student-0", "one"].opinion.odds
    with (report / "rates.csv").open(newline="") as file:
        whole = next(r for r in csv.DictReader(file) if r["family"] == "")
    assert (whole["n_guilty"], whole["n_innocent"]) == ("11", "8")


def test_prior_odds_are_multiplied_and_change_no_verdict(folder: Path, tmp_path: Path) -> None:
    prior = {"one-v2": 0.01}  # a version stands for its family
    run = case_run(folder, suspect="one-student-0", candidates=["one"], prior_odds=prior)
    assert run.case.prior_odds == {"one": 0.01, "two": 1.0}
    report = replace(run.paths, results=tmp_path)
    (tmp_path / "store").symlink_to(folder / "results" / "store")
    ended = execute(replace(run, paths=report), NOWHERE, alone=True)
    assert ended.record is not None
    assert ended.record.verdicts == record(folder).verdicts
    with (tmp_path / "report" / "verdicts.csv").open(newline="") as file:
        rows = {(r["suspect"], r["family"]): r for r in csv.DictReader(file)}
    own = rows["one-student-0", "one"]
    odds = next(v for v in record(folder).verdicts if v.suspect == "one-student-0").opinion.odds
    assert odds is not None
    assert float(own["prior_odds"]) == 0.01
    assert float(own["posterior_odds"]) == pytest.approx(odds / 100)
    assert rows["one-student-0", "two"]["prior_odds"] == "1.0"
    assert {r["prior_odds"] for (s, _), r in rows.items() if s != "one-student-0"} == {""}
    (finding,) = weighings(ended.record)[0].findings
    row = finding_table(finding.verdicts, finding.prior_odds).rows[0]
    assert row[3].text == "1 : 100"
    assert row[4].value == pytest.approx(odds / 100)


def test_prior_odds_are_even_where_none_are_stated(folder: Path) -> None:
    (finding,) = weighings(record(folder))[0].findings
    cells = finding_table(finding.verdicts, finding.prior_odds).rows[0]
    assert cells[3].text == "1 : 1"
    assert cells[4].value == cells[2].value
    assert "stated prior odds" not in "".join(text for text, _ in finding.words)


def test_one_number_is_the_prior_of_every_family(folder: Path) -> None:
    case = case_run(folder, suspect="one-student-0", prior_odds=0.5).case
    assert case.prior_odds == {"one": 0.5, "two": 0.5}


@pytest.mark.slow
def test_controls_of_ones_own_are_innocents_without_a_table(tmp_path: Path) -> None:
    """Three models leave the table: as controls of the matrix they stand where they stood."""
    mine = {n: {**ANSWERS, "where": {"model": n}} for n in ("control-0", "control-1", "control-2")}
    write_crowd(tmp_path / "data")
    whole = execute(case_run(tmp_path, suspect="one-student-0"), NOWHERE, alone=False).record
    table = tmp_path / "data" / "lineages.csv"
    lines = [t for t in table.read_text().splitlines() if t.partition(",")[0] not in mine]
    table.write_text("\n".join(lines) + "\n")
    controls = ["control-0", {"model": "control-1", "lineage": "own 1"}, {"model": "control-2"}]
    run = case_run(tmp_path, suspect="one-student-0", models=mine, controls=controls)
    origins = {o.model: o for o in run.case.origins}
    assert {origins[n].learned_from(f) for n in mine for f in ("one", "two")} == {False}
    assert [origins[n].lineage for n in mine] == ["control-0", "own 1", "control-2"]
    ended = execute(run, NOWHERE, alone=False).record
    assert whole is not None
    assert ended is not None
    odds = [[v.opinion.odds for v in r.verdicts] for r in (whole, ended)]
    assert odds[0] == odds[1]
    (weighing,) = weighings(ended)
    assert next(r for r in weighing.rates if not r.family).n_innocent == 8


def test_a_control_of_some_teachers_is_innocent_of_these_alone(tmp_path: Path) -> None:
    write_crowd(tmp_path / "data")
    mine = {"mine": {**ANSWERS, "where": {"model": "control-0"}}}
    controls = [{"model": "mine", "teachers": ["two-v1"]}]
    origins = case_run(tmp_path, models=mine, controls=controls).case.origins
    (own,) = [o for o in origins if o.model == "mine"]
    assert (own.learned_from("one"), own.learned_from("two")) == (None, False)


def test_the_suspect_counts_in_none_of_its_error_rates(folder: Path) -> None:
    (weighing,) = weighings(record(folder))
    whole = next(r for r in weighing.rates if not r.family)
    assert (whole.n_guilty, whole.n_innocent) == (11, 8)
    page = (folder / "results" / "report" / "index.html").read_text()
    assert "one-student-0 stands in the tables too" in page


def test_the_cost_stands_in_the_record_and_in_no_table(folder: Path) -> None:
    case = record(folder).case
    assert case is not None
    (note,) = case.methods
    assert note.cpu_s is not None
    assert note.cpu_s > 0
    report = folder / "results" / "report"
    for path in report.glob("*.csv"):
        assert "cpu" not in path.read_text().partition("\n")[0], path.name
    store = Store(folder / "results")
    (entry,) = verdict_keys(store)
    assert "cpu" not in str(store.table(entry).to_pylist()) + str(store.spec(entry))


@pytest.mark.slow
def test_the_cost_of_a_method_that_reads_tokens_has_that_of_the_tokens(tmp_path: Path) -> None:
    write_crowd(tmp_path / "data")
    run = case_run(tmp_path, verdicts={"burrows_delta": None, "character_ngrams": None})
    ended = execute(run, NOWHERE, alone=True)
    assert ended.record is not None
    assert ended.record.case is not None
    store = Store(tmp_path / "results")
    own = {store.spec(k)["verdict"]: store.provenance(k)["cpu_s"] for k in verdict_keys(store)}
    tokens = [k for k in store.loose() if store.spec(k).get("feature") == "tokens"]
    assert len(tokens) == len(ended.record.case.origins)
    read = sum(store.provenance(k)["cpu_s"] for k in tokens)
    costs = {n.name: n.cpu_s for n in ended.record.case.methods}
    assert costs["burrows_delta"] == pytest.approx(own["burrows_delta"] + read)
    assert costs["character_ngrams"] == pytest.approx(own["character_ngrams"])
    page = (tmp_path / "results" / "report" / "index.html").read_text()
    assert "processor seconds" in page
    assert "similarity, not ancestry" in page
    assert (tmp_path / "results" / "report" / "lineages.nwk").exists()


def verdict_keys(store: Store) -> list[str]:
    return [k for k in store.loose() if "verdict" in store.spec(k)]


@pytest.mark.slow
def test_order_of_candidates_and_of_the_table_changes_no_byte(folder: Path, tmp_path: Path) -> None:
    write_crowd(tmp_path / "data")
    table = tmp_path / "data" / "lineages.csv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head, *reversed(rows)]) + "\n")
    ended = execute(case_run(tmp_path), NOWHERE, alone=False)
    assert ended.record is not None
    assert set(ended.record.verdicts) == set(record(folder).verdicts)
    # a tree stands where nobody in particular is the suspect
    case, about_one = ended.record.case, record(folder).case
    assert case is not None
    assert about_one is not None
    assert [t.task for t in case.trees] == ["talk"]
    assert about_one.trees == ()
    store = Store(tmp_path / "results")
    run = case_run(tmp_path)
    assert {h.key for h in holdings(store)} <= needed_keys(planned(run, store), store)
    assert set(case.trees[0].branches[-1].models) == {o.model for o in case.origins}
    Newick("newick", "newick").export(make_board(ended.record), tmp_path)
    (line,) = (tmp_path / "lineages.nwk").read_text().splitlines()
    assert line.count("'control-0'") == 1


def test_a_second_run_weighs_nothing_again(folder: Path) -> None:
    store = folder / "results" / "store"
    before = sorted(p.name for p in store.iterdir())
    execute(case_run(folder, suspect="two-student-1"), NOWHERE, alone=False)
    assert sorted(p.name for p in store.iterdir()) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"suspect": "nobody"}, "suspect: 'nobody' is unknown"),
        ({"candidates": ["three"]}, "candidates: 'three' is unknown"),
        ({"suspect": "one-v1", "candidates": ["one-v1"]}, "the suspect itself"),
        *(
            ({"suspect": "control-0", "prior_odds": bad}, "prior_odds: expected a number above 0")
            for bad in (0, -1, float("nan"), float("inf"), "1:100", None, True)
        ),
        ({"suspect": "control-0", "prior_odds": {"one": 0}}, "key prior_odds.one: expected a"),
        ({"suspect": "control-0", "prior_odds": {"three": 2}}, "prior_odds: 'three' is unknown"),
        ({"suspect": "control-0", "prior_odds": {"one": 2, "one-v1": 3}}, "one is named 2 times"),
        ({"suspect": "control-0", "controls": ["control-0"]}, "control-0 is the suspect; a cont"),
        ({"controls": ["one-v1"]}, "controls: one-v1 is a teacher"),
        ({"controls": ["one-student-0"]}, "one-student-0 is a student of one by its table"),
        ({"prior_odds": 2}, "prior_odds: they are about one suspect; add suspect=MODEL"),
        ({"verdicts": {}}, "verdicts: nothing weighs the suspect"),
        ({"lineages": []}, "lineages: a verdict needs models whose training is documented"),
        ({"lineages": [{**matrix()["lineages"][0], "file": "none.csv"}]}, "none.csv"),
        ({"lineages": [{**matrix()["lineages"][0], "changes": {"one-stud": {}}}]}, "key changes: "),
        (
            {"lineages": [{"file": "lineages.csv"}]},
            "nothing says how answers of control-0 are read",
        ),
        ({"lineages": matrix()["lineages"] * 2}, "stands in an earlier table too"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    write_crowd(tmp_path / "data")
    with pytest.raises(DistillbenchError) as caught:
        case_run(tmp_path, **changes)
    assert any(words in line for line in str(caught.value).splitlines()), str(caught.value)


def test_controls_of_ones_own_need_no_table(tmp_path: Path) -> None:
    write_crowd(tmp_path / "data")
    models = {m: ANSWERS | {"where": {"model": m}} for m in ("one-v1", "control-0", "control-1")}
    told = [{"model": "control-1", "lineage": "x"}]
    case = case_run(
        tmp_path,
        lineages=[],
        models=models,
        suspect="control-0",
        candidates=["one-v1"],
        controls=told,
    ).case
    assert case.families == {"one-v1": ("one-v1",)}
    assert [(o.model, o.standing, o.lineage) for o in case.origins] == [
        ("control-1", "control", "x")
    ]


@pytest.mark.slow
def test_a_family_without_known_students_cannot_be_told(tmp_path: Path) -> None:
    students = {f"two_student_{i}": {"role": "control", "family": ""} for i in range(6)}
    write_crowd(tmp_path / "data", **students)
    ended = execute(case_run(tmp_path), NOWHERE, alone=False)
    assert ended.record is not None
    about = [v.opinion for v in ended.record.verdicts if v.family == "two"]
    assert {o.outcome for o in about} == {"cannot tell"}
    assert all("no other model is documented that learned from two" in o.reason for o in about)


def test_cells_of_a_table_are_read_as_the_matrix_says(tmp_path: Path) -> None:
    write_crowd(tmp_path / "data")
    changes = {
        "control-3": {"also": ["one"]},
        "one-student-0": {"lineage": "shared"},
        "control-0": {"role": "student", "family": "two", "confidence": "medium"},
    }
    run = case_run(tmp_path, lineages=[{**matrix()["lineages"][0], "changes": changes}])
    origins = {o.model: o for o in run.case.origins}
    assert origins["control-3"].learned_from("one") is None
    assert origins["control-3"].learned_from("two") is False
    assert origins["one-student-0"].lineage == "shared"
    assert origins["control-0"].learned_from("two") is True
    assert origins["control-1"].is_clean
