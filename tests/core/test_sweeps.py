"""A sweep knows its jobs: one page, one exit code and one line for each, whatever folders and values are called."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
from hydra.core.plugins import Plugins

import harness
from harness.board.columns import reserved
from harness.page import render
from tests.core.running import inside, matrix

RIGHT = {"teacher": 18, "base": 4, "other": 8, "step_10": 8, "step_20": 11, "step_30": 14}
QUIZ = {
    "kind": "choices",
    "file": "gold.jsonl",
    "columns": {"question": "qid", "answer": "gold", "n_options": "n_options"},
}
STUDENT = {"metric": "task_score", "task": "quiz", "student": "student"}


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without the library of figures, which takes most of the time of a small one."""
    monkeypatch.setattr(render, "_plotly", lambda: "/* figures */")


def write_answers(tmp_path: Path) -> None:
    """Recorded choices: each model is right in its number of 20 questions, and takes one wrong option elsewhere."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    ids, gold = [f"q{i}" for i in range(20)], [i % 4 for i in range(20)]
    asked = pd.DataFrame({"qid": ids, "gold": gold, "n_options": 4})
    asked.to_json(data / "gold.jsonl", orient="records", lines=True)
    for place, (name, right) in enumerate(RIGHT.items()):
        picks = [g if (i * 7 + place) % 20 < right else (g + 1) % 4 for i, g in enumerate(gold)]
        rows = pd.DataFrame({"qid": ids, "pick": picks})
        rows.to_json(data / f"{name}.jsonl", orient="records", lines=True)


def recorded(**changes: Any) -> dict[str, Any]:
    """A matrix of recorded choices; its student is step_10."""

    def model(file: str) -> dict[str, Any]:
        columns = {"prompt": "qid", "choice": "pick"}
        return {"kind": "recorded", "file": f"{file}.jsonl", "columns": columns}

    models = {name: model(name) for name in ("teacher", "base", "other")}
    own = {
        "title": "Steps",
        "models": {**models, "student": model("step_10")},
        "tasks": {"quiz": QUIZ},
        "metrics": {"task_score": None, "capa": None},
    }
    return matrix(**{**own, **changes})


def swept(tmp_path: Path, *words: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    """A sweep over the recorded matrix."""
    write_answers(tmp_path)
    files = {"matrix/steps": recorded(), **changes.pop("files", {})}
    done = inside(tmp_path, "-m", "matrix=steps", *words, files=files, **changes)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def steps(*numbers: int) -> str:
    return f"models.student.file={','.join(f'step_{n}.jsonl' for n in numbers)}"


def scores(
    tmp_path: Path, name: str = "results", key: str = "models.student.file"
) -> dict[str, float]:
    """Value of the swept key -> the student's share of right answers, from scores.csv; each once."""
    with (tmp_path / name / "report" / "scores.csv").open() as file:
        rows = [
            r
            for r in csv.DictReader(file)
            if (r["metric"], r["student"]) == ("task_score", "student")
        ]
    assert len({r[key] for r in rows}) == len(rows)
    return {r[key]: float(r["value"]) for r in rows}


@pytest.mark.parametrize(
    "subdir",
    [
        "${hydra.job.override_dirname}",
        pytest.param("a/b/${hydra.job.num}", marks=pytest.mark.slow),
        pytest.param("007", marks=pytest.mark.slow),
        "${models.student.file}/${seed}",
    ],
)
def test_folders_of_jobs_may_be_called_anything(tmp_path: Path, subdir: str) -> None:
    done = swept(tmp_path, steps(10, 20), f"hydra.sweep.subdir={subdir}")
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path) == {"step_10.jsonl": 0.4, "step_20.jsonl": 0.55}
    assert gate_lines(done) == []


@pytest.mark.slow  # seconds
def test_a_sweep_into_an_old_folder_shows_its_own_jobs_and_report_joins_all(tmp_path: Path) -> None:
    place = f"hydra.sweep.dir={tmp_path / 'sweep'}"
    assert swept(tmp_path, steps(10, 20), place).returncode == 0
    done = swept(tmp_path, steps(20, 30), place)
    assert "sweep holds 1 earlier sweep: this page is of the new jobs only" in done.stderr
    assert scores(tmp_path) == {"step_20.jsonl": 0.55, "step_30.jsonl": 0.7}
    both = inside(tmp_path, "report", "sweep", "paths.results=all", bare=True)
    assert both.returncode == 0, both.stderr
    assert scores(tmp_path, "all") == {
        "step_10.jsonl": 0.4,
        "step_20.jsonl": 0.55,
        "step_30.jsonl": 0.7,
    }


