"""The exhibit as a reader sees it: complete, in words that claim no more than they may, the same bytes each time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from scipy.stats import binomtest

from harness.board.exhibit import Exhibit, document_of
from harness.board.plain import from_plain, to_plain
from harness.board.tables import Table
from harness.page.documents import html, markdown
from harness.panel.evidence import Verdict
from harness.stages import bundle
from harness.stages.run import execute
from harness.stages.verifying import consistency, opened
from harness.types import DistillbenchError
from tests.verdicts.bundles import NOWHERE, SUSPECT, small_case, write_bundle
from tests.verdicts.cases import case_run

HEADINGS = (
    "Question",
    "Data",
    "Method",
    "Known error rate",
    "Result",
    "Limits, and other explanations that remain",
    "What would settle it",
    "How to check this bundle",
)


def test_the_same_store_gives_the_same_bytes(place: Path, made: Path) -> None:
    again = write_bundle(place, "again")
    own, other = bundle.files_in(made), bundle.files_in(again)
    assert own.keys() == other.keys()
    for name in own:
        assert own[name].read_bytes() == other[name].read_bytes(), name


def test_both_documents_have_every_part_in_order(made: Path) -> None:
    for name, pattern in (("exhibit.md", r"^## (.+)$"), ("index.html", r"<h2 .+?>(.+?)</h2>")):
        text = (made / name).read_text()
        assert tuple(re.findall(pattern, text, re.MULTILINE)) == HEADINGS


def test_documents_claim_no_more_than_they_may(made: Path) -> None:
    for name in bundle.DOCUMENTS:
        text = (made / name).read_text().lower()
        assert not re.search(r"\b(prove[sdn]?|proof|distilled|stole|guilty)\b", text)
        assert "support" in text


def test_data_can_be_checked_with_other_tools(made: Path) -> None:
    text = (made / "exhibit.md").read_text()
    for name, path in bundle.files_in(made).items():
        if name.startswith(("answers/", "requests/")):
            assert bundle.sha256(path.read_bytes()) in text
    manifest = json.loads((made / "manifest.json").read_text())
    assert set(manifest["files"]) | set(manifest["documents"]) | {"manifest.json"} == set(
        bundle.files_in(made)
    )


def test_rates_have_exact_intervals_by_models_and_lineages(place: Path) -> None:
    said = opened(place / "out")
    origins = {o.model: o for o in said.exhibit.origins}
    (table,) = [
        block
        for section in document_of(said.exhibit, said.verdicts).sections
        for block in section.blocks
        if isinstance(block, Table) and block.heads[1].name.startswith("Accused wrongly")
    ]
    row = next(r for r in table.rows if r[0].text == "one")
    # the suspect is a student by the table, and that is what is asked
    own = [v for v in said.verdicts if v.family == "one" and v.suspect != SUSPECT]
    taught = {v.suspect for v in own if v.truth is True}
    told = {v.suspect for v in own if v.truth is True and v.opinion.outcome == "supports"}
    innocent = {v.suspect for v in own if v.truth is False}
    assert (len(taught), len(innocent)) == (2, 6)
    assert {origins[m].lineage for m in innocent} == {f"own {i}" for i in range(3)} | {
        f"two student {i}" for i in range(3)
    }
    exact = binomtest(len(told), 2).proportion_ci(0.95, "exact")
    assert row[3].text.startswith(f"{len(told)} of 2: ")
    low, high = re.findall(r"[\d.]+", row[3].text.partition("[")[2])
    assert float(low) == pytest.approx(100 * exact.low, abs=0.6)
    assert float(high) == pytest.approx(100 * exact.high, abs=0.6)


def test_lineages_count_by_their_worst_model(place: Path) -> None:
    said = opened(place / "out")
    value = to_plain(said.exhibit) | {"suspect": "two-student-0"}
    for origin in value["origins"]:
        if origin["model"] in ("control-0", "control-1"):
            origin["lineage"] = "twins"
        if origin["model"].startswith("one-student"):
            origin["lineage"] = "triplets"
    verdicts = to_plain(said.verdicts)
    for v in verdicts:
        opinion = v["opinion"]
        if (v["suspect"], v["task"]) == ("control-1", "talk") and opinion["family"] == "one":
            opinion["outcome"] = "supports"
        if v["suspect"].startswith("one-student") and opinion["family"] == "one":
            opinion["outcome"] = "cannot tell" if v["suspect"][-1] == "1" else "supports"
        elif v["suspect"] != "control-1":
            opinion["outcome"] = "cannot tell"
    made = document_of(from_plain(Exhibit, value), [from_plain(Verdict, v) for v in verdicts])
    text = markdown(made, bundle.ZEROS).partition("Accused wrongly")[2]
    (row,) = re.findall(r"^\| one \| (.+ of .+) \|$", text, re.MULTILINE)
    shares = [cell.partition(":")[0] for cell in row.split(" | ")]
    assert shares == ["1 of 5", "1 of 4", "2 of 3", "0 of 1"]


def test_prior_odds_multiply(made: Path) -> None:
    said = opened(made)
    odds = next(v.opinion.odds for v in said.verdicts if (v.suspect, v.family) == (SUSPECT, "one"))
    assert odds is not None
    (table,) = [
        block
        for section in document_of(said.exhibit, said.verdicts).sections
        for block in section.blocks
        if isinstance(block, Table) and block.heads[-1].name == "before: 10 : 1"
    ]
    assert [c.value for c in table.rows[0][1:]] == pytest.approx(
        [odds / 100, odds / 10, odds, odds * 10]
    )


def test_stated_prior_odds_are_in_case_plan_and_documents(place: Path) -> None:
    folder = write_bundle(place, "stated", prior_odds={"one": 0.01})
    said = opened(folder)
    assert said.exhibit.prior_odds == {"one": 0.01, "two": 1.0}
    assert json.loads((folder / "plan.json").read_text())["prior_odds"]["one"] == 0.01
    assert "| 1 : 100 |" in (folder / "exhibit.md").read_text()
    assert said.verdicts == opened(place / "out").verdicts
    case = json.loads((folder / "case.json").read_text())
    assert list(consistency(folder, said.exhibit)) == []
    changed = from_plain(Exhibit, {**case, "prior_odds": {"one": 0.5, "two": 1.0}})
    assert "case.json: prior_odds is not what plan.json says" in consistency(folder, changed)


def test_hostile_titles_and_terms_stay_text(place: Path) -> None:
    evil = "<script>alert(1)</script> | `x` \u202e **b** digest " + "a" * 64
    folder = write_bundle(place, "evil", title=evil, models={"one-v1": {"terms": evil}})
    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert "\u202e" not in page
    assert "default-src 'none'" in page
    text = (folder / "exhibit.md").read_text()
    assert "shown, not judged" in text
    assert "one (one-v1): " in text
    assert not re.search(r"(?<!\\)[<`]", text)
    assert bundle.changed_bytes(folder)[1] == []


def test_terms_stand_beside_their_candidate_on_the_page(place: Path) -> None:
    models = {n: {"terms": f"terms of {n}"} for n in ("one-v1", "two-v1")}
    ended = execute(
        case_run(place, suspect=SUSPECT, candidates=["one"], models=models), NOWHERE, alone=True
    )
    page = (place / "results/report/index.html").read_text()
    assert "one (one-v1): terms of one-v1" in page
    assert "terms of two-v1" not in page  # nobody asked for that family
    assert ended.record is not None
    assert ended.record.case is not None
    assert ended.record.case.terms["two-v1"] == "terms of two-v1"


def test_answers_with_a_secret_are_handed_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_case(tmp_path)
    data = tmp_path / "data/answers.jsonl"
    monkeypatch.setenv("SOME_API_KEY", "tr0ub4dor-and-3")
    data.write_text(data.read_text().replace('"response": "', '"response": "tr0ub4dor-and-3 ', 1))
    with pytest.raises(DistillbenchError, match="hold the value of SOME_API_KEY") as caught:
        write_bundle(tmp_path)
    assert "tr0ub4dor" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_suspect_that_nothing_weighs_has_no_bundle(tmp_path: Path) -> None:
    small_case(tmp_path)
    lines = (tmp_path / "data/answers.jsonl").read_text().splitlines()
    left = [line for line in lines if SUSPECT not in line]
    (tmp_path / "data/answers.jsonl").write_text("\n".join(left) + "\n")
    with pytest.raises(DistillbenchError, match=f"not written: nothing weighs {SUSPECT}|{SUSPECT}"):
        write_bundle(tmp_path)
    assert not (tmp_path / "out").exists()


def test_models_that_were_planned_and_never_answered_are_named(made: Path) -> None:
    said = opened(made)
    value = to_plain(said.exhibit)
    value["models"].append("late")
    text = html(document_of(from_plain(Exhibit, value), said.verdicts), bundle.ZEROS)
    assert "Planned, and without answers to talk: late." in text
