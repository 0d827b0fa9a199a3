"""Every block of the README, copied as it stands into an empty folder, gives what the text around it promises."""

from __future__ import annotations

import csv
import dataclasses
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.models import Budget
from harness.models.server import ServerModel
from harness.plugins import build, kinds, plugin_class
from harness.schema import build_dataclass
from harness.types import Paths
from tests.core.running import REPOSITORY
from tests.readme import stand_ins
from tests.readme.blocks import Block, blocks, prose, section, write_files

MAKE, INSTALL, OWN, RECORDED = "Two commands", "Installing", "Your own models", "Recorded answers"
ONE_FILE = "One file for several models"
SERVERS = "Servers"
CHECKPOINTS = "Checkpoints and sweeps"
SWEEPS, CI = "Sweeps", "In the CI of a training repository"
READ = "Read results in Python"
WRITTEN = "What is written"
TRIED = {
    MAKE: 1,
    INSTALL: 1,
    OWN: 2,
    SERVERS: 1,
    RECORDED: 1,
    ONE_FILE: 3,
    CHECKPOINTS: 1,
    SWEEPS: 2,
    CI: 2,
    READ: 2,
    WRITTEN: 2,  # further exporters; keys of a task, which tests/core/test_config.py has
}  # section -> its blocks; tests/readme/test_installing.py has MAKE and INSTALL
ZOO_CUT = (
    "only.tasks=[zoo_facts,zoo_style]",
    "only.metrics=[task_score,style_transfer]",
    *stand_ins.SHORT,
)
ZOO_THREE = "only.models=[teacher_a,base,answers_a]"


def commands(heading: str) -> list[str]:
    """All commands of a section, in order."""
    return [command for block in section(heading) for command in block.commands]


def own(folder: Path, command: str) -> tuple[str, ...]:
    """The files of "Your own models" with checkpoints behind its placeholders, and what is changed."""
    write_files(OWN, folder)
    stand_ins.put_checkpoints(folder)
    cut = ("only.tasks=[arc_easy,style_prompts]",) if "matrix=standard" in command else ()
    return (stand_ins.put_hub_data(folder), *cut, *stand_ins.SHORT)


def trained(folder: Path, command: str) -> tuple[str, ...]:
    """The same with checkpoints of a training."""
    changes = own(folder, command)
    stand_ins.put_training(folder)
    return changes


def zoo(folder: Path, command: str) -> tuple[str, ...]:
    """A trained zoo's place, filled, and what is changed."""
    stand_ins.put_zoo(folder, ("teacher_a", "base", "answers_a", "independent"))
    return ZOO_CUT if "zoo_dose" in command else (ZOO_THREE, *ZOO_CUT)


def test_the_models_on_servers(tmp_path: Path) -> None:
    (block,) = section(SERVERS)
    whole = yaml.safe_load(block.text)
    build_dataclass(Budget, whole["budget"], "budget")
    built = [build("models", name, fields) for name, fields in whole["models"].items()]
    paths = Paths(tmp_path, tmp_path)
    assert not [fault for model in built for fault in model.faults(paths)]
    assert len({model.key(paths) for model in built}) == len(built) == 3
    known = {f.name for f in dataclasses.fields(ServerModel)}
    named = re.findall(r"`(\w+): [^`]*`", prose(SERVERS))
    assert set(named) - {"content", "kind"} <= known


def test_the_further_exporters() -> None:
    block = next(b for b in section(WRITTEN) if "exports" in b.text)
    named = yaml.safe_load(block.text)["report"]["exports"]
    built = [build("exports", name, {"kind": name, **fields}) for name, fields in named.items()]
    assert {b.kind for b in built} == {
        k for k in kinds("exports") if not plugin_class("exports", k).always
    }
    assert [line for b in built for line in b.faults(["gsm8k"])] == []


Prepare = Callable[[Path, str], tuple[str, ...]]
MODEL_COMMANDS = [
    *((own, c) for c in commands(OWN)),
    *((trained, c) for c in commands(CHECKPOINTS)),
    *((zoo, c) for c in commands(SWEEPS)),
]


def scores(folder: Path) -> list[dict[str, str]]:
    """Rows of the page's table."""
    assert (folder / "results/report/index.html").is_file()
    with (folder / "results/report/scores.csv").open() as file:
        return list(csv.DictReader(file))


def value(rows: list[dict[str, str]], metric: str, student: str) -> float:
    """The one number of a measure and a student."""
    found = [
        r["value"] for r in rows if (r["metric"], r["student"]) == (metric, student) and r["value"]
    ]
    assert len(found) == 1, f"{metric} of {student}: expected one number, got {found}"
    return float(found[0])


