"""Plug-ins from folders outside the package: found, keyed, refused, and used by worker processes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.executors import AbstractExecutor
from harness.executors.local import LocalExecutor
from harness.keys import code_digest
from harness.plugins import PACKAGES, build, folders, kinds, plugin_class, use_folders
from harness.stages.collect import collect
from harness.stages.report import lacks_parts, write_report
from harness.stages.score import score
from harness.types import DistillbenchError, Score
from tests.core.running import command, matrix, write_data
from tests.joints.small import planned
from tests.plugins.files import ECHOES, FILES, HELPER, MATRIX, METRIC, write_plugins
from tests.report.records import read, record


def scores_of(folder: Path, plugins: Path, **changes: Any) -> tuple[Score, ...]:
    """The scores of a run over plug-ins of a user's own."""
    plan, store = planned(folder, **{**MATRIX, **changes}, paths={"plugins": str(plugins)})
    return score(collect(plan, store).plan, store).scores


def only(scores: tuple[Score, ...], metric: str, student: str) -> Score:
    """The one score of a metric and a student with its teacher."""
    (one,) = (s for s in scores if (s.metric, s.student) == (metric, student) and s.teacher)
    return one


def test_an_outside_measure_model_and_task_give_numbers(tmp_path: Path) -> None:
    scores = scores_of(tmp_path, write_plugins(tmp_path / "mine"))
    assert only(scores, "as_long", "student").value == 1.0  # "Oh" for "Well,"
    assert only(scores, "as_long", "wordy").value == 0.0
    assert only(scores, "as_long", "student").n == 30


def test_worker_processes_find_them(tmp_path: Path) -> None:
    plan, store = planned(
        tmp_path, **MATRIX, workers=2, paths={"plugins": str(write_plugins(tmp_path / "mine"))}
    )
    made = collect(plan, store)
    assert [e.error for e in made.ended] == [""] * 4
    assert all(store.has(c.key) for c in made.plan.collections)


def test_every_kind_is_found_beside_ours(tmp_path: Path) -> None:
    before = {p: kinds(p) for p in PACKAGES}
    use_folders([write_plugins(tmp_path)])
    for file in FILES:
        package, _, name = file.removesuffix(".py").partition("/")
        if not name.startswith("_"):
            assert set(kinds(package)) - set(before[package]) == {name}
            assert plugin_class(package, name).__module__ == f"harness.{package}.{name}"
    assert issubclass(plugin_class("executors", "plain"), AbstractExecutor)
    assert folders() == (tmp_path,)
    use_folders([])
    assert {p: kinds(p) for p in PACKAGES} == before
    assert "harness.metrics.as_long" not in sys.modules


@pytest.mark.parametrize("statement", ["from ._counting", "from harness.metrics._counting"])
@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("_counting", "t.split()", "t.split(',')", True),
        ("_counting", "Words of every text.", "The words.", False),
        ("as_long", "everyone.clusters", "everyone.ids", True),
        ("as_long", "The share.", "Its share.", False),
    ],
)
def test_a_key_follows_the_code_of_a_plug_in_and_its_helpers(
    tmp_path: Path, statement: str, file: str, old: str, new: str, changes: bool
) -> None:
    use_folders([write_plugins(tmp_path / "a")])
    measure = tmp_path / "a/metrics/as_long.py"
    measure.write_text(METRIC.replace("from ._counting", statement))
    before = code_digest("harness.metrics.as_long")
    (tmp_path / "a").rename(tmp_path / "b")
    edited = tmp_path / f"b/metrics/{file}.py"
    assert old in edited.read_text()
    edited.write_text(edited.read_text().replace(old, new))
    use_folders([tmp_path / "b"])
    assert (code_digest("harness.metrics.as_long") != before) == changes


def test_an_edited_helper_scores_again_and_asks_nobody(tmp_path: Path) -> None:
    mine = write_plugins(tmp_path / "mine")
    scores_of(tmp_path, mine)
    moved = mine.rename(tmp_path / "moved")
    (moved / "metrics/_counting.py").write_text(HELPER.replace("t.split()", "t[:1]"))
    plan, store = planned(tmp_path, **MATRIX, paths={"plugins": str(moved)})
    assert not collect(plan, store).keys
    again = score(plan, store)
    assert only(again.scores, "as_long", "wordy").value == 1.0
    assert len(again.made.keys) == 2  # `length` is not among them


