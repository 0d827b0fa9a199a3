"""From a loose configuration to a typed run."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.cli import exits
from harness.cli.config import packaged, typed_run
from harness.plan.run import Configuration, Gate
from harness.plugins import kinds, plugin_class
from harness.schema import build_dataclass
from harness.tasks.prompts import PromptsTask
from harness.types import Control, DistillbenchError, Paths
from tests.core.running import FAKES, composed, inside, matrix, run_of, write_data


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


def test_a_control_may_be_a_name_whose_lineage_its_own_file_states(tmp_path: Path) -> None:
    models = {**FAKES, "other": {**FAKES["other"], "lineage": "a house"}}
    for controls in (["other", "base"], [{"model": "other"}, {"model": "base"}]):
        run = run_of(tmp_path, models=models, controls=controls)
        assert run.controls == (Control("other", "a house"), Control("base", "base"))
    stated = run_of(tmp_path, models=models, controls=[{"model": "other", "lineage": "another"}])
    assert stated.controls == (Control("other", "another"),)
    assert run_of(tmp_path, models=models, controls="other").controls == run.controls[:1]


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


CASES = (
    "evidence",
    "detectors",
    "lineage_board",
    "audit",
)  # need tables of lineages: tests/verdicts


@pytest.mark.parametrize(
    "path",
    [p for p in sorted((packaged("conf") / "matrix").glob("*.yaml")) if p.stem not in CASES],
    ids=lambda p: p.stem,
)
def test_every_matrix_is_of_things_that_exist(path: Path, tmp_path: Path) -> None:
    text = path.read_text("utf-8").replace('path: "???"', "path: owner/name")
    content = OmegaConf.to_container(OmegaConf.create(text))
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


GROUPS = ("model", "task", "metric", "decoding", "gate")
FILES = sorted(p for g in GROUPS for p in (packaged("conf") / g).glob("*.yaml"))


def content_of(path: Path) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(content, dict)
    return {str(k): v for k, v in content.items()}


def says(built: Any, written: Any) -> bool:
    """Whether a typed value says what plain ones say, with defaults for what they leave out."""
    if dataclasses.is_dataclass(built):
        assert isinstance(written, dict)
        fields = [f for f in dataclasses.fields(built) if f.init and f.name not in written]
        left_out = all(getattr(built, f.name) == default(f) for f in fields)
        return left_out and all(says(getattr(built, k), v) for k, v in written.items())
    if isinstance(written, list):
        return len(built) == len(written) and all(map(says, built, written))
    return bool(built == written)


def default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_yaml_is_built_to_what_it_says(path: Path, tmp_path: Path) -> None:
    group, name, written = path.parent.name, path.stem, content_of(path)
    if written.get("kind") == "suite":
        run = run_of(tmp_path, tasks={name: None})
        files = [packaged("conf") / "task" / f"{task}.yaml" for task in written["tasks"]]
        assert {f.stem for f in files if content_of(f)["kind"] != "suite"} <= set(run.tasks)
    elif group == "gate":
        config = {**composed(matrix(), tmp_path), "gate": written}
        assert says(Gate(typed_run(config, [packaged("conf")]).conditions), written)
    elif group == "decoding":
        config = {**composed(matrix(), tmp_path), "decoding": written, "seed": 5}
        run = typed_run(config, [packaged("conf")])
        assert run.samples == written.pop("samples")
        assert says(run.decoding, {**written, "seed": 5})
    else:
        alone: dict[str, Any] = {"pairs": [], "controls": []} if group == "model" else {}
        run = run_of(tmp_path, **{f"{group}s": {name: None}}, **alone)
        assert says(getattr(run, f"{group}s")[name], {**written, "name": name})


@pytest.mark.parametrize("path", sorted(packaged("conf").glob("*/*.yaml")), ids=str)
def test_no_yaml_holds_only_its_own_name(path: Path) -> None:
    assert content_of(path) != {"kind": path.stem}


@pytest.mark.parametrize("name", kinds("metrics"))
def test_a_measure_needs_no_yaml(name: str, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    run = typed_run({**composed(matrix(), tmp_path), "metrics": [name]}, [tmp_path])
    assert run.metrics == {name: plugin_class("metrics", name)(name, name)}


def test_changes_to_a_name_without_yaml_and_a_yaml_of_that_name(tmp_path: Path) -> None:
    metrics = {"retention": {"columns": "acc"}, "overlap": None}
    (tmp_path / "conf" / "metric").mkdir(parents=True)
    (tmp_path / "conf" / "metric" / "overlap.yaml").write_text("kind: overlap\nleast: 0.5\n")
    config = composed(matrix(metrics=metrics), tmp_path)
    run = typed_run(config, [tmp_path / "conf", packaged("conf")])
    assert vars(run.metrics["retention"])["columns"] == ("acc",)
    assert vars(run.metrics["overlap"])["least"] == 0.5


# key -> a wrong value, and the one line about it
WRONG: dict[str, tuple[Any, str]] = {
    "title": (3, "configuration: key title: expected text, got 3"),
    "stages": (
        3,
        "configuration: key stages: expected some of collect, score, report, gate, got 3",
    ),
    "limit": (0, "configuration: key limit: expected null or a whole number of 1 or more, got 0"),
    "seed": ("x", "configuration: key seed: expected a whole number of 0 or more, got 'x'"),
    "workers": (0, "configuration: key workers: expected a whole number of 1 or more, got 0"),
    "collect": ("later", "configuration: key collect: expected one of 'now', 'batch', got 'later'"),
    "watch": (7, "configuration: key watch: expected true or false or a mapping, got 7"),
    "budget": (3, "configuration: key budget: expected a mapping, got 3"),
    "budget.usd": (0, "budget: key usd: expected a number above 0, or null for no limit; got 0"),
    "columns": (3, "configuration: key columns: expected a list of text, got 3"),
    "comparability": ("no", "configuration: key comparability: expected one of 'refuse', 'warn'"),
    "models": (3, "configuration: key models: expected a mapping or a list of text, got 3"),
    "models.teacher": (3, "configuration: key models.teacher: expected null or a mapping, got 3"),
    "models.teacher.skill": ("x", "model teacher: key skill: expected a number, got 'x'"),
    "tasks": (3, "configuration: key tasks: expected a mapping or a list of text, got 3"),
    "metrics": ([[]], "configuration: key metrics[0]: expected text, got []"),
    "pairs": (3, "configuration: key pairs: expected a list of mappings, got 3"),
    "pairs.0.student": (None, "pairs[0]: key student: expected text, got None"),
    "pairs.0.bsae": ("b", "pairs[0]: key 'bsae' is unknown; did you mean 'base'?"),
    "controls": (
        3,
        "configuration: key controls: expected a list of names of models, or of mappings, got 3",
    ),
    "controls.0.lineage": (3, "controls[0]: key lineage: expected text, got 3"),
    "only": (3, "configuration: key only: expected null or a mapping, got 3"),
    "only.models": (3, "only: key models: expected null or a list of text, got 3"),
    "only.task": (["a"], "only: key 'task' is unknown; did you mean 'tasks'?"),
    "paths": (None, "configuration: key paths: expected a mapping, got None"),
    "paths.results": (3, "paths: key results: expected a folder, got 3"),
    "paths.cache": ("", "paths: key cache: expected a folder, got ''"),
    "paths.data": (4, "paths: key data: expected null or a folder, got 4"),
    "paths.datasets": ([], "paths: key datasets: expected null or a folder, got []"),
    "paths.tasks": ([3], "paths: key tasks[0]: expected a folder, got 3"),
    "paths.plugins": (7, "paths: key plugins: expected a list of folders, got 7"),
    "paths.lock": ("maybe", "paths: key lock: expected true or false, got 'maybe'"),
    "paths.result": ("r", "paths: key 'result' is unknown; did you mean 'results'?"),
    "decoding": (3, "configuration: key decoding: expected a mapping, got 3"),
    "decoding.temperature": ("x", "decoding: key temperature: expected a number, got 'x'"),
    "decoding.samples": (
        2**63,
        "decoding: key samples: expected a whole number of 1 or more, got 9223",
    ),
    "decoding.top_p": (3, "decoding: key top_p: expected a number in (0, 1], got 3.0"),
    "objective": (3, "configuration: key objective: expected null or a mapping, got 3"),
    "figures": (3, "configuration: key figures: expected a list of text, got 3"),
    "report": (3, "configuration: key report: expected a mapping, got 3"),
    "skip_missing": (3, "configuration: key skip_missing: expected true or false, got 3"),
    "track": (3, "configuration: key track: expected null or a mapping or a list of text, got 3"),
    "report.exports": (
        3,
        "report: key exports: expected null or a mapping or a list of text, got 3",
    ),
    "report.interactive": (
        "some",
        "report: key interactive: expected one of 'plotly', 'none', got 'some'",
    ),
    "gate": (3, "gate: expected a mapping with a list `conditions`, got 3"),
    "gate.conditions": ([5], "gate: key conditions[0]: expected a mapping, got 5"),
    "contols": ([], "configuration: key 'contols' is unknown; did you mean 'controls'?"),
    "suspect": (["a"], "configuration: key suspect: expected null or text, got"),
    "candidates": ({"a": 1}, "configuration: key candidates: expected a list of text, got"),
    "prior_odds": (0, "configuration: key prior_odds: expected "),
    "data": (3, "configuration: key data: expected null or text or a mapping, got 3"),
    "exhibit": (3, "configuration: key exhibit: expected null or text, got 3"),
    "lineages": (3, "configuration: key lineages: expected a list of mappings, got 3"),
    "verdicts": (3, "configuration: key verdicts: expected "),
    "executor": ("lokal", "executor: kind: 'lokal' is unknown; did you mean 'local'?"),
}


def changed(config: dict[str, Any], key: str, value: Any) -> None:
    """Puts a value at a dotted key."""
    *parents, last = key.split(".")
    place: Any = config
    for parent in parents:
        place = place[int(parent) if parent.isdigit() else parent]
    place[last] = value


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_value_is_2_and_one_line(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exits, "_said", set())
    config = composed(matrix(), tmp_path)
    changed(config, key, WRONG[key][0])
    assert exits.coded(lambda: bool(typed_run(config, [packaged("conf")]))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {WRONG[key][1]}")


def test_every_key_has_a_wrong_value_in_the_table() -> None:
    keys = {f.name for f in dataclasses.fields(Configuration)}
    assert keys <= {key.split(".")[0] for key in WRONG}
    assert {f"paths.{f.name}" for f in dataclasses.fields(Paths)} <= set(WRONG)


def test_all_wrong_values_come_at_once(tmp_path: Path) -> None:
    inside = [k for k in WRONG if not any(other.startswith(f"{k}.") for other in WRONG)]
    apart = [k for k in inside if k != "decoding.top_p"]  # a decoding is looked at when it is typed
    config = composed(matrix(), tmp_path)
    for key in apart:
        changed(config, key, copy.deepcopy(WRONG[key][0]))
    with pytest.raises(DistillbenchError) as caught:
        typed_run(config, [packaged("conf")])
    said = str(caught.value).splitlines()
    assert not [WRONG[k][1] for k in apart if not any(s.startswith(WRONG[k][1]) for s in said)]
    assert len(said) == len(apart)


@pytest.mark.parametrize("decoding", [None, {}, {"seed": None}])
def test_a_decoding_without_a_seed_has_the_runs(tmp_path: Path, decoding: Any) -> None:
    config = {**composed(matrix(), tmp_path), "seed": 5, "decoding": decoding}
    assert typed_run(config, [packaged("conf")]).decoding.seed == 5
    del config["decoding"]
    assert typed_run(config, [packaged("conf")]).decoding.seed == 5


def test_two_wrong_numbers_of_a_decoding_come_at_once(tmp_path: Path) -> None:
    said = [
        "decoding: key temperature: expected 0 or more, got -1.0",
        "decoding: key top_p: expected a number in (0, 1], got 3.0",
    ]
    with pytest.raises(DistillbenchError) as caught:
        run_of(tmp_path, decoding={"temperature": -1, "top_p": 3})
    assert str(caught.value).splitlines() == said


def test_a_folder_without_locks_is_used_without_them(tmp_path: Path) -> None:
    config = composed(matrix(), tmp_path)
    assert typed_run(config, [packaged("conf")]).paths.lock
    config["paths"]["lock"] = False
    assert not typed_run(config, [packaged("conf")]).paths.lock


def test_a_folder_of_tasks_may_stand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here/tasks").mkdir(parents=True)
    config = composed(matrix(), tmp_path)
    config["paths"]["tasks"] = "here/tasks"
    found = typed_run(config, [packaged("conf")]).paths.tasks
    assert found == (Path("here/tasks").absolute(), packaged("tasks"))


def test_the_home_of_nobody_is_a_fault_among_others(tmp_path: Path) -> None:
    config = composed(matrix(), tmp_path)
    config["paths"] |= {"results": "~nobody-at-all/r", "data": "~nobody-at-all/d"}
    with pytest.raises(DistillbenchError) as caught:
        typed_run(config, [packaged("conf")])
    assert [line[:18] for line in str(caught.value).splitlines()] == [
        "paths: key results",
        "paths: key data: e",
    ]


def test_a_model_may_be_called_by_a_number(tmp_path: Path) -> None:
    models = {7: {"kind": "fake"}, 8: {"kind": "fake"}}
    config = composed(matrix(pairs=[], controls=[], models=models), tmp_path)
    config["only"]["models"] = [7]
    assert list(typed_run(config, [packaged("conf")]).models) == ["7"]


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
        "comparability", "paths", "decoding", "gate", "matrix", "columns"]  # fmt: skip
PARTS = ["only.models", "only.tasks", "only.metrics", "only.else", "gate.conditions", "decoding.samples",
         "decoding.temperature", "paths.results", "paths.cache", "paths.data", "paths.tasks", "paths.plugins",
         "tasks.open", "models.teacher", "models.teacher.kind", "tasks.open.file"]  # fmt: skip


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
    fine |= {"limit", "objective", "columns", "figures", "report"}
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


@pytest.mark.parametrize("value", ["", "ab", ["a", "b"], [["a"]], [["a", "b", "c"]], ["ab"]])
def test_pairs_are_lists_of_two(value: Any) -> None:
    fields = {"kind": "prompts", "name": "odd", "file": "f", "think": value}
    with pytest.raises(DistillbenchError, match=r"key think\[0\]: expected \[text, text\], got"):
        build_dataclass(PromptsTask, fields, "task odd")
    fields["think"] = [["a", "b"], ["c", "d"]]
    assert build_dataclass(PromptsTask, fields, "task odd").think == (("a", "b"), ("c", "d"))


def test_values_that_a_file_leaves_to_its_user_are_named_first(tmp_path: Path) -> None:
    done = inside(tmp_path, "matrix=standard", "models.base.path=gone", bare=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: models.{name}.path: a value is missing; add models.{name}.path=VALUE"
        for name in ("teacher", "student")
    ]
