"""From a loose configuration to a typed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import packaged, typed_run
from harness.types import Control, DistillbenchError
from tests.core.running import composed, matrix, run_of, write_data


def test_only_names_exactly_what_to_run(tmp_path: Path) -> None:
    run = run_of(tmp_path, only={"tasks": ["open", "arc_easy"], "metrics": "capa", "models": None})
    assert list(run.tasks) == ["open", "arc_easy"]
    assert list(run.metrics) == ["capa"]


def test_only_models_keeps_the_pairs_and_controls_that_still_make_sense(tmp_path: Path) -> None:
    controls = [
        {"model": "other", "lineage": "o", "teachers": ["teacher", "base"]},
        {"model": "student", "lineage": "s", "teachers": ["base"]},
    ]
    only = {"models": ["teacher", "student", "other"], "tasks": None, "metrics": None}
    run = run_of(tmp_path, only=only, controls=controls, pairs=[{"teacher": "teacher", "student": "student"}])
    assert run.controls == (Control("other", "o", ("teacher",)),)
    assert len(run.pairs) == 1


def test_a_suite_stands_for_its_tasks(tmp_path: Path) -> None:
    run = run_of(tmp_path, only={"tasks": ["quick"], "metrics": None, "models": None})
    assert len(run.tasks) > 1
    assert "quick" not in run.tasks


def test_changes_to_a_named_task(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    content = matrix(tasks={"style_prompts": {"minimum": 5}})
    run = typed_run(composed(content, tmp_path), [packaged("conf")])
    assert run.tasks["style_prompts"].minimum == 5


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError) as caught:
        run_of(tmp_path, metrics={"cappa": None}, tasks={"arc_eazy": None}, limit=0)
    said = str(caught.value)
    assert "did you mean 'capa'" in said
    assert "did you mean 'arc_easy'" in said
    assert "limit: expected null or 1 or more, got 0" in said


@pytest.mark.parametrize("path", sorted((packaged("conf") / "matrix").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_matrix_is_of_things_that_exist(path: Path, tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(content, dict)
    run = typed_run(composed({str(k): v for k, v in content.items()}, tmp_path), [packaged("conf")])
    assert run.models
    assert run.pairs
    for pair in run.pairs:
        assert {pair.teacher, pair.student} <= set(run.models)


@pytest.mark.parametrize("group", ["task", "metric", "model"])
def test_every_yaml_builds(group: str, tmp_path: Path) -> None:
    names = sorted(p.stem for p in (packaged("conf") / group).glob("*.yaml"))
    assert names
    key = f"{group}s"
    run = run_of(tmp_path, **{key: dict.fromkeys(names), **({"pairs": [], "controls": []} if group == "model" else {})})
    assert getattr(run, key)