def test_another_folder_in_the_same_process_brings_its_own_code(tmp_path: Path) -> None:
    one, two = write_plugins(tmp_path / "one"), write_plugins(tmp_path / "two")
    use_folders([one])
    first = build("metrics", "as_long", {"kind": "as_long"})
    measure = two / "metrics/as_long.py"
    measure.write_text(METRIC.replace("slack: int = 3", "slack: int = 5"))
    use_folders([two])
    assert (first.slack, build("metrics", "as_long", {"kind": "as_long"}).slack) == (3, 5)


BROKEN = {
    "two": (METRIC + "\n\nclass Other(AsLong):\n    pass\n", "as_long.py: expected one subclass of AbstractMetric, got "
            "AsLong, Other"),
    "none": ("x = 1\n", "as_long.py: expected one subclass of AbstractMetric, got none; each stands"),
    "syntax": ("def f(:\n", r"as_long.py: cannot be imported: SyntaxError: .*line 1\); correct it, or take its folder "
               "out of paths.plugins"),
    "import": ("import numpy\n\nimport not_there\n", r"as_long.py: cannot be imported: ModuleNotFoundError: No module "
               r"named 'not_there' \(.*as_long.py, line 3\)"),
    "unit": (re.sub("    unit: .*\n", "", METRIC), "as_long.py: AsLong lacks unit; AbstractMetric says what each is"),
    "measure": (METRIC.replace("def measure", "def measures"), "as_long.py: AsLong lacks measure;"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    mine = write_plugins(tmp_path / "mine")
    (mine / "metrics/as_long.py").write_text(text)
    with pytest.raises(DistillbenchError, match="^metric as_long: .*" + line) as caught:
        scores_of(tmp_path, mine)
    assert len(str(caught.value).splitlines()) == 1


def test_a_figure_that_cannot_be_used_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    mine = write_plugins(tmp_path / "mine")
    (mine / "figures/places.py").write_text("x = 1\n")
    with pytest.raises(DistillbenchError, match=r"places\.py: expected one subclass of Abstract"):
        planned(tmp_path, paths={"plugins": [str(mine)]})


def test_an_executor_is_chosen_by_a_key_and_changes_no_number(tmp_path: Path) -> None:
    mine, log = write_plugins(tmp_path / "mine"), tmp_path / "log"
    for place, chosen in (("a", "local"), ("b", {"kind": "plain", "log": str(log)})):
        changes = {"executor": chosen, "paths": {"plugins": str(mine)}}
        plan, store = planned(tmp_path / place, **MATRIX, **changes)
        collected = collect(plan, store).plan
        scores = score(collected, store).scores
        if place == "a":
            expected = scores
            assert not log.exists()
    assert scores == expected
    assert {"collecting", "scoring"} <= set(log.read_text().split("\n"))


def test_a_number_of_processes_of_its_own_goes_before_that_of_the_work() -> None:
    assert LocalExecutor().suited(3).at_once == 3
    assert LocalExecutor(2).suited(3).at_once == 2


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        ("lokal", "executor: kind: 'lokal' is unknown; did you mean 'local'?"),
        ({"workers": 2}, "executor: kind: '' is unknown"),
        ({"kind": "local", "wokers": 2}, "executor: key 'wokers' is unknown; did you mean"),
        ({"kind": "local", "workers": "two"}, "executor: key workers: expected"),
    ],
)
def test_an_executor_that_is_none_is_one_line(tmp_path: Path, chosen: Any, line: str) -> None:
    with pytest.raises(DistillbenchError) as caught:
        planned(tmp_path, executor=chosen)
    assert str(caught.value).startswith(line)
    assert len(str(caught.value).splitlines()) == 1


