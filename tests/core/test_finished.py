"""A run whose results stand as it left them says again what it said; whatever changes makes it again."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.config import packaged, typed_run
from harness.console.progress import overhearing
from harness.plan.run import Condition, Run
from harness.stages import run as stages
from harness.stages.report import write_report
from harness.stages.run import Outcome, execute
from harness.store.stamps import stamp
from tests.core.running import composed, matrix, run_of, write_data

REFERENCE = packaged("reference") / "scores.csv"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A folder for every report that is made."""
    made: list[Path] = []
    real = write_report

    def write(record: object, folder: Path, read: object) -> Path:
        made.append(folder)
        return real(record, folder, read)  # type: ignore[arg-type]

    monkeypatch.setattr(stages, "write_report", write)
    return made


def done(run: Run) -> tuple[Outcome, list[str]]:
    """The outcome, and what was said."""
    said = list[str]()
    with overhearing(said):
        return execute(run, REFERENCE, alone=True), said


def files(results: Path) -> dict[str, bytes]:
    """The files of the report, without what a run says of itself."""
    return {p.name: p.read_bytes() for p in (results / "report").iterdir() if p.name != "run.json"}


def test_what_was_said_is_said_again_and_no_page_is_made(tmp_path: Path, made: list[Path]) -> None:
    run = run_of(tmp_path)
    first, said = done(run)
    before = files(run.paths.results)
    for _ in range(3):
        again, words = done(run)
        assert again == dataclasses.replace(first, record=None)
        assert words == said
        assert any("the page:" in line for line in words)
    assert len(made) == 1
    assert files(run.paths.results) == before
    (run.paths.results / "finished.json").unlink()
    done(run)
    assert len(made) == 2
    assert files(run.paths.results) == before, "the same bytes as when it is made"


