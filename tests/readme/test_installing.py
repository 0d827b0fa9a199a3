"""Installing as the README has it: make's targets, PyTorch's index, the versions of Python, the wheel."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import __version__
from harness.cli import main as cli
from harness.cli import streams
from tests.plugins.files import MATRIX, write_plugins
from tests.readme import stand_ins
from tests.readme.blocks import MANUAL, README, REPOSITORY, section

CPU = "https://download.pytorch.org/whl/cpu"
NUMBERS = {13: "thirteen"}
WHEEL = f"distillbench-{__version__}-py3-none-any.whl"
CONTRACTS = """
from pathlib import Path
from harness import plugins, testing
testing.use_folders([Path("mine").absolute()])
testing.check_metric("as_long", itself={"": 1.0})
testing.check_model("echo")
testing.check_task("sums")
testing.check_figure("places")
testing.check_exporter("names")
testing.check_executor(plugins.plugin_class("executors", "plain")())
print(testing.__file__)
"""


def dry_run(*words: str) -> list[str]:
    """What `make` would run from nothing."""
    line = ["make", "-n", "VENV=no-such-folder", *words]
    # These tests may themselves be run by make, which a second one would take itself to be part of.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        line, cwd=REPOSITORY, capture_output=True, text=True, check=True, env=environment
    ).stdout.splitlines()


def workflow() -> dict[str, Any]:
    """The project's own CI."""
    loaded = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize(
    "command", [c for s in ("Two commands", "Installing") for b in section(s) for c in b.commands]
)
def test_the_make_commands_exist_and_install_torch_from_where_they_say(command: str) -> None:
    words = command.split("#")[0].split()[1:]
    lines = dry_run(*words)
    ends = {
        "demo": r"distillbench matrix=zoo$",
        "test": r"pytest -q -n 2 --dist worksteal -m \"not slow\"$",
    }
    assert re.search(ends[words[0]], lines[-1])
    installs = [line for line in lines if "pip install" in line]
    assert installs[0].endswith("torch==2.13.0")
    index = [line for line in installs if "--index-url" in line]
    assert index == (installs[:1] if len(words) > 1 else [])
    assert all(f"--index-url '{CPU}'" in line for line in index)


def test_the_zoos_models_are_counted_right() -> None:
    models = yaml.safe_load((REPOSITORY / "conf/matrix/zoo.yaml").read_text())["models"]
    number = NUMBERS[len(models)]
    assert f"trains {number} tiny models" in README
    assert f"{number} models of the zoo" in (REPOSITORY / "Makefile").read_text()
    assert f"{number} tiny models" in (REPOSITORY / "conf/config.yaml").read_text()
    assert f"{number} tiny models" in (REPOSITORY / "conf/matrix/zoo.yaml").read_text()


def test_every_other_pinned_version_of_torch_is_the_makefiles() -> None:
    pins = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pins
    assert "torch==2.13.0" in (REPOSITORY / "Makefile").read_text()


