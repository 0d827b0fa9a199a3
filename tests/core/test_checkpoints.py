"""A pattern of checkpoints is a sweep over them in the order of their steps; a watched folder is scored as it fills."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.cli.checkpoints import Series, series_in, step_of, watched
from harness.figures._doses import shared_folders
from harness.page import render
from harness.plan.run import Watch
from harness.types import DistillbenchError
from tests.core.running import inside, matrix
from tests.models.tiny import byte_tokenizer, save_llama


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three checkpoints of one training, somewhere else."""
    tokenizer, place = byte_tokenizer(), tmp_path_factory.mktemp("saved")
    return [save_llama(place / str(i), tokenizer, seed=i) for i in range(3)]


def series(tmp_path: Path, pattern: str = "checkpoint-*") -> Series:
    return Series("student", "path", str(tmp_path / pattern), {"kind": "hf"})


class Training:
    """Does the next thing whenever the watch sleeps, and stops the watch with Ctrl-C at its end."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps, self.now_s = list(steps), 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if not self.steps:
            raise KeyboardInterrupt
        self.steps.pop(0)()

    def watch(self, own: Series | None, **settings: Any) -> Iterator[list[str]]:
        found = watched(own, Watch(**settings), self.sleep, lambda: self.now_s)
        return ([Path(folder).name for folder in new] for new in found)


def nothing() -> None:
    """A look at which nothing has changed."""


def test_folders_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("b/checkpoint-20", "b/checkpoint-100", "b/checkpoint-9", "a/checkpoint-1000"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "b/checkpoint-3").write_text("a file")
    found = [str(Path(f).relative_to(tmp_path)) for f in series(tmp_path, "*/check*").folders()]
    assert found == ["a/checkpoint-1000", "b/checkpoint-9", "b/checkpoint-20", "b/checkpoint-100"]
    assert [step_of(f) for f in (*found[1:3], "runs7/final")] == [9, 20, None]


@pytest.mark.parametrize("cut", [4, 5000, -1])
def test_a_half_written_checkpoint_is_not_taken(
    tmp_path: Path, saved: list[Path], cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "checkpoint-10"

    def begin() -> None:
        shutil.copytree(saved[0], folder)
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:cut])

    def finish() -> None:
        shutil.copy(saved[0] / "model.safetensors", folder)

    training = Training(begin, nothing, nothing, finish, nothing)
    looks = list(training.watch(series(tmp_path)))
    assert looks == [["checkpoint-10"]]
    assert training.steps == []
    said = capsys.readouterr().err
    assert said.count("not taken yet") == 1, "once, not at each look"
    assert "the watch ends" in said


def test_a_checkpoint_without_its_tokenizer_waits_for_it(tmp_path: Path, saved: list[Path]) -> None:
    folder = tmp_path / "checkpoint-10"
    left = tmp_path / "tokenizer.json"

    def begin() -> None:
        shutil.copytree(saved[0], folder)
        (folder / "tokenizer.json").rename(left)

    training = Training(begin, nothing, lambda: left.rename(folder / "tokenizer.json"), nothing)
    assert list(training.watch(series(tmp_path))) == [["checkpoint-10"]]


def test_a_folder_that_still_changes_is_not_taken(tmp_path: Path, saved: list[Path]) -> None:
    folder = tmp_path / "checkpoint-10"
    shutil.copytree(saved[0], folder)

    def grow() -> None:
        with (folder / "optimizer.pt").open("a") as file:
            file.write("more")

    training = Training(grow, grow, grow)
    assert list(training.watch(series(tmp_path), patience=0)) == []
    assert training.steps == [], "patience ends nothing while something is being written"


def test_each_checkpoint_comes_once_and_late_ones_later(tmp_path: Path, saved: list[Path]) -> None:
    def write(i: int, step: int) -> Callable[[], object]:
        return lambda: shutil.copytree(saved[i], tmp_path / f"checkpoint-{step}")

    write(0, 100)()
    write(1, 20)()
    training = Training(nothing, nothing, write(2, 200), nothing, nothing)
    assert list(training.watch(series(tmp_path))) == [
        ["checkpoint-20", "checkpoint-100"],
        ["checkpoint-200"],
    ]


def test_a_watch_ends_by_patience_or_by_a_step(tmp_path: Path, saved: list[Path]) -> None:
    shutil.copytree(saved[0], tmp_path / "checkpoint-50")
    training = Training(*[nothing] * 9)
    assert list(training.watch(series(tmp_path), patience=6, every=2)) == [["checkpoint-50"]]
    assert training.now_s == 8, "one look more to be sure of the checkpoint, then six seconds"
    training = Training(*[nothing] * 9)
    assert list(training.watch(series(tmp_path), until=50)) == [["checkpoint-50"]]
    assert len(training.steps) == 8
    training = Training(*[nothing] * 3)
    assert list(training.watch(series(tmp_path), until=51)) == [["checkpoint-50"]]
    assert training.steps == []


def student(pattern: str, **changes: Any) -> dict[str, Any]:
    """A matrix whose student is a series of checkpoints."""
    own = matrix()
    models = {**own["models"], "student": {"kind": "hf", "path": pattern}}
    return matrix(
        models=models, tasks={"open": own["tasks"]["open"]}, metrics={"truncation": None},
        decoding={"temperature": 1.0, "max_new_tokens": 3}, **changes,
    )  # fmt: skip


def measured(tmp_path: Path, key: str) -> list[str]:
    with (tmp_path / "results/report/scores.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["student"] == "student" and r["value"]]
    return sorted({r.get(key, "") for r in rows})


@pytest.mark.slow  # seconds: two sweeps over checkpoints
def test_a_pattern_is_a_sweep_and_a_watch_goes_on_with_its_page(
    tmp_path: Path, saved: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "_plotly", lambda: "/* figures */")
    (tmp_path / "data").mkdir()
    lines = "".join(f'{{"prompt": "Tell me about thing {i}."}}\n' for i in range(20))
    (tmp_path / "data/prompts.jsonl").write_text(lines)
    for i, step in enumerate((100, 20)):
        shutil.copytree(saved[i], tmp_path / f"runs/a/checkpoint-{step}")
    shutil.copytree(saved[2], tmp_path / "runs/a/checkpoint-30")
    (tmp_path / "runs/a/checkpoint-30/config.json").write_text("{")
    words = ("matrix=steps", "report.interactive=none")
    files = {"matrix/steps": student("runs/*/checkpoint-*")}
    done = inside(tmp_path, *words, files=files)
    assert done.returncode == 0, done.stderr
    assert "models.student.path: left out: model student: runs/a/checkpoint-30" in done.stderr
    key = "models.student.path"
    assert measured(tmp_path, key) == ["runs/a/checkpoint-100", "runs/a/checkpoint-20"]
    (listed,) = tmp_path.glob("results/sweeps/*/jobs/*/sweep.json")
    jobs = [job["values"][key] for job in json.loads(listed.read_text())["jobs"]]
    assert jobs == ["runs/a/checkpoint-20", "runs/a/checkpoint-100"], "in the order of steps"

    shutil.copy(saved[2] / "config.json", tmp_path / "runs/a/checkpoint-30")
    shutil.copytree(saved[0], tmp_path / "runs/late")
    place = "hydra.sweep.dir=results/sweeps/watched"
    training = Training(lambda: (tmp_path / "runs/late").rename(tmp_path / "runs/a/checkpoint-400"))
    monkeypatch.setattr(main, "watched", partial(watched, sleep=training.sleep))
    done = inside(tmp_path, *words, "watch={patience: 0}", place, files=files)
    assert done.returncode == 0, done.stderr
    steps = (20, 30, 100, 400)
    assert measured(tmp_path, key) == sorted(f"runs/a/checkpoint-{step}" for step in steps)
    assert done.stderr.count("done student x open") == 1, "the others' answers are stored"
    assert "earlier sweep" not in done.stderr


def test_what_cannot_be_meant_is_one_line(tmp_path: Path, saved: list[Path]) -> None:
    for name in ("a-1", "b-1"):
        shutil.copytree(saved[0], tmp_path / name)
    models = student("a-*")["models"]
    models["base"] = {"kind": "hf", "path": "b-*"}
    files = {
        "matrix/none": student("nowhere/step-*"),
        "matrix/two": student("a-*") | {"models": models},
        "matrix/plain": matrix(),
        "matrix/odd": matrix(watch={"evry": 3}),
        "matrix/logs": student("data*"),
    }
    (tmp_path / "data").mkdir()
    said = {
        "none": "models.student.path: nowhere/step-*: expected folders of checkpoints, found none;",
        "two": "models.student.path=a-*, models.base.path=b-*: expected one pattern of checkpoints, got 2;",
        "odd": "watch: key 'evry' is unknown; did you mean 'every'?",
        "logs": "models.student.path: data*: expected folders of checkpoints, found none that is whole;",
    }
    for name, words in said.items():
        done = inside(tmp_path, f"matrix={name}", files=files)
        (line,) = [line for line in done.stderr.splitlines() if "left out" not in line]
        assert (done.returncode, line.startswith(f"error: {words}")) == (2, True), line
    for word, told in {
        "watch=true": "watch: expected a model whose path is a pattern",
        "watch=7": "watch: expected true, false or some of every, patience, until; got 7",
        "watch={every: 0}": "watch: key every: expected seconds, more than 0, got 0",
        "watch={until: late}": "watch: key until: expected",
    }.items():
        done = inside(tmp_path, "matrix=plain", word, files=files)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, line.startswith(f"error: {told}")) == (2, True), line


def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(
    tmp_path: Path, saved: list[Path]
) -> None:

    shutil.copytree(saved[0], tmp_path / "run[1]")
    models = {"student": {"kind": "hf", "path": str(tmp_path / "run[1]")}}
    assert series_in([({"models": models}, [])]) is None
    models["student"]["path"] = str(tmp_path / "run[2]")
    found = series_in([({"models": models}, [])])
    assert found is not None
    with pytest.raises(DistillbenchError, match="expected folders of checkpoints, found none"):
        found.whole()


def test_names_of_checkpoints_on_the_map_leave_out_their_folder() -> None:
    variants = [(("path", f"runs/a/step-{i}"), ("seed", str(i))) for i in (1, 2)]
    assert shared_folders(variants) == {"path": "runs/a/", "seed": ""}