def test_folders_that_are_none_are_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DistillbenchError) as caught:
        planned(tmp_path, paths={"plugins": [str(tmp_path / "gone"), str(tmp_path / "empty")]})
    gone, empty = str(caught.value).splitlines()
    assert gone.startswith(f"paths: key plugins: {tmp_path}/gone: expected a folder")
    assert (
        "named as in the package (models, tasks, metrics, verdicts, figures, exports, trackers, executors)"
        in empty
    )


@pytest.mark.parametrize("name", ["metrics/capa", "figures/_marks"])
def test_a_name_of_ours_is_refused_with_both_files(tmp_path: Path, name: str) -> None:
    write_plugins(tmp_path, "metrics/as_long.py", "figures/places.py")
    (tmp_path / f"{name}.py").write_text(METRIC)
    with pytest.raises(
        DistillbenchError, match=f"^{tmp_path}/{name}.py: .*/harness/{name}.py; rename"
    ):
        use_folders([tmp_path])
    assert folders() == ()


def test_a_name_of_another_folder_is_refused(tmp_path: Path) -> None:
    one = write_plugins(tmp_path / "one", "models/echo.py")
    two = write_plugins(tmp_path / "two", "models/echo.py")
    with pytest.raises(
        DistillbenchError, match=r"two/models/echo.py: .*one/models/echo.py; rename"
    ):
        use_folders([one, two])
    use_folders([one, one])


def test_a_measure_of_a_user_that_fails_is_not_our_fault(tmp_path: Path) -> None:
    mine = write_plugins(tmp_path / "mine")
    measure = mine / "metrics/as_long.py"
    measure.write_text(
        METRIC.replace(
            "        student, teacher = (words",
            "        {}['x']\n        student, teacher = (words",
        )
    )
    plan, store = planned(tmp_path, **MATRIX, paths={"plugins": str(mine)})
    scored = score(collect(plan, store).plan, store)
    place = rf"^KeyError: 'x' \({measure}, line \d+\)$"
    assert re.search(place, only(scored.scores, "as_long", "student").reason)
    assert "KeyError" not in only(scored.scores, "length", "student").reason
    assert not scored.made.our_fault


