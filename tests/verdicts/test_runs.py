"""Cases as whole runs: from a table of lineages and a file of answers to verdicts, rates, page and tables."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from harness.board.board import make_board
from harness.board.record import RunRecord
from harness.board.saved import read_record
from harness.exports.newick import Newick
from harness.stages.run import DONE, execute
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.verdicts.cases import case_run, matrix, write_crowd

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
    assert (whole["n_guilty"], whole["n_innocent"]) == ("12", "8")


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
    tokens = [k for k in keys(store) if store.spec(k).get("feature") == "tokens"]
    assert len(tokens) == len(ended.record.case.origins)
    read = sum(store.provenance(k)["cpu_s"] for k in tokens)
    costs = {n.name: n.cpu_s for n in ended.record.case.methods}
    assert costs["burrows_delta"] == pytest.approx(own["burrows_delta"] + read)
    assert costs["character_ngrams"] == pytest.approx(own["character_ngrams"])
    page = (tmp_path / "results" / "report" / "index.html").read_text()
    assert "processor seconds" in page
    assert "similarity, not ancestry" in page
    assert (tmp_path / "results" / "report" / "lineages.nwk").exists()


def keys(store: Store) -> list[str]:
    return [p.parent.name for p in (store.root / "store").glob("*/*/spec.json")]


def verdict_keys(store: Store) -> list[str]:
    return [k for k in keys(store) if "verdict" in store.spec(k)]


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
