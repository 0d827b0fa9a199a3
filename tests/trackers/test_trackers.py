"""What trackers are told of a run, and that the real packages keep it; those that are not installed are skipped."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.board.board import make_board
from harness.cli.composition import refuse_credentials
from harness.plugins import kinds, use_folders
from harness.stages.report import lacks_parts, write_report
from harness.stages.run import OUR_FAULT, execute
from harness.stages.tracking import told_of, track
from harness.testing import check_tracker
from harness.testing.trackers import TOLD
from harness.types import DistillbenchError
from tests.core.running import inside, matrix, run_of, write_data
from tests.plugins.files import write_plugins
from tests.report.records import read, record

PAGE = Path("/somewhere/results/report/index.html")


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    """A folder of plug-ins with a tracker that writes a run a line."""
    mine = write_plugins(tmp_path / "mine", "trackers/lines.py")
    use_folders([mine])
    yield mine
    use_folders([])


def test_every_headline_number_is_told_with_its_interval_and_n() -> None:
    told, made = told_of(record(), PAGE), make_board(record())
    several = len({r.subject.teacher for r in made.rows}) > 1
    assert several, "the teacher is in the names"
    for row in made.rows:
        for column, claim in zip(made.columns, row.claims, strict=True):
            name = f"{row.subject.student}/{row.subject.teacher}/{column.metric}"
            assert told.numbers.get(name) == claim.value
            if claim.score is not None and claim.value is not None:
                assert told.numbers.get(f"{name}/low") == claim.score.low
                assert told.numbers[f"{name}/n"] == claim.score.n
    for score in record().scores:
        if score.metric == "task_score" and not score.teacher:
            assert told.numbers.get(f"{score.student}/task_score/{score.task}") == score.value
    assert told.facts["page"] == str(PAGE)


@pytest.mark.parametrize("name", ["a/../b", "x\u202ey", "../..", "a:b,c\n", ".", ""])
def test_odd_names_become_names_that_every_tracker_takes(name: str) -> None:
    run = record()
    old = next(iter(run.pairs)).student
    scores = tuple(replace(s, student=name) if s.student == old else s for s in run.scores)
    told = told_of(replace(run, scores=scores), PAGE)
    for key in told.numbers:
        assert all(part.strip(". ") for part in key.split("/")), key
        assert all(c.isalnum() or c in "_-. /" for c in key), key


def test_equal_questions_to_equal_models_have_one_digest(tmp_path: Path) -> None:
    def digest(folder: str, **changes: Any) -> str:
        run = run_of(tmp_path / folder, **changes)
        ended = execute(replace(run, stages=("collect", "score")), Path("x.csv"), alone=False)
        assert ended.record is not None
        return ended.record.configuration

    first = digest("a", title="One")
    assert first == digest("b", title="Two", workers=2)
    assert first != digest("a", limit=30)


def told_by(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]


def test_a_run_and_every_job_of_a_sweep_are_told(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    mine = write_plugins(tmp_path / "mine", "trackers/lines.py")
    words = ("matrix=m", f"paths.plugins=[{mine}]", "track=[lines]")
    done = inside(tmp_path, *words, files={"matrix/m": matrix()})
    assert done.returncode == 0
    assert "told lines: 1 run\n" in done.stderr
    (one,) = told_by(tmp_path)
    assert one["title"] == "Fakes"
    assert Path(one["facts"]["page"]).is_file()
    assert len(one["facts"]["configuration"]) == 64
    assert any(name.startswith("student/") and name.endswith("/n") for name in one["numbers"])
    assert inside(tmp_path, "-m", "seed=0,1", *words).returncode == 0
    assert [t["title"] for t in told_by(tmp_path)[1:]] == ["Fakes seed=0", "Fakes seed=1"]
    (sweep,) = (tmp_path / "results" / "sweeps").iterdir()
    for place in (tmp_path / "results", sweep):
        again = inside(tmp_path, "report", str(place), f"paths.plugins={mine}", bare=True)
        assert again.returncode == 0
    assert len(told_by(tmp_path)) == 3, "a page that is made again is told to nobody"
    use_folders([])


def test_a_tracker_that_fails_costs_its_own_part_alone(
    tmp_path: Path, lines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named: dict[str, Any] = {"lines": {"kind": "lines", "file": str(tmp_path / "nowhere" / "x")}}
    run = replace(record(), trackers=named)
    page = write_report(run, tmp_path / "results" / "report", read)
    before = page.read_bytes()
    track(run, page)
    assert page.read_bytes() == before
    assert lacks_parts(page.parent)
    assert "missing tracker lines: " in capsys.readouterr().err
    named["lines"]["file"] = str(tmp_path / "x")
    track(run, page)
    assert not lacks_parts(page.parent)


@pytest.mark.parametrize("kind", kinds("trackers"))
def test_a_package_that_is_absent_is_said_before_anything_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DistillbenchError) as error:
        execute(run_of(tmp_path, track=[kind]), Path("x.csv"), alone=True)
    assert str(error.value) == (
        f"track.{kind}: the package {kind} is not installed: pip install 'distillbench[{kind}]'"
    )
    assert not (tmp_path / "results" / "store").exists()


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["mlflo"], "'mlflo' is unknown; did you mean 'mlflow'"),
        ({"wandb": {"entiti": "x"}}, "entiti"),
        ({"trackio": {"project": 5}}, "key project"),
    ],
)
def test_a_wrong_key_is_one_line(named: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError) as error:
        run_of(tmp_path, track=named)
    assert said in str(error.value)


def test_a_key_of_a_tracker_in_a_file_is_refused_unshown() -> None:
    with pytest.raises(DistillbenchError) as error:
        refuse_credentials({"track": {"wandb": {"api_key": "hunter2"}}}, [])
    assert "track.wandb.api_key" in str(error.value)
    assert "hunter2" not in str(error.value)


# --- the real packages ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # theirs
def test_trackio_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    pytest.importorskip("trackio")
    monkeypatch.setattr("trackio.utils.TRACKIO_DIR", tmp_path)
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path)
    check_tracker("trackio", project="mine")
    (base,) = (p for p in tmp_path.glob("mine*.db"))
    with sqlite3.connect(base) as file:
        (kept,) = file.execute("select metrics from metrics").fetchall()
        (config,) = file.execute("select config from configs").fetchall()
    assert TOLD.numbers.items() <= json.loads(kept[0]).items()
    assert TOLD.facts.items() <= json.loads(config[0]).items()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # theirs
def test_mlflow_keeps_it(tmp_path: Path) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    pytest.importorskip("sqlalchemy")
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    check_tracker("mlflow", uri=uri, project="mine")
    client = tracking.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert run.data.metrics == dict(TOLD.numbers)
    assert TOLD.facts.items() <= run.data.tags.items()
    assert (run.info.run_name, run.info.status) == (TOLD.title, "FINISHED")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # theirs
def test_wandb_keeps_it_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    check_tracker("wandb", project="mine")
    (file,) = tmp_path.rglob("*.wandb")
    content = file.read_bytes()
    for name, value in TOLD.numbers.items():
        assert name.encode() in content
        assert str(value).rstrip("0").rstrip(".").encode() in content
    assert all(fact.encode() in content for fact in TOLD.facts.values())


def test_a_failed_tracker_is_the_code_of_a_failed_exporter(
    tmp_path: Path, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"lines": {"file": str(tmp_path / "nowhere" / "x")}}
    run = run_of(tmp_path, track=named, paths={"plugins": [str(lines)]})
    assert execute(run, Path("x.csv"), alone=True).code == OUR_FAULT
    assert (tmp_path / "results" / "report" / "index.html").is_file()