def test_ci_runs_what_the_readme_says_on_the_oldest_and_the_newest_python() -> None:
    said = re.search(r"Python (3\.\d+) to (3\.\d+)", README)
    assert said
    jobs = workflow()["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == [said[1], said[2]]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={said[1]}"
    run = [step["run"] for job in ("test", "slow") for step in jobs[job]["steps"] if "run" in step]
    smoke = ".venv/bin/distillbench matrix=smoke gate=smoke"
    assert run == ["make test", "make test-shapes", "make test-slow", smoke]
    assert workflow()["env"]["TORCH_INDEX"] == CPU
    minutes = re.search(r"stopped after (\d+) and (\d+) minutes", " ".join(MANUAL.split()))
    assert minutes
    assert [jobs[name]["timeout-minutes"] for name in ("test", "slow")] == [
        int(m) for m in minutes.groups()
    ]


def test_the_zoos_cache_is_named_by_its_recipe_and_the_versions() -> None:
    caches = [
        s["with"]
        for s in workflow()["jobs"]["slow"]["steps"]
        if s.get("uses", "").startswith("actions/cache")
    ]
    assert [c["path"] for c in caches] == ["~/.cache/distillbench/zoo"]
    assert "hashFiles('constraints.txt', 'harness/zoo/**')" in caches[0]["key"]


@pytest.mark.parametrize(
    ("shown", "accepted"), [(object(), True), ("half", True), ("50% of", False)]
)
def test_hydras_lazy_help_passes_the_check_of_python_3_14(
    monkeypatch: pytest.MonkeyPatch, shown: Any, accepted: bool
) -> None:
    monkeypatch.setattr(streams, "make_lasting", lambda: None)  # pytest holds the streams

    def check(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        if "%" in action.help:  # type: ignore[operator]  # as in 3.14: an object that holds nothing is a TypeError
            raise ValueError("badly formed help string")

    monkeypatch.setattr(argparse.ArgumentParser, "_check_help", check, raising=False)
    monkeypatch.setattr(cli, "_job", lambda: None)
    monkeypatch.setattr(sys, "argv", ["distillbench"])
    with pytest.raises(SystemExit):
        cli.main()
    action = argparse.Action([], "x", help=shown)
    try:
        argparse.ArgumentParser()._check_help(action)  # type: ignore[attr-defined]
    except ValueError:
        assert not accepted
    else:
        assert accepted


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel installs."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    line = [*build, "-w", str(folder), str(REPOSITORY)]
    subprocess.run(line, check=True, capture_output=True, text=True)
    zipfile.ZipFile(folder / WHEEL).extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.mark.slow
def test_the_wheel_runs_in_any_folder(unpacked: Path, tmp_path: Path) -> None:
    assert f"pip install {WHEEL}" in MANUAL
    assert (unpacked / "harness/data/tasks/zoo/facts.jsonl").is_file()
    assert (unpacked / "harness/data/reference/scores.csv").is_file()
    assert (unpacked / "harness/py.typed").is_file()
    done = stand_ins.run(
        tmp_path, f"PYTHONPATH={unpacked} distillbench matrix=smoke gate=smoke --cfg job"
    )
    assert done.returncode == 0, done.stderr
    assert "smoke_teacher" in done.stdout


@pytest.mark.slow  # a run with two workers, and the contracts, each in a process of its own
def test_plug_ins_of_a_user_s_own_work_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    write_plugins(tmp_path / "mine")
    (tmp_path / "conf/matrix").mkdir(parents=True)
    matrix = "# @package _global_\n" + yaml.safe_dump(MATRIX)
    (tmp_path / "conf/matrix/own.yaml").write_text(matrix)
    (tmp_path / "contracts.py").write_text(CONTRACTS)
    words = "--config-dir conf matrix=own paths.plugins=mine workers=2"
    for command in (f"distillbench {words}", "python contracts.py"):
        done = stand_ins.run(tmp_path, f"export PYTHONPATH={unpacked}; {command}")
        assert done.returncode == 0, done.stderr
    assert f"{unpacked}/harness" in done.stdout
    report = tmp_path / "results/report"
    assert "as_long,sums,student" in (report / "scores.csv").read_text()
    assert "Places of my own" in (report / "index.html").read_text()
    assert (report / "names.txt").is_file()


def test_the_version_is_ours_and_needs_nothing_else() -> None:
    code = "import sys; sys.argv = ['distillbench', '--version']; import harness.__main__ as m; m.main(); "
    code += "sys.exit('hydra' in sys.modules)"
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"distillbench {__version__}\n")


def test_hooks_before_a_commit_are_the_checks_of_make() -> None:
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"].split()[:2] for hook in config["repos"][0]["hooks"]]
    makefile = (REPOSITORY / "Makefile").read_text()
    for program, *first in hooks:
        words = [program.replace(".venv/bin/", "$(BIN)/"), *(w for w in first if w[0] != "-")]
        assert "\t" + " ".join(words) in makefile