def test_every_block_is_tried() -> None:
    found: dict[str, int] = {}
    for block in blocks():
        found[block.section] = found.get(block.section, 0) + 1
    assert found == TRIED
    assert all(block.commands or block.file for block in blocks()), (
        "a block that is neither commands nor a named file"
    )


def test_the_parts_of_a_block_are_told_apart() -> None:
    text = "# T\n\n## A\n\nIn `x.py` and `a/b.yaml`:\n\n```yaml\n# comment\nk: 1\n```\n\n"
    text += "```console\n$ run x\n# no\n$ two\n```\n"
    first, second = blocks(text)
    assert first == Block("A", "yaml", "# comment\nk: 1\n", "a/b.yaml")
    assert (second.file, second.commands) == (None, ["run x", "two"])


@pytest.mark.slow
def test_recorded_answers_give_a_page_with_numbers(tmp_path: Path) -> None:
    write_files(ONE_FILE, tmp_path)
    for command in commands(ONE_FILE):
        done = stand_ins.run(tmp_path, command)
        assert done.returncode == 0, done.stderr
    assert "near 2/3" in prose(ONE_FILE)
    assert value(scores(tmp_path), "style_transfer", "student") == pytest.approx(2 / 3, abs=0.12)
    read_in_python(tmp_path)


@pytest.mark.slow  # a whole run
def test_three_files_of_answers_give_a_page_of_style(tmp_path: Path) -> None:
    write_files(ONE_FILE, tmp_path)
    subprocess.run([sys.executable, "make_answers.py"], cwd=tmp_path, check=True)
    stand_ins.split_answers(tmp_path)
    assert not list(tmp_path.glob("results"))
    done = [stand_ins.run(tmp_path, command) for command in commands(RECORDED)]
    assert [d.returncode for d in done] == [0, 0, 0], [d.stderr for d in done]
    assert value(scores(tmp_path), "style_transfer", "student") == pytest.approx(2 / 3, abs=0.12)
    assert "no controls: nobody can say" in done[1].stderr
    assert "▲ significantly above the base" in done[1].stderr
    assert "gate" not in done[1].stderr
    assert "results/report/index.html" in done[2].stderr
    assert {r["metric"] for r in scores(tmp_path)}.isdisjoint({"capability_transfer", "task_score"})


def read_in_python(folder: Path) -> None:
    """The same results, read as the README says and compared with themselves."""
    write_files(READ, folder)
    shutil.copytree(folder / "results" / "report", folder / "before")
    (command,) = commands(READ)
    done = stand_ins.run(folder, command)
    assert done.returncode == 0, done.stderr
    assert "style_transfer_low" in done.stdout
    assert "reason" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prepare", "command"), MODEL_COMMANDS, ids=lambda p: p if isinstance(p, str) else ""
)
def test_commands_over_models_are_understood_whole(
    tmp_path: Path, prepare: Prepare, command: str
) -> None:
    """Every model, metric and pair is built; nothing is collected, which is all that is missing."""
    changes = [*prepare(tmp_path, command), "stages=[score]", "hydra/launcher=basic"]
    # lm-eval's own tasks take ten seconds to find, and lm-eval itself some to start: the slow tests have them
    changes.append(f"only.tasks=[{'zoo_style' if prepare is zoo else 'style_prompts'}]")
    done = stand_ins.run(tmp_path, command, *changes)
    assert done.returncode == 3, done.stderr
    assert "not collected yet" in done.stderr
    assert "error:" not in done.stderr


# lm-eval's tasks are indexed (10 s), models of random weights are loaded and asked
@pytest.mark.slow
@pytest.mark.parametrize("command", commands(OWN))
def test_own_models_are_compared(tmp_path: Path, command: str) -> None:
    done = stand_ins.run(tmp_path, command, *own(tmp_path, command))
    assert done.returncode == 0, done.stderr
    rows = scores(tmp_path)
    students = {"student"} if "matrix=standard" in command else {"student_a", "student_b"}
    graded = {r["student"] for r in rows if r["metric"].startswith("task_score/") and r["value"]}
    assert graded >= {"teacher", "base", *students}
    wanted = {"gap_recovered"} if "gsm8k" in command else {"gap_recovered", "style_transfer"}
    # random models are as good as each other: the row says so instead of a number
    for metric in wanted:
        assert {r["student"] for r in rows if r["metric"] == metric} >= students


