"""From a loose configuration to a typed run."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest

from harness.cli.config import packaged, typed_run
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
    run = run_of(
        tmp_path, only=only, controls=controls, pairs=[{"teacher": "teacher", "student": "student"}]
    )
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
    assert "key limit: expected null or a whole number of 1 or more, got 0" in said


@pytest.mark.parametrize(
    "path", sorted((packaged("conf") / "matrix").glob("*.yaml")), ids=lambda p: p.stem
)
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
    run = run_of(
        tmp_path,
        **{
            key: dict.fromkeys(names),
            **({"pairs": [], "controls": []} if group == "model" else {}),
        },
    )
    assert getattr(run, key)


ODD: list[Any] = [
    None,
    5,
    -1.5,
    True,
    "words",
    "",
    [],
    [5],
    [None],
    [["a"]],
    {},
    {"a": 5},
    {"a": None},
    {5: {"b": []}},
]
KEYS = ["title", "stages", "models", "tasks", "metrics", "pairs", "controls", "only", "limit", "seed", "workers",
        "comparability", "paths", "decoding", "gate", "matrix"]  # fmt: skip
PARTS = ["only.models", "only.tasks", "only.metrics", "only.else", "gate.conditions", "decoding.samples",
         "decoding.temperature", "paths.results", "paths.cache", "paths.data", "paths.tasks", "tasks.open",
         "models.teacher", "models.teacher.kind", "tasks.open.file"]  # fmt: skip


@pytest.mark.parametrize("key", [*KEYS, *PARTS])
def test_an_odd_value_is_a_fault_or_fine_but_never_ours(tmp_path: Path, key: str) -> None:
    sound = composed(matrix(), tmp_path)
    *parents, last = key.split(".")
    for value in ODD:
        config = copy.deepcopy(sound)
        place = config
        for parent in parents:
            place = place[parent]
        place[last] = value
        with contextlib.suppress(DistillbenchError):
            typed_run(config, [packaged("conf")])


def test_a_key_that_is_gone_means_its_empty_value_where_it_has_one(tmp_path: Path) -> None:
    sound = composed(matrix(), tmp_path)
    fine = {"tasks", "metrics", "only", "pairs", "controls", "decoding", "gate", "matrix", "models"}
    for key in KEYS:
        config = {k: v for k, v in sound.items() if k != key}
        if key in fine:
            typed_run(config, [packaged("conf")])
        else:
            with pytest.raises(DistillbenchError, match=key):
                typed_run(config, [packaged("conf")])


def test_a_matrix_whose_keys_stand_elsewhere_is_named(tmp_path: Path) -> None:
    path = tmp_path / "conf" / "matrix" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("title: mine\n")
    config = {**composed({}, tmp_path), "matrix": {"title": "mine"}}
    with pytest.raises(DistillbenchError) as caught:
        typed_run(config, [tmp_path / "conf", packaged("conf")], {"matrix": "mine"})
    assert str(caught.value).startswith(f"{path}: expected `# @package _global_` as its first line")
    assert "\n" not in str(caught.value)


def test_other_files_whose_keys_stand_elsewhere_are_named(tmp_path: Path) -> None:
    for group in ("decoding", "gate"):
        config = composed(matrix(), tmp_path)
        del config[group]
        with pytest.raises(
            DistillbenchError, match=f"do not stand under `{group}`; remove its line `# @package"
        ):
            typed_run(config, [packaged("conf")], {group: "mine"})


def test_a_gate_that_no_stage_looks_at_is_a_fault(tmp_path: Path) -> None:
    gate = {"conditions": [{"where": {"metric": "capa"}, "min": 0}]}
    with pytest.raises(
        DistillbenchError, match="no condition was looked at: `gate` is not among the stages"
    ):
        run_of(tmp_path, gate=gate, stages=["collect", "score", "report"])
    assert len(run_of(tmp_path, gate=gate).conditions) == 1


def test_a_suite_that_holds_itself_is_a_fault(tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "task"
    folder.mkdir(parents=True)
    for name, member in (("one", "two"), ("two", "one")):
        (folder / f"{name}.yaml").write_text(f"kind: suite\ntasks: [{member}]\n")
    config = composed(matrix(tasks={"one": None}), tmp_path)
    with pytest.raises(
        DistillbenchError, match="task one: a suite that holds itself: one -> two -> one"
    ):
        typed_run(config, [tmp_path / "conf", packaged("conf")])