@pytest.mark.slow  # seconds
def test_sweeps_in_folders_of_their_own_keep_their_pages_and_are_joined(tmp_path: Path) -> None:
    swept(tmp_path, steps(10, 20))
    swept(tmp_path, steps(30))
    first, second = sorted((tmp_path / "results" / "sweeps").iterdir())
    assert "step_20.jsonl" in (first / "report" / "leaderboard.csv").read_text()
    assert (second / "report" / "index.html").is_file()
    done = inside(tmp_path, "report", str(first), str(second), bare=True)
    assert done.returncode == 0, done.stderr
    assert list(scores(tmp_path)) == ["step_10.jsonl", "step_20.jsonl", "step_30.jsonl"]


def test_report_of_something_else_is_one_line(tmp_path: Path) -> None:
    done = inside(tmp_path, "report", "nowhere", bare=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: nowhere: expected a folder with results")


@pytest.mark.slow
def test_roles_are_those_of_each_job(tmp_path: Path) -> None:
    pair = {"teacher": "teacher", "student": "other", "base": "base"}
    turned = recorded(pairs=[pair], controls=[{"model": "student", "lineage": "x"}])
    done = swept(tmp_path, "matrix=steps,turned", files={"matrix/turned": turned})
    assert done.returncode == 0, done.stderr
    board = harness.load(tmp_path / "results").leaderboard
    roles = {(r.student, r.matrix): r.role for r in board.itertuples()}
    assert roles == {
        ("student", "steps"): "student",
        ("other", "steps"): "control",
        ("other", "turned"): "student",
        ("student", "turned"): "control",
    }


@pytest.mark.slow
def test_a_swept_key_called_like_a_column_stands_beside_it(tmp_path: Path) -> None:
    words = ("+student=step_10,step_20", "models.student.file='${student}.jsonl'")
    assert swept(tmp_path, *words).returncode == 0
    assert scores(tmp_path, key="+student") == {"step_10": 0.4, "step_20": 0.55}
    for name in ("scores", "leaderboard"):
        with (tmp_path / "results" / "report" / f"{name}.csv").open() as file:
            head = next(csv.reader(file))
        assert len(head) == len(set(head))
        assert head.count("student") == 1


@pytest.mark.slow
@pytest.mark.parametrize("key", ["value", "capa_low"])
def test_every_promised_column_keeps_its_name(tmp_path: Path, key: str) -> None:
    assert (
        swept(tmp_path, f"+{key}=10,20", f"models.student.file=step_${{{key}}}.jsonl").returncode
        == 0
    )
    assert scores(tmp_path, key=f"+{key}") == {"10": 0.4, "20": 0.55}


@pytest.mark.slow  # seconds
def test_equal_values_are_one_job_and_quotes_are_not_shown(tmp_path: Path) -> None:
    done = swept(
        tmp_path, "seed=1,1.0,1e0,2", "models.student.file='step_10.jsonl','step_20.jsonl'"
    )
    assert done.returncode == 0, done.stderr
    assert "the page of 4 jobs" in done.stderr
    settings = harness.load(tmp_path / "results").record.settings
    files = ("step_10.jsonl", "step_20.jsonl")
    assert set(settings) == {(("models.student.file", f), ("seed", s)) for f in files for s in "12"}


@pytest.mark.slow
def test_seeds_that_change_nothing_are_said(tmp_path: Path) -> None:
    done = swept(tmp_path, "seed=0,1")
    (line,) = [s for s in done.stderr.splitlines() if s.startswith("seed")]
    assert line.startswith("seed: its values change no answer")


@pytest.mark.slow
@pytest.mark.parametrize("order", [(20, 99), (99, 20)])
def test_a_job_that_failed_is_a_row_with_its_reason(tmp_path: Path, order: tuple[int, int]) -> None:
    done = swept(tmp_path, steps(*order))
    assert done.returncode == 2
    assert "no record of job" in done.stderr
    assert "(models.student.file=step_99.jsonl): model student: " in done.stderr
    report = tmp_path / "results" / "report"
    with (report / "leaderboard.csv").open() as file:
        rows = {
            r["models.student.file"]: r for r in csv.DictReader(file) if r["student"] == "student"
        }
    assert set(rows) == {"step_20.jsonl", "step_99.jsonl"}
    assert rows["step_20.jsonl"]["capa"]
    assert not rows["step_99.jsonl"]["capa"]
    assert "step_99.jsonl: expected a file" in rows["step_99.jsonl"]["capa_skipped_reason"]
    assert "No record of models.student.file=step_99.jsonl" in (report / "index.html").read_text()
    missing = [j["missing"] for j in json.loads((report / "run.json").read_text())["jobs"]]
    assert sorted(map(bool, missing)) == [False, True]


@pytest.mark.slow  # seconds
def test_a_sweep_without_a_page_sets_that_of_yesterday_aside(tmp_path: Path) -> None:
    swept(tmp_path, steps(10, 20))
    done = swept(tmp_path, steps(98, 99))
    assert done.returncode == 2
    assert "there is no page of this sweep; that of an earlier run is now in" in done.stderr
    assert not (tmp_path / "results" / "report").exists()
    assert (tmp_path / "results" / "report.old" / "index.html").is_file()


@pytest.mark.slow
def test_results_may_be_swept(tmp_path: Path) -> None:
    write_answers(tmp_path)
    words = [
        "--config-dir",
        "conf",
        "-m",
        "matrix=steps",
        "paths.results=one,two",
        "paths.data=data",
    ]
    done = inside(tmp_path, *words, files={"matrix/steps": recorded()}, bare=True)
    assert done.returncode == 0, done.stderr
    for place in ("one", "two"):
        assert scores(tmp_path, place, key="paths.results") == {"one": 0.4, "two": 0.4}
        assert 'id="sample-browser"' in (tmp_path / place / "report" / "index.html").read_text()


def test_a_launcher_that_dies_leaves_a_page_of_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Plugins.instance()
    launcher = sys.modules["hydra._internal.core_plugins.basic_launcher"].BasicLauncher
    whole = launcher.launch

    def launch(self: Any, overrides: list[list[str]], initial_job_idx: int) -> None:
        whole(self, overrides[:1], initial_job_idx)
        raise RuntimeError("the queue is gone\nand more")

    monkeypatch.setattr(launcher, "launch", launch)
    done = swept(tmp_path, steps(10, 20))
    assert done.returncode == 3, done.stderr
    assert (
        "the sweep stopped: RuntimeError: the queue is gone; what is collected stays" in done.stderr
    )
    assert "no record of job 1 (models.student.file=step_20.jsonl): it did not end" in done.stderr
    assert scores(tmp_path) == {"step_10.jsonl": 0.4}


@pytest.mark.slow
def test_a_job_that_never_began_is_no_job_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Plugins.instance()
    launcher = sys.modules["hydra._internal.core_plugins.basic_launcher"].BasicLauncher
    whole = launcher.launch

    def launch(self: Any, overrides: list[list[str]], initial_job_idx: int) -> Any:
        return whole(self, overrides[:1], initial_job_idx)  # and not a word about the second

    monkeypatch.setattr(launcher, "launch", launch)
    done = swept(tmp_path, steps(10, 20))
    assert done.returncode == 3, done.stderr
    assert "(models.student.file=step_20.jsonl): it did not end" in done.stderr


STRICT = {"conditions": [{"where": STUDENT, "min": 0.5}]}


def gate_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [s for s in done.stderr.splitlines() if s.startswith("gate")]


def test_a_gate_names_the_value_that_broke_it(tmp_path: Path) -> None:
    done = swept(tmp_path, steps(10, 20), "gate=strict", files={"gate/strict": STRICT})
    assert done.returncode == 1
    assert gate_lines(done) == [
        "gate: models.student.file=step_10.jsonl: value of metric=task_score task=quiz student=student: 0.4 is below "
        "0.5",
        "gate: models.student.file=step_20.jsonl: its one condition holds",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "code", "line"),
    [
        ("step_20.jsonl", 0, "gate: models.student.file=step_20.jsonl: its one condition holds"),
        (
            "step_10.jsonl",
            1,
            "gate: models.student.file=step_20.jsonl: no condition is about this job",
        ),
        (
            "step_30.jsonl",
            2,
            "models.student.file=step_30.jsonl, min 0.5: no condition was looked at: no job has these values",
        ),
    ],
)
def test_a_condition_may_name_a_swept_key(tmp_path: Path, value: str, code: int, line: str) -> None:
    gate = {"conditions": [{"where": {**STUDENT, "models.student.file": value}, "min": 0.5}]}
    done = swept(tmp_path, steps(10, 20), "gate=strict", files={"gate/strict": gate})
    assert done.returncode == code
    assert any(said.endswith(line) for said in gate_lines(done)), done.stderr


