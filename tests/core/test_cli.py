"""The command: exit codes, one clear line for every mistake, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.core.running import command, matrix, write_data


def small(tmp_path: Path, *words: str, **changes: Any) -> tuple[int, str]:
    """Exit code and stderr of the small matrix."""
    write_data(tmp_path / "data", n=25)
    content = matrix(**{"metrics": {"task_score": None, "capa": None}, **changes})
    gate = {"conditions": [{"where": {"metric": "task_score", "task": "quiz", "student": "student"}, "min": 2.0}]}
    done = command(tmp_path, "matrix=small", *words, files={"matrix/small": content, "gate/high": gate})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def test_done_writes_the_report(tmp_path: Path) -> None:
    code, said = small(tmp_path)
    assert code == 0, said
    report = tmp_path / "results" / "report"
    assert {"index.html", "leaderboard.csv", "scores.csv", "scores.json", "run.json"} <= {
        p.name for p in report.iterdir()
    }
    head = (report / "scores.csv").read_text().splitlines()[0]
    assert head == "metric,task,student,teacher,base,value,low,high,n,unit,better,skipped_reason,inputs"


def test_a_gate_that_fails_exits_with_1_and_one_line(tmp_path: Path) -> None:
    code, said = small(tmp_path, "gate=high")
    assert code == 1
    assert next(line for line in said.splitlines() if line.startswith("gate:")).endswith("is below 2")


def test_missing_cells_exit_with_3(tmp_path: Path) -> None:
    code, said = small(tmp_path, "stages=[score,report]")
    assert code == 3
    assert "teacher x quiz: not collected yet" in said


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("matrix=smal", "matrix: 'smal' is unknown; did you mean 'small'?"),
        ("limits=3", "'limits' is unknown; did you mean 'limit'?"),
        ("stages=[scor]", "key stages: expected one of 'collect', 'score', 'report', 'gate', got ['scor']"),
        ("only.tasks=[gsm9k]", "'gsm9k' is unknown; did you mean 'gsm8k'?"),
        ("only.metrics=[cappa]", "'cappa' is unknown; did you mean 'capa'?"),
        ("only.models=[teechr]", "'teechr' is unknown; did you mean 'teacher'?"),
        ("models.student.skil=1", "skil"),
        ("+models.student.skil=1", "model student: key 'skil' is unknown; did you mean 'skill'?"),
        ("models.student.kind=fkae", "model student: kind: 'fkae' is unknown; did you mean 'fake'?"),
        ("decoding.top_p=3", "decoding.top_p: expected a number in (0, 1], got 3"),
        ("limit=0", "limit: expected null or 1 or more, got 0"),
        ("seed=x", "key seed: expected a whole number, got 'x'"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path: Path, word: str, expected: str) -> None:
    code, said = small(tmp_path, word)
    assert code == 2, said
    assert expected in said


def test_help_is_a_page(tmp_path: Path) -> None:
    done = command(tmp_path, "--help")
    assert done.returncode == 0
    assert "Exit codes" in done.stdout
    assert "matrix=smoke gate=smoke" in done.stdout


def test_a_sweep_makes_one_page_with_the_swept_key_as_a_column(tmp_path: Path) -> None:
    code, said = small(tmp_path, "-m", "seed=0,1")
    assert code == 0, said
    rows = (tmp_path / "results" / "report" / "scores.csv").read_text().splitlines()
    assert rows[0].endswith("skipped_reason,inputs,seed")
    assert {row.rsplit(",", 1)[1] for row in rows[1:]} == {"0", "1"}


def test_an_error_in_one_job_of_a_sweep_is_the_sweeps_code(tmp_path: Path) -> None:
    code, said = small(tmp_path, "-m", "limit=0,5")
    assert code == 2
    assert (tmp_path / "results" / "report" / "index.html").exists(), said


@pytest.mark.parametrize("name", ["matrix/damaged", "model/damaged"])
def test_a_file_that_is_no_yaml_is_one_clear_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "conf" / f"{name}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("models: [\n")
    content = matrix(models={"damaged": None}, pairs=[], controls=[])
    write_data(tmp_path / "data")
    chosen = "damaged" if name.startswith("matrix") else "small"
    done = command(tmp_path, f"matrix={chosen}", files={"matrix/small": content})
    assert done.returncode == 2, done.stderr
    assert "expected YAML, got a damaged file" in done.stderr
    assert "damaged.yaml" in done.stderr
    assert "Traceback" not in done.stderr