@pytest.mark.slow  # two to four runs of random models, with processes of their own: 20 to 30 s
@pytest.mark.parametrize("command", commands(SWEEPS))
def test_sweeps_end_in_one_page_with_a_column_for_the_swept_key(
    tmp_path: Path, command: str
) -> None:
    done = stand_ins.run(tmp_path, command, *zoo(tmp_path, command))
    assert done.returncode == 0, done.stderr
    swept = re.search(r"([\w.]+)=(\S+,\S+)", command)
    assert swept
    values = {row.get(swept[1], "") for row in scores(tmp_path)}
    assert len(values) == len(swept[2].split(",")), (
        f"expected a value of {swept[1]} per job, got {values}"
    )
    assert "one page shows them all" in prose(SWEEPS)


def test_the_gate_and_the_workflow_fit_the_matrix(tmp_path: Path) -> None:
    write_files(CI, tmp_path)
    matrix = next(b for b in section(OWN) if b.language == "yaml")
    students = {pair["student"] for pair in yaml.safe_load(matrix.text)["pairs"]}
    assert len(students) == 2, "the title speaks of two students"
    conditions = yaml.safe_load((tmp_path / "conf/gate/mine.yaml").read_text())["conditions"]
    assert {condition["where"]["student"] for condition in conditions} <= students
    steps = yaml.safe_load((tmp_path / ".github/workflows/distilled.yml").read_text())["jobs"][
        "smoke"
    ]["steps"]
    assert any(step.get("with", {}).get("path") == "results/report" for step in steps)


# lm-eval's tasks are indexed (10 s), models of random weights are loaded and asked
@pytest.mark.slow
def test_the_workflow_ends_with_the_gates_verdict(tmp_path: Path) -> None:
    write_files(CI, tmp_path)
    matrix = next(b for b in section(OWN) if b.language == "yaml")
    (tmp_path / "conf/matrix").mkdir()
    (tmp_path / "conf/matrix/mine.yaml").write_text(matrix.text)
    changes = own(tmp_path, "")
    steps = yaml.safe_load((tmp_path / ".github/workflows/distilled.yml").read_text())["jobs"][
        "smoke"
    ]["steps"]
    done = [stand_ins.run(tmp_path, step["run"], *changes) for step in steps if "run" in step]
    # random students hold no condition
    assert [d.returncode for d in done] == [0, 0, 1], done[-1].stderr
    assert sum(line.startswith("gate:") for line in done[-1].stderr.splitlines()) >= 1
    assert "one line and exit code 1" in prose(CI)


ACTION = yaml.safe_load((REPOSITORY / ".github/actions/distillbench/action.yml").read_text())


def action_runs(folder: Path, **inputs: str) -> list[subprocess.CompletedProcess[str]]:
    """The commands of the composite action as a runner starts them, one after the other until one fails."""
    values = {k: str(v.get("default", "")) for k, v in ACTION["inputs"].items()} | inputs
    done: list[subprocess.CompletedProcess[str]] = []
    for step in ACTION["runs"]["steps"]:
        if "run" in step and not any(d.returncode for d in done):
            names = {
                k: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: values[m[1]], v)
                for k, v in step["env"].items()
            }
            exported = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in names.items())
            done.append(stand_ins.run(folder, exported + step["run"]))
    return done


@pytest.mark.slow  # two whole commands
@pytest.mark.parametrize(("least", "code"), [(0.5, 0), (0.99, 1)])
def test_the_action_ends_with_the_gates_verdict(tmp_path: Path, least: float, code: int) -> None:
    write_files(ONE_FILE, tmp_path)
    subprocess.run([sys.executable, "make_answers.py"], cwd=tmp_path, check=True)
    condition = {"where": {"metric": "style_transfer", "student": "student"}, "min": least}
    (tmp_path / "my_conf/gate").mkdir()
    (tmp_path / "my_conf/gate/mine.yaml").write_text(yaml.safe_dump({"conditions": [condition]}))
    installed, run = action_runs(
        tmp_path,
        **{"matrix": "recorded", "gate": "mine", "config-dir": "my_conf", "install": "a b.whl"},
        words="paths.data=. limit=39",
    )
    assert installed.returncode == 0
    assert (tmp_path / "pip.log").read_text().splitlines()[-1] == "install a b.whl"
    assert run.returncode == code, run.stderr
    assert (tmp_path / "results/report/gate.xml").is_file()
    assert {row["n"] for row in scores(tmp_path) if row["metric"] == "length"} == {"39"}


def test_what_the_action_keeps_and_leaves_is_where_a_run_puts_it() -> None:
    uses = {s["uses"].partition("@")[0]: s["with"] for s in ACTION["runs"]["steps"] if "uses" in s}
    assert "results/store" in uses["actions/cache"]["path"].split()
    assert uses["actions/upload-artifact"]["path"] == "results/report"
    inputs = set(re.findall(r"inputs\.([\w-]+)", str(ACTION["runs"])))
    assert inputs == set(ACTION["inputs"])