def test_a_sweeper_that_optimises_needs_an_objective(tmp_path: Path) -> None:
    done = swept(tmp_path, "seed=0,1", "hydra.sweeper._target_=some.other.Sweeper")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "it optimises what a job returns; name it: objective={metric: METRIC" in line


def test_no_column_of_any_table_is_free_for_a_swept_key() -> None:
    names = reserved(["capa", "style_transfer/format"])
    promised = {"student", "task", "value", "n", "rank", "parameters", "wall_s", "p", "against"}
    assert promised | {"capa", "capa_low", "style_transfer_format_skipped_reason"} <= names


def test_paths_are_those_of_the_command_wherever_a_job_stands(tmp_path: Path) -> None:
    write_answers(tmp_path)
    words = ["--config-dir", "conf", "matrix=steps", "paths.results=out", "paths.data=data"]
    done = inside(
        tmp_path, *words, "hydra.job.chdir=true", files={"matrix/steps": recorded()}, bare=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report" / "index.html").is_file()


@pytest.mark.slow
def test_a_gate_compares_with_an_earlier_run_of_one_s_own(tmp_path: Path) -> None:
    write_answers(tmp_path)
    gate = {"baseline": "before", "conditions": [{"where": STUDENT, "within": 0.1}]}
    files = {"matrix/steps": recorded(), "gate/near": gate}
    words = ["--config-dir", "conf", "matrix=steps", "paths.data=data"]
    missing = inside(tmp_path, *words, "gate=near", files=files, bare=True)
    assert missing.returncode == 2
    assert f"{tmp_path / 'before'}: a gate condition `within` needs this file" in missing.stderr
    assert inside(tmp_path, *words, "paths.results=before", bare=True).returncode == 0
    assert inside(tmp_path, *words, "gate=near", bare=True).returncode == 0
    later = inside(tmp_path, *words, "gate=near", steps(20), bare=True)
    assert later.returncode == 1
    assert "0.55 is not within 0.1 of the reference 0.4" in later.stderr


def test_a_condition_that_is_about_another_run_is_said_before_anything_runs(tmp_path: Path) -> None:
    write_answers(tmp_path)
    gate = {"conditions": [{"where": {**STUDENT, "seed": 3}, "min": 0}]}
    files = {"matrix/steps": recorded(), "gate/seeded": gate}
    done = inside(tmp_path, "matrix=steps", "gate=seeded", "seed=4", files=files)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "no condition was looked at: none is about this run" in line


class Optimiser:
    """What a sweeper that optimises sees: the numbers that its jobs returned."""

    seen: ClassVar[list[Any]] = []


@pytest.mark.slow
def test_a_job_returns_its_objective_and_none_where_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Plugins.instance()
    launcher = sys.modules["hydra._internal.core_plugins.basic_launcher"].BasicLauncher
    whole = launcher.launch

    def launch(self: Any, overrides: list[list[str]], initial_job_idx: int) -> Any:
        returned = whole(self, overrides, initial_job_idx)
        Optimiser.seen = [job.return_value for job in returned]
        return returned

    monkeypatch.setattr(launcher, "launch", launch)
    objective = "objective={metric: task_score, student: student, task: quiz}"
    done = swept(tmp_path, steps(20, 99), objective)
    assert done.returncode == 2
    assert Optimiser.seen == [0.55, None]


def test_an_objective_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    done = swept(tmp_path, "seed=0", "objective={metric: capo, student: student}")
    assert done.returncode == 2
    assert "objective: metric: 'capo' is unknown; did you mean 'capa'?" in done.stderr
