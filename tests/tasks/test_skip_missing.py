"""Tasks whose data sets are not there: named before anything runs, or left out where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.board.missing import missing_results
from harness.plan.lacking import without_lacking
from harness.stages.run import Outcome, execute
from harness.types import DistillbenchError
from tests.core.running import matrix, run_of

TASKS: dict[str, Any] = {**matrix()["tasks"], "arc_easy": None, "gsm8k": None}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One index of lm-eval's tasks for all."""
    _CACHE.append(tmp_path_factory.mktemp("cache"))
    return _CACHE[-1]


_CACHE: list[Path] = []


def paths_of(folder: Path) -> dict[str, str]:
    """An empty folder of data sets."""
    (folder / "hub").mkdir(exist_ok=True)
    return {"datasets": str(folder / "hub"), "cache": str(_CACHE[-1])}


def ended(folder: Path, **changes: Any) -> Outcome:
    own = {"tasks": TASKS, "paths": paths_of(folder), **changes}
    return execute(run_of(folder, **own), Path("nowhere.csv"), alone=True)


def test_every_task_without_data_is_named_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError) as error:
        ended(tmp_path)
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["task arc_easy", "task gsm8k"]
    assert all("expected a copy of data set" in line for line in lines)
    assert not (tmp_path / "results" / "store").exists()


def test_they_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = ended(tmp_path, skip_missing=True)
    assert outcome.code == 0
    assert outcome.record is not None
    line = "left out, since their data are not there: arc_easy, gsm8k"
    assert capsys.readouterr().err.splitlines().count(f"warning: {line}") == 1
    assert list(outcome.record.tasks) == ["open", "quiz"]
    assert f"{line}." in outcome.record.warnings
    (group,) = (m for m in missing_results(outcome.record) if "left out" in m.kind)
    assert [part.part for part in group.parts] == ["task arc_easy", "task gsm8k"]
    assert all("expected a copy of data set" in part.reason for part in group.parts)
    page = (tmp_path / "results" / "report" / "index.html").read_text("utf-8")
    assert "the task was left out: its data are not there" in page


def test_what_reads_their_answers_goes_with_them(tmp_path: Path) -> None:
    tasks = {**TASKS, "reads": {"kind": "reading", "answers_to": "gsm8k", "by": ["teacher"]}}
    paths = paths_of(tmp_path)
    run = without_lacking(run_of(tmp_path, tasks=tasks, paths=paths, skip_missing=True))
    assert list(run.tasks) == ["open", "quiz"]
    assert run.left_out["reads"] == "it reads answers to gsm8k, which was left out"


def test_a_run_without_a_task_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError, match="skip_missing: no task is left"):
        ended(tmp_path, tasks={"arc_easy": None, "gsm8k": None}, skip_missing=True)


def test_a_fault_that_is_no_lack_stays_one(tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError, match="arc_eas"):
        ended(
            tmp_path,
            tasks={**TASKS, "mine": {"kind": "lm_eval", "task": "arc_eas"}},
            skip_missing=True,
        )
