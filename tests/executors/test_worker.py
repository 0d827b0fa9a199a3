"""A run whose jobs are carried out by the worker's program ends with the bytes of a run here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

from harness.cli.config import packaged, typed_run
from harness.cli.worker import main
from harness.console.forecast import Sort
from harness.console.progress import News, Stage
from harness.executors import AbstractExecutor, Desk, Ended, Job
from harness.executors._cluster import Crew
from harness.executors._lines import (
    Began,
    Done,
    Line,
    Stopped,
    read_line,
    read_request,
    request_of,
    written,
)
from harness.executors.local import LocalExecutor
from harness.plan.run import Run
from harness.stages.ask import ask
from harness.stages.collect import collect_jobs
from harness.stages.run import execute
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.core.running import run_of
from tests.core.simple_jobs import job
from tests.core.test_kill import contents
from tests.executors.in_process import Program
from tests.executors.kill_trials import WORKERS, Trials


@dataclass(frozen=True)
class Elsewhere(AbstractExecutor):
    """Jobs that can leave are carried out by the worker's program, in this process."""

    folder: Path
    requests: list[int] = field(default_factory=list)
    doing: list[str] = field(default_factory=list)

    at_once = 2

    def run(self, jobs: Sequence[Job], desk: Desk, shown: Stage) -> list[Ended]:
        """How they ended."""
        self.folder.mkdir(exist_ok=True)
        machines = Program(Path(mkdtemp(dir=self.folder)), desk)
        ended = Crew(machines, self.at_once, desk, list(jobs)).work_off(shown)
        self.requests.extend(machines.sizes)
        self.doing.extend(e.job.doing for e in ended if e.job.bundle)
        return ended


def results(run: Run) -> dict[str, bytes | str]:
    """What a run leaves: everything stored, the packs, and the scores."""
    folder = run.paths.results
    files = [*(folder / "packs").glob("*"), folder / "report/scores.csv"]
    return {
        **contents(folder.parent),
        **{p.relative_to(folder).as_posix(): p.read_bytes() for p in files},
    }


@pytest.mark.slow  # two runs
def test_a_run_elsewhere_leaves_the_same_bytes(tmp_path: Path) -> None:
    asked = {
        "stages": ["collect", "score", "report"],
        "metrics": dict.fromkeys(["task_score", "capa", "style_profile"]),
    }
    runs = [run_of(tmp_path / name, **asked) for name in ("here", "elsewhere")]
    elsewhere = Elsewhere(tmp_path / "requests")
    runs = [replace(r, executor=e) for r, e in zip(runs, (LocalExecutor(), elsewhere), strict=True)]
    assert [execute(run, packaged("reference"), alone=True).code for run in runs] == [0, 0]
    here, there = map(results, runs)
    assert here == there
    assert len(here) > 20
    assert set(elsewhere.doing) == {"collecting", "grading", "counting words", "scoring"}
    assert len(elsewhere.requests) < len(elsewhere.doing)  # small ones went together


LINES: list[Line] = [
    News(
        "p", "x", {Sort("a", "b"): 1.0}, {Sort("c"): 2.5}, 1.5, True, "done", "odd", {"load_s": 2.0}
    ),
    Began(3, "node1"),
    Done(3, "file f: none", True, False, ("k1", "k2")),
    Stopped("full", 28),
]


@pytest.mark.parametrize("line", LINES, ids=lambda x: type(x).__name__)
def test_a_line_is_read_as_it_was_written(line: Line) -> None:
    text = written(line)
    assert read_line(text) == line
    assert [read_line(text[:n]) for n in range(len(text))] == [None] * len(text)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"kind": "Began"}', '{"kind": "Job"}', "null", "7"]
)
def test_what_is_no_line_is_passed_over(text: str) -> None:
    assert read_line(text) is None


def test_a_request_holds_the_configuration_and_keys(tmp_path: Path) -> None:
    recipe = run_of(tmp_path).recipe
    assert recipe is not None
    request = read_request(request_of([job("a"), job("b")], recipe))
    assert request.recipe == {**vars(recipe), "folders": list(recipe.folders)}
    assert [j.keys for j in request.jobs] == [("a",), ("b",)]
    again = typed_run(request.recipe["config"], [Path(f) for f in request.recipe["folders"]])
    assert again.models == run_of(tmp_path).models


def test_a_secret_does_not_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = run_of(tmp_path, title="of key-4711-4711-4711").recipe
    monkeypatch.setenv("MY_API_KEY", "key-4711-4711-4711")
    with pytest.raises(DistillbenchError, match="api_key_env"):
        request_of([job("a")], recipe)


def test_what_a_machine_lacks_is_said_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURMD_NODENAME", "node7")
    recipe = run_of(tmp_path).recipe
    request, lines = tmp_path / "request", tmp_path / "lines"
    plain = json.loads(request_of([replace(job("k"), bundle=1)], recipe))
    plain["jobs"] = [{"doing": "collecting", "keys": ["of another version"]}]
    request.write_text(json.dumps(plain))
    assert main([str(request), str(lines)]) == 0
    began, done = [line for t in lines.read_text().splitlines() if (line := read_line(t))]
    assert began == Began(0, "node7")
    assert isinstance(done, Done)
    assert done.error.startswith(
        "node7 has no such job (collecting): its files or its version of distillbench"
    )
    (tmp_path / "data/quiz.jsonl").unlink()
    assert main([str(request), str(lines)]) == 0
    assert "quiz.jsonl" in lines.read_text().splitlines()[-1]


@pytest.mark.slow  # four commands
@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_killed_with_its_workers_at_a_random_piece_the_bytes_are_the_same(
    tmp_path: Path, kind: str
) -> None:
    """`python -m tests.executors.kill_trials` tries fifty moments of each."""
    trials = Trials.of(tmp_path / kind, kind)
    trial = trials.killed_at(trials.needed // 3)
    assert trial.same
    assert 0 <= trial.repeated <= WORKERS


def test_what_a_model_needs_of_a_machine_is_in_no_key(tmp_path: Path) -> None:
    needs = {"gpus": 4, "memory": "200G", "time": "6h"}
    plain, needy = (
        run_of(tmp_path, models={"m": {"kind": "fake", **n}}, pairs=[], controls=[])
        for n in ({}, needs)
    )
    assert plain.models["m"] != needy.models["m"]
    assert plain.models["m"].key(plain.paths) == needy.models["m"].key(needy.paths)


def test_a_server_is_asked_from_where_the_command_runs(tmp_path: Path) -> None:
    server = {"kind": "server", "url": "http://127.0.0.1:9/v1", "model": "m"}
    client = {"kind": "lm_eval", "model": "local-chat-completions", "snapshot": "1", "chat": True}
    named = {"fake": {"kind": "fake"}, "server": server, "client": client}
    run = run_of(tmp_path, models=named, pairs=[], controls=[])
    assert [n for n, m in run.models.items() if m.stays()] == ["server", "client"]
    models = {n: run.models[n] for n in ("fake", "server")}
    two = replace(run, models=models, tasks={"open": run.tasks["open"]})
    plan = ask(two, Store(run.paths.results))
    assert {j.part: j.bundle for j in collect_jobs(plan, lambda key: True)} == {
        "fake": 1,
        "server": 0,
    }