@pytest.mark.slow  # two runs of the command, one of them a sweep with processes of its own
def test_the_command_takes_every_kind_and_so_do_the_jobs_of_a_sweep(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    mine = write_plugins(tmp_path / "mine")
    words = ("matrix=m", f"paths.plugins={mine}", "workers=2")
    files = {"matrix/m": matrix(**MATRIX)}
    done = command(tmp_path, *words, files=files)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "results/report"
    assert (report / "names.txt").read_text().splitlines() == list(ECHOES)
    assert "Places of my own" in (report / "index.html").read_text()
    (report / "names.txt").unlink()
    swept = ("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1")
    done = command(tmp_path, *swept, *words)
    assert done.returncode == 0, done.stderr
    assert (report / "names.txt").exists()
    assert "as_long" in (report / "scores.csv").read_text()


@pytest.mark.slow  # a whole run, and a sweep
def test_an_exporter_of_a_user_that_fails_is_told_by_the_exit_code(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    mine = write_plugins(tmp_path / "mine")
    exporter = mine / "exports/names.py"
    exporter.write_text(exporter.read_text().replace("board.record.models", "board.models"))
    words = ("matrix=m", f"paths.plugins={mine}")
    place = rf"\({exporter}, line 19\); correct the plug-in; its traceback stands in"
    for extra in ((), ("-m", "seed=0,1")):
        done = command(tmp_path, *extra, *words, files={"matrix/m": matrix(**MATRIX)})
        assert done.returncode == 70
        assert (
            len(re.findall(f"missing export names: AttributeError: .* {place}", done.stderr)) == 1
        )
        assert "fault of distillbench" not in done.stderr
        assert (tmp_path / "results/report/index.html").is_file()
        assert (tmp_path / "results/failures/export-names.txt").is_file()


WRITING = '(folder / "names.txt").write_text("\\n".join(board.record.models), encoding="utf-8")'
FAILING_EXPORTS = {
    "raises": ("board.nothing", "AttributeError: .*nothing.*; correct the plug-in"),
    "gives up": ("raise SystemExit(1)", "SystemExit: 1 .*; correct the plug-in"),
    "takes a name of ours": (
        '(folder / "scores.csv").write_text("mine")',
        "expected files .* another exporter's file, scores.csv; rename .*; correct the plug-in",
    ),
    "makes a folder": ('(folder / "mine").mkdir()', "expected files .* a folder, mine; rename .*"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("body", "why"), FAILING_EXPORTS.values(), ids=FAILING_EXPORTS)
def test_an_exporter_of_a_user_that_fails_costs_only_its_own_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, why: str
) -> None:
    mine = write_plugins(tmp_path / "mine")
    exporter = mine / "exports/names.py"
    first = exporter.with_name("aaa.py")  # comes before the other by its name
    assert WRITING in exporter.read_text()
    first.write_text(exporter.read_text().replace(WRITING, body))
    use_folders([mine])
    report = tmp_path / "report"
    write_report(record(), report, read)
    assert {"index.html", "scores.json", "names.txt"} <= {p.name for p in report.iterdir()}
    assert not (report / "scores.csv").read_text().startswith("mine")
    assert not (report / "mine").exists()
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("missing export")]
    assert re.match(f"missing export aaa: {why}; .* {tmp_path}/failures/export-aaa.txt", line)
    assert lacks_parts(report)
    first.write_text(exporter.read_text().replace("names.txt", "aaa.txt"))
    use_folders([])
    use_folders([mine])
    write_report(record(), report, read)
    assert (report / "aaa.txt").is_file()
    assert not lacks_parts(report)


FAILING = {
    "draws": ("if not board.rows:", "if board.rows[9999]:", r"IndexError: .*"),
    "gives no number": ("Dot(float(y), y)", "Dot(float('nan'), y)", r".*"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("right", "wrong", "why"), FAILING.values(), ids=FAILING)
def test_a_figure_that_fails_costs_only_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], right: str, wrong: str, why: str
) -> None:
    mine = write_plugins(tmp_path / "mine")
    figure, text = mine / "figures/places.py", (mine / "figures/places.py").read_text()
    figure.write_text(text.replace(right, wrong))
    use_folders([mine])
    whole = write_report(record(), tmp_path / "report", read).read_text("utf-8")
    assert "Places of my own" not in whole
    assert "figure places" in whole, "among the holes"
    assert "Transfer map" in whole or "transfer" in whole
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("missing figure")]
    assert re.match(
        rf"missing figure places: {why}; .* stands in {tmp_path}/failures/figure-places.txt", line
    )
    assert "Traceback" in (tmp_path / "failures/figure-places.txt").read_text("utf-8")
    assert lacks_parts(tmp_path / "report")
    figure.write_text(text)
    use_folders([])
    use_folders([mine])
    assert "Places of my own" in write_report(record(), tmp_path / "report", read).read_text(
        "utf-8"
    )
    assert not lacks_parts(tmp_path / "report")


@pytest.mark.slow  # a whole run
def test_a_figure_of_a_user_that_fails_is_told_by_the_exit_code(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    mine = write_plugins(tmp_path / "mine")
    figure = mine / "figures/places.py"
    figure.write_text(figure.read_text().replace("if not board.rows:", "if board.rows[9999]:"))
    words = ("matrix=m", f"paths.plugins={mine}")
    done = command(tmp_path, *words, files={"matrix/m": matrix(**MATRIX)})
    assert done.returncode == 70
    place = rf"{figure}, line \d+"
    said = rf"missing figure places: IndexError: .* \({place}\); correct the plug-in; its traceback"
    assert re.search(said, done.stderr)
    assert "fault of distillbench" not in done.stderr
    assert (tmp_path / "results/report/index.html").is_file()
    assert (tmp_path / "results/failures/figure-places.txt").is_file()
    swept = command(tmp_path, "-m", "seed=0,1", *words)
    assert swept.returncode == 70
    assert len(re.findall(said, swept.stderr)) == 1
    assert (tmp_path / "results/report/index.html").is_file()
