"""The plan of a case, fixed before its answers: what is in it, and a run that is another is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.models import AbstractModel
from harness.plugins import build, kinds
from harness.stages import bundle
from harness.stages.run import execute
from harness.types import DistillbenchError
from tests.core.running import inside, write_files
from tests.verdicts.bundles import NOWHERE, SCORED, SUSPECT, small_case, write_bundle
from tests.verdicts.cases import case_run, matrix

Told = pytest.CaptureFixture[str]


def plan(folder: Path, **changes: Any) -> dict[str, Any]:
    """The plan that is written for a small case."""
    words = {"suspect": SUSPECT, "candidates": ["one"], "stages": ["plan"], **changes}
    execute(case_run(folder, **words, exhibit=str(folder / "out")), NOWHERE, alone=True)
    planned: dict[str, Any] = json.loads((folder / "out/plan.json").read_text())
    return planned


def test_a_plan_has_what_decides_and_no_answer(tmp_path: Path, capsys: Told) -> None:
    small_case(tmp_path)
    planned = plan(tmp_path, seed=3, limit=9)
    assert planned["suspect"] == SUSPECT
    assert planned["candidates"] == ["one"]
    assert (planned["seed"], planned["limit"]) == (3, 9)
    assert planned["documented"]["two-student-0"]["family"] == "two"
    assert planned["methods"]["ngram_ratio"]["fields"] == {"bound": 10.0}
    assert set(planned["requests"]) == {"talk"}
    assert planned["models"][SUSPECT] == {
        "kind": "recorded",
        "columns": {"prompt": "prompt", "answer": "response"},
        "chat": False,
    }
    assert planned["answers_before"] == []
    assert not (tmp_path / "results/store").exists()
    digest = bundle.sha256((tmp_path / "out/plan.json").read_bytes())
    assert digest in capsys.readouterr().err


def test_a_run_as_planned_says_so_and_the_plan_stays(tmp_path: Path) -> None:
    small_case(tmp_path)
    plan(tmp_path)
    before = (tmp_path / "out/plan.json").read_bytes()
    plan(tmp_path)  # planning the same again changes nothing
    folder = write_bundle(tmp_path)
    assert (folder / "plan.json").read_bytes() == before
    words = " ".join((folder / "exhibit.md").read_text().split())
    assert "The plan was fixed before this run" in words
    assert "answers of no model were stored" in words
    assert bundle.sha256(before) in words


def test_a_bundle_without_a_plan_says_so(made: Path) -> None:
    words = (made / "exhibit.md").read_text()
    assert "The plan was not fixed before the answers were collected." in words


def test_a_plan_over_stored_answers_says_whose(place: Path, tmp_path: Path) -> None:
    words = {"suspect": SUSPECT, "candidates": ["one"], "exhibit": str(tmp_path / "late")}
    execute(case_run(place, **words, stages=["plan"]), NOWHERE, alone=True)
    assert SUSPECT in json.loads((tmp_path / "late/plan.json").read_text())["answers_before"]
    execute(case_run(place, **words, stages=SCORED), NOWHERE, alone=True)
    assert f"among them {SUSPECT} were stored" in (tmp_path / "late/exhibit.md").read_text()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 5}, "seed: 0 -> 5"),
        ({"limit": 4}, "limit: none -> 4"),
        ({"suspect": "two-student-0"}, 'suspect: "one-student-0" -> "two-student-0"'),
        ({"candidates": ["two"]}, 'candidates: ["one"] -> ["two"]'),
        (
            {"verdicts": {"ngram_ratio": {"bound": 5.0}}},
            "methods.ngram_ratio.fields.bound: 10.0 -> 5.0",
        ),
        ({"prior_odds": {"one": 0.01}}, "prior_odds.one: 1.0 -> 0.01"),
        ({"decoding": {"temperature": 0.5}}, "decoding.temperature: 0.0 -> 0.5"),
        (
            {"models": {"more": {"kind": "fake"}}},
            'models.more: none -> {"chat": false, "kind": "fake"}',
        ),
        (
            {"models": {SUSPECT: {"system": "Write like one.", "chat": True}}},
            f'models.{SUSPECT}.system: none -> "Write like one."',
        ),
        (
            {"lineages": [{**matrix()["lineages"][0], "changes": {"control-0": {"lineage": "x"}}}]},
            'documented.control-0.lineage: "own 0" -> "x"',
        ),
        (
            {"tasks": {"talk": {**matrix()["tasks"]["talk"], "max_new_tokens": 9}}},
            "requests.talk.as plain text: ",
        ),
    ],
)
def test_another_run_than_was_planned_is_refused_in_one_line(
    place: Path, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    words = {"suspect": SUSPECT, "candidates": ["one"], "exhibit": str(tmp_path / "out")}
    execute(case_run(place, **words, stages=["plan"]), NOWHERE, alone=True)
    before = (tmp_path / "out/plan.json").read_bytes()
    for stages in (SCORED, ["plan"]):
        with pytest.raises(DistillbenchError) as caught:
            execute(case_run(place, **{**words, **changes}, stages=stages), NOWHERE, alone=True)
        assert named in str(caught.value)
        assert "another plan was fixed" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["plan.json"]
    assert (tmp_path / "out/plan.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"answers_before": 3}'])
def test_a_plan_that_is_none_is_one_line(place: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(DistillbenchError, match=r"plan\.json: (expected a plan|another plan)"):
        write_bundle(place, str(tmp_path))


def test_a_folder_that_holds_something_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    small_case(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("x")
    with pytest.raises(DistillbenchError, match=r"out: expected no folder.*it holds thesis\.tex"):
        write_bundle(tmp_path)
    for inside_a_file in ("out/thesis.tex", "out/thesis.tex/more"):
        with pytest.raises(DistillbenchError, match=r"expected a folder, but .*tex is a file"):
            write_bundle(tmp_path, inside_a_file)
    with pytest.raises(DistillbenchError, match=r"it holds thesis\.tex"):
        plan(tmp_path)
    assert not (tmp_path / "results").exists()
    assert (tmp_path / "out/thesis.tex").read_text() == "x"


def test_a_sweep_and_a_case_without_suspect_have_no_bundle(place: Path, tmp_path: Path) -> None:
    run = case_run(place, suspect=SUSPECT, exhibit=str(tmp_path / "out"), stages=SCORED)
    with pytest.raises(DistillbenchError, match="this is a sweep"):
        execute(run, NOWHERE, alone=False)
    with pytest.raises(DistillbenchError, match="a bundle is about one suspect"):
        case_run(place, exhibit="out")
    for suspect in ({}, {"suspect": SUSPECT}):
        with pytest.raises(DistillbenchError, match="holds nothing of a file of training answers"):
            case_run(place, exhibit="out", data="answers.jsonl", **suspect)
    with pytest.raises(DistillbenchError, match="`score` is not among the stages"):
        case_run(place, suspect=SUSPECT, exhibit="out", stages=["collect"])


def test_refusals_on_the_command_line_are_2(place: Path, tmp_path: Path) -> None:
    files = {"matrix/mine": matrix()}
    words = ("matrix=mine", f"suspect={SUSPECT}", f"exhibit={tmp_path / 'out'}")
    folders = [f"paths.{name}={place / name}" for name in ("results", "cache", "data")]
    conf = ["--config-dir", str(write_files(place, files))]
    before = set((place / "results").glob("runs/*"))  # of other tests
    planned = inside(place, "plan", *conf, *words, *folders, bare=True)
    assert planned.returncode == 0, planned.stderr
    assert set((place / "results").glob("runs/*")) == before
    refused = inside(place, *words, "seed=1", files=files)
    assert refused.returncode == 2
    assert "seed: 0 -> 1" in refused.stderr
    assert inside(tmp_path, "verify", str(tmp_path), bare=True).returncode == 2


def test_terms_of_use_are_in_no_key() -> None:
    for kind in kinds("models"):
        assert AbstractModel.__dataclass_fields__["terms"].metadata == {"key": "describes"}, kind
    fake: Any = build("models", "a", {"kind": "fake", "terms": "no training"})
    assert fake.terms == "no training"