def test_the_file_of_the_run_says_that_nothing_was_computed(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    done(run)
    first = json.loads((run.paths.results / "report" / "run.json").read_text())["work"]
    done(run)
    work = json.loads((run.paths.results / "report" / "run.json").read_text())["work"]
    assert sum(row["computed"] for row in first) > 0
    assert not any(row["computed"] for row in work)
    assert [r["computed"] + r["reused"] for r in first] == [r["reused"] for r in work]


def _touched_answer(results: Path) -> None:
    path = next((results / "store").rglob("rows.parquet"))
    os.utime(path, ns=(1, 1))


def _without_scores(results: Path) -> None:
    shutil.rmtree(results / "packs")


def _edited_page(results: Path) -> None:
    page = results / "report" / "index.html"
    page.write_bytes(page.read_bytes() + b" ")


def _lost_table(results: Path) -> None:
    (results / "report" / "scores.csv").unlink()


def _new_failure(results: Path) -> None:
    (results / "failures").mkdir(exist_ok=True)
    (results / "failures" / "x.txt").write_text("x")


@pytest.mark.parametrize(
    "change", [_touched_answer, _without_scores, _edited_page, _lost_table, _new_failure]
)
def test_results_that_were_touched_are_looked_at(
    change: Callable[[Path], None], tmp_path: Path, made: list[Path]
) -> None:
    run = run_of(tmp_path)
    done(run)
    before = files(run.paths.results)
    change(run.paths.results)
    done(run)
    assert len(made) == 2
    assert files(run.paths.results) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Other"},
        {"seed": 5},
        {"limit": 30},
        {"figures": ["transfer_map"]},
        {"columns": ["capa"]},
        {"models": {**matrix()["models"], "other": {"kind": "fake", "terms": "ask first"}}},
        {"metrics": {"task_score": None}},
        {"comparability": "warn"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_configuration_is_another_run(
    changes: dict[str, object], tmp_path: Path, made: list[Path]
) -> None:
    done(run_of(tmp_path))
    done(run_of(tmp_path, **changes))
    assert len(made) == 2


def test_data_plugins_code_versions_and_secrets_are_looked_at(
    tmp_path: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = tmp_path / "own" / "figures"
    plugins.mkdir(parents=True)
    content = matrix()
    container = composed(content, tmp_path)
    container["paths"]["plugins"] = [str(tmp_path / "own")]
    write_data(tmp_path / "data")

    def again() -> int:
        done(typed_run(container, [packaged("conf")]))
        return len(made)

    assert (again(), again()) == (1, 1)
    (plugins / "notes.txt").write_text("a helper")
    assert (again(), again()) == (2, 2)
    monkeypatch.setenv("A_SERVICE_API_KEY", "long-enough-to-be-one")
    assert (again(), again()) == (3, 3)
    monkeypatch.setattr("harness.stages.finished.versions", lambda: {"numpy": "9"})
    assert (again(), again()) == (4, 4)
    monkeypatch.setattr("harness.stages.finished.harness.__file__", str(plugins / "__init__.py"))
    assert (again(), again()) == (5, 5)
    write_data(tmp_path / "data", n=41)
    assert (again(), again()) == (6, 6)


def test_a_gate_that_failed_fails_again(tmp_path: Path, made: list[Path]) -> None:
    conditions = (
        Condition(where={"metric": "task_score", "task": "quiz", "student": "student"}, min=2.0),
    )
    run = dataclasses.replace(run_of(tmp_path), conditions=conditions)
    first, said = done(run)
    gate = (run.paths.results / "report" / "gate.xml").read_bytes()
    again, words = done(run)
    assert (first.code, again.code) == (1, 1)
    assert again.remarks == first.remarks
    assert words == said
    assert (run.paths.results / "report" / "gate.xml").read_bytes() == gate
    assert done(run)[0].code == 1
    assert len(made) == 1


def test_a_run_that_lacks_something_is_made_again(tmp_path: Path, made: list[Path]) -> None:
    run = run_of(tmp_path)
    without = dataclasses.replace(run, stages=("score", "report"))
    assert done(without)[0].code == 3
    assert done(without)[0].code == 3
    assert len(made) == 2


def test_a_note_that_is_damaged_is_made_again(tmp_path: Path, made: list[Path]) -> None:
    run = run_of(tmp_path)
    done(run)
    note = run.paths.results / "finished.json"
    note.write_text(note.read_text().replace("the page", "the pogo"))
    assert not any("pogo" in line for line in done(run)[1])
    assert len(made) == 2


def test_a_stamp_sees_what_comes_goes_and_changes(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    file = tmp_path / "a" / "b" / "f"
    seen = [stamp([tmp_path / "a"])]
    file.write_text("1")
    seen.append(stamp([tmp_path / "a"]))
    file.write_text("2")
    os.utime(file, ns=(5, 5))
    seen.append(stamp([tmp_path / "a"]))
    file.rename(file.with_name("g"))
    seen.append(stamp([tmp_path / "a"]))
    assert len(set(seen)) == 4
    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "x.pyc").write_text("")
    os.symlink("nowhere", tmp_path / "a" / "__pycache__" / "link")
    assert stamp([tmp_path / "a"]) == seen[-1]
    os.symlink("nowhere", tmp_path / "a" / "link")
    assert stamp([tmp_path / "a"]) != seen[-1]
    assert stamp([tmp_path / "none"]) == stamp([tmp_path / "none"])


_LOADED = """
import sys
from pathlib import Path
from harness.cli.config import packaged
from harness.stages.run import execute
from tests.core.running import run_of
execute(run_of(Path(sys.argv[1])), packaged("reference") / "scores.csv", alone=True)
print(sorted({"torch", "lm_eval", "scipy", "transformers", "huggingface_hub", "rich", "plotly"} & set(sys.modules)))
"""


def test_a_rerun_loads_nothing_heavy(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    done(run)
    done(run)
    command = [sys.executable, "-c", _LOADED, str(tmp_path)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]", made.stdout
