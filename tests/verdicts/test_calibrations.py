"""Odds as data: what a run fitted, given to another; never for other prompts, or beside other models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.board.plain import from_plain
from harness.board.record import RunRecord
from harness.cli.config import packaged
from harness.panel.calibration import Calibration
from harness.plan.run import Run
from harness.stages.run import execute
from harness.stages.verifying import differences, opened, weighed_again
from harness.stats.odds import SUPPORT
from harness.testing.crowds import crowd
from harness.text.attribution import ODDS
from harness.types import DistillbenchError, Unavailable
from harness.verdicts.attribution import VERSION, Attribution
from tests.verdicts.bundles import NOWHERE, SCORED
from tests.verdicts.cases import case_run, write_crowd

NAME = "calibration_attribution_talk.json"
FITTED: dict[str, Any] = {"attribution": {}}


def ran(run: Run) -> RunRecord:
    ended = execute(run, NOWHERE, alone=True)
    assert ended.record is not None
    return ended.record


def scored(folder: Path, **changes: Any) -> RunRecord:
    return ran(case_run(folder, stages=SCORED, **changes))


def missing(record: RunRecord) -> tuple[str, ...]:
    assert record.case is not None
    return record.case.missing


def given(path: Path) -> dict[str, Any]:
    return {"attribution": {"calibration": str(path)}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that fitted odds."""
    folder = tmp_path_factory.mktemp("fitted")
    write_crowd(folder / "data", crowd(n_students=3, n_controls=5, n_prompts=20))
    ran(case_run(folder, verdicts=FITTED))
    return folder


def stored(folder: Path) -> Calibration:
    return from_plain(Calibration, json.loads((folder / "results/report" / NAME).read_text()))


def test_a_run_leaves_numbers_and_names_and_no_text(folder: Path) -> None:
    made = stored(folder)
    assert (made.method, made.n_prompts) == ("attribution", 20)
    assert len(made.date) == len("2026-01-01")
    assert made.models["control-0"] == "own 0"
    assert len(made.models) == 11
    assert made.without.keys() <= set(made.models.values())
    whole = made.errors[0]
    assert (whole.n_guilty, whole.n_innocent) == (6, 5)
    text = (folder / "results/report" / NAME).read_text()
    for word in ("however", "besides", "for example"):  # of which all answers are made
        assert word not in text


def test_given_to_another_run_it_gives_the_same_verdicts_of_everybody(
    folder: Path, tmp_path: Path
) -> None:
    fitted = scored(folder, verdicts=FITTED)
    (tmp_path / "data").symlink_to(folder / "data")
    again = scored(tmp_path, verdicts=given(folder / "results/report" / NAME))
    assert again.verdicts == fitted.verdicts
    assert again.case is not None
    assert again.case.calibrations == {}  # nothing was fitted


def test_further_documented_models_change_no_odds(folder: Path, tmp_path: Path) -> None:
    write_crowd(tmp_path / "data", crowd(n_students=3, n_controls=6, n_prompts=20))
    record = scored(tmp_path, verdicts=given(folder / "results/report" / NAME))
    before = {
        (v.suspect, v.family): v.opinion.odds for v in scored(folder, verdicts=FITTED).verdicts
    }
    after = {(v.suspect, v.family): v.opinion.odds for v in record.verdicts}
    assert after.keys() > before.keys()
    assert {k: after[k] for k in before} == before
    other = scored(tmp_path, verdicts=FITTED)
    assert {(v.suspect, v.family): v.opinion.odds for v in other.verdicts} != after


def test_a_suspects_lineage_is_left_out_of_its_fit(folder: Path) -> None:
    made = stored(folder)
    names = set(made.models)
    assert made.fit_for(names) == made.fit
    assert made.fit_for(names - {"one-student-0"}) == made.without["one student 0"]
    assert made.without["one student 0"] != made.fit
    with pytest.raises(Unavailable, match="no fit without the suspect's lineage"):
        made.fit_for(names - {"one-student-0", "control-0"})


def test_a_bundle_made_with_it_can_be_weighed_again(folder: Path, tmp_path: Path) -> None:

    (tmp_path / "data").symlink_to(folder / "data")
    verdict = given(folder / "results/report" / NAME)
    scored(tmp_path, suspect="one-student-0", verdicts=verdict, exhibit=str(tmp_path / "out"))
    said = opened(tmp_path / "out")
    again = weighed_again(tmp_path / "out", said.exhibit)
    assert list(differences(tmp_path / "out", said, again)) == []
    assert said.exhibit.methods[0].fields["calibration"]["n_prompts"] == 20


def test_other_prompts_and_missing_models_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = given(folder / "results/report" / NAME)
    (tmp_path / "data").symlink_to(folder / "data")
    (line,) = missing(ran(case_run(tmp_path, verdicts=verdict, limit=19)))
    assert "was fitted on 20 other prompts than these 19: leave it out" in line
    assert f"THERE IS NOT ONE NUMBER: {line}" in capsys.readouterr().err
    fewer = tmp_path / "fewer"
    write_crowd(fewer / "data", crowd(n_students=3, n_controls=4, n_prompts=20))
    (line,) = missing(scored(fewer, verdicts=verdict))
    assert "no controls or students here are control-4: add their answers" in line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: "{", "it is not JSON"),
        (lambda c: "[]", "got other JSON"),
        (lambda c: json.dumps(c | {"version": 99}), "expected one of attribution, version 1; got"),
        (lambda c: json.dumps(c | {"method": "other"}), "got other, version 1"),
        (lambda c: json.dumps({"method": "attribution"}), "key version is missing"),
        (lambda c: json.dumps(c | {"fit": 3}), "calibration: key fit: expected a mapping, got 3"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_is_no_calibration_is_one_line(
    folder: Path, tmp_path: Path, change: Callable[[dict[str, Any]], str] | None, words: str
) -> None:
    path = tmp_path / "some.json"
    if change:
        path.write_text(change(json.loads((folder / "results/report" / NAME).read_text())))
    with pytest.raises(DistillbenchError) as caught:
        case_run(folder, verdicts=given(path))
    assert any(words in line for line in str(caught.value).splitlines()), str(caught.value)


def test_the_one_that_comes_with_distillbench_is_of_todays_method_and_holds_no_text(
    folder: Path,
) -> None:
    path = packaged("conf") / "calibration" / "alpaca_eval.json"
    assert path.stat().st_size < 100_000
    (verdict,) = case_run(folder, verdicts=given(Path("alpaca_eval"))).verdicts.values()
    assert isinstance(verdict, Attribution)
    made = verdict.calibration
    assert made is not None
    assert (made.version, made.signals, made.n_prompts) == (VERSION, ODDS, 805)
    assert made.without.keys() <= set(made.models.values())
    assert min(made.fit.coefficients.slopes) >= 0
    assert made.fit.high >= SUPPORT
    words = re.findall(r'"([^"]+)"', path.read_text())
    assert max(map(len, words)) <= 64  # digests, names of models, keys


def test_the_one_that_comes_with_distillbench_is_refused_for_other_prompts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = given(Path("alpaca_eval")) | {"burrows_delta": {}}
    record = ran(case_run(folder, verdicts=both))
    (line,) = missing(record)
    assert "was fitted on 805 other prompts than these 20" in line
    assert f"warning: Nothing is weighed by {line}." in capsys.readouterr().err
    assert {v.method for v in record.verdicts} == {"burrows_delta"}
