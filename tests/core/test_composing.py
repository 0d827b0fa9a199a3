"""Hydra's composition: made once, looked at before anything is written, shown with what files say."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.core.running import inside, matrix

MODEL = {"kind": "fake", "style": "formal", "skill": 0.9, "seed": 1}


def test_a_credential_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    content = matrix(models={"teacher": {**MODEL, "api_key": "hunter2hunter2"}})
    done = inside(tmp_path, "matrix=m", files={"matrix/m": content})
    assert done.returncode == 2
    assert "models.teacher.api_key" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert not (tmp_path / "results").exists()


def test_a_configuration_is_shown_as_composed(tmp_path: Path) -> None:
    content = matrix(
        models={"teacher": {"skill": 0.5}},
        tasks={"both": None, "zoo_facts": None},
        pairs=[],
        controls=[],
    )
    files = {
        "matrix/m": content,
        "model/teacher": MODEL,
        "task/both": {"kind": "suite", "tasks": ["zoo_style"]},
    }
    done = inside(tmp_path, "--cfg", "job", "matrix=m", files=files)
    shown = yaml.safe_load(done.stdout)
    assert shown["models"] == {"teacher": {**MODEL, "skill": 0.5}}
    assert list(shown["tasks"]) == ["zoo_style", "zoo_facts"]
    assert shown["tasks"]["zoo_style"]["kind"] == "prompts"
    assert shown["metrics"]["capa"] == {"kind": "capa"}
    assert not (tmp_path / "results").exists()


def test_a_name_without_a_file_is_one_line(tmp_path: Path) -> None:
    content = matrix(models={"nobody": None})
    done = inside(tmp_path, "--cfg", "job", "matrix=m", files={"matrix/m": content})
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "'nobody' is unknown" in line


def test_hydra_may_print_what_it_composes(tmp_path: Path) -> None:
    done = inside(tmp_path, "plan", "matrix=smoke", "hydra.verbose=true", bare=True)
    assert done.returncode == 0, done.stderr
    assert "is unknown" not in done.stderr
