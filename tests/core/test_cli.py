"""The command: exit codes, one clear line for every mistake, nothing lost."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from tests.core.running import command, inside, matrix, write_data


def small(tmp_path: Path, *words: str, **changes: Any) -> tuple[int, str]:
    """Exit code and stderr of the small matrix."""
    write_data(tmp_path / "data", n=25)
    content = matrix(**{"metrics": {"task_score": None, "capa": None}, **changes})
    gate = {
        "conditions": [
            {"where": {"metric": "task_score", "task": "quiz", "student": "student"}, "min": 2.0}
        ]
    }
    done = inside(
        tmp_path, "matrix=small", *words, files={"matrix/small": content, "gate/high": gate}
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def test_done_writes_the_report(tmp_path: Path) -> None:
    code, said = small(tmp_path)
    assert code == 0, said
    report = tmp_path / "results" / "report"
    assert {"index.html", "leaderboard.csv", "scores.csv", "scores.json", "run.json"} <= {
        p.name for p in report.iterdir()
    }
    head = (report / "scores.csv").read_text().splitlines()[0]
    assert (
        head
        == "metric,task,student,teacher,base,value,low,high,n,unit,better,skipped_reason,inputs"
    )


def test_a_gate_that_fails_exits_with_1_and_one_line(tmp_path: Path) -> None:
    code, said = small(tmp_path, "gate=high")
    assert code == 1
    assert next(line for line in said.splitlines() if line.startswith("gate:")).endswith(
        "is below 2"
    )


def test_missing_cells_exit_with_3(tmp_path: Path) -> None:
    code, said = small(tmp_path, "stages=[score,report]")
    assert code == 3
    assert "teacher x quiz: not collected yet" in said


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("matrix=smal", "matrix: 'smal' is unknown; did you mean 'small'?"),
        ("paths=[1]", "error: paths: expected a mapping, got a list"),
        ("controls={a: 1}", "error: controls: expected a list, got a mapping"),
        ("paths={resluts: x}", "paths.'resluts' is unknown; did you mean 'results'?"),
        ("limits=3", "'limits' is unknown; did you mean 'limit'?"),
        (
            "stages=[scor]",
            "key stages[0]: expected one of 'build', 'plan', 'collect', 'score', 'report', 'gate', got 'scor'",
        ),
        ("only.tasks=[gsm9k]", "'gsm9k' is unknown; did you mean 'gsm8k'?"),
        ("only.metrics=[cappa]", "'cappa' is unknown; did you mean 'capa'?"),
        ("only.models=[teechr]", "'teechr' is unknown; did you mean 'teacher'?"),
        ("models.student.skil=1", "skil"),
        ("+models.student.skil=1", "model student: key 'skil' is unknown; did you mean 'skill'?"),
        (
            "models.student.kind=fkae",
            "model student: kind: 'fkae' is unknown; did you mean 'fake'?",
        ),
        ("decoding.top_p=3", "decoding: key top_p: expected a number in (0, 1], got 3"),
        ("limit=0", "key limit: expected null or a whole number of 1 or more, got 0"),
        ("seed=x", "key seed: expected a whole number of 0 or more, got 'x'"),
        ("only.models=3", "only: key models: expected null or a list of text, got 3"),
        ("paths.lock=maybe", "paths: key lock: expected true or false, got 'maybe'"),
        ("+contols=[]", "key 'contols' is unknown; did you mean 'controls'?"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path: Path, word: str, expected: str) -> None:
    code, said = small(tmp_path, word)
    assert code == 2, said
    assert expected in said


@pytest.mark.slow
def test_help_is_a_page(tmp_path: Path) -> None:
    done = command(tmp_path, "--help")
    assert done.returncode == 0
    assert "Exit codes" in done.stdout
    assert "matrix=smoke gate=smoke" in done.stdout


@pytest.mark.slow
def test_a_sweep_makes_one_page_with_the_swept_key_as_a_column(tmp_path: Path) -> None:
    code, said = small(tmp_path, "-m", "seed=0,1")
    assert code == 0, said
    rows = (tmp_path / "results" / "report" / "scores.csv").read_text().splitlines()
    assert rows[0].endswith("skipped_reason,inputs,seed")
    assert {row.rsplit(",", 1)[1] for row in rows[1:]} == {"0", "1"}
    page = (tmp_path / "results" / "report" / "index.html").read_text()
    assert 'id="sample-browser"' in page, "answers are read from the store by key"


@pytest.mark.slow
def test_a_command_line_is_composed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose, composed = ConfigLoaderImpl.load_configuration, list[Any]()

    def counted(*args: Any, **kwargs: Any) -> Any:
        composed.append(compose(*args, **kwargs))
        return composed[-1]

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    code, said = small(tmp_path, "stages=[collect]")
    assert (code, len(composed)) == (0, 1), said
    assert not (tmp_path / "results" / "sweeps").exists()
    code, said = small(tmp_path, "stages=[collect]", hydra={"mode": "MULTIRUN"})
    assert code == 0, said
    assert (tmp_path / "results" / "sweeps").is_dir(), "a file may ask for a sweep"


def test_a_key_of_one_s_own_may_stand_in_other_values(tmp_path: Path) -> None:
    code, said = small(tmp_path, "+far=5", "limit=${far}", "stages=[collect]")
    assert code == 0, said


@pytest.mark.slow
def test_an_error_in_one_job_of_a_sweep_is_the_sweeps_code(tmp_path: Path) -> None:
    code, said = small(tmp_path, "-m", "limit=0,5")
    assert code == 2
    assert (tmp_path / "results" / "report" / "index.html").exists(), said


@pytest.mark.parametrize("name", ["matrix/damaged", "model/damaged"])
def test_a_file_that_is_no_yaml_is_one_clear_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "conf" / f"{name}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("models: [\n")
    content = matrix(models={"damaged": None}, pairs=[], controls=[])
    write_data(tmp_path / "data")
    chosen = "damaged" if name.startswith("matrix") else "small"
    done = inside(tmp_path, f"matrix={chosen}", files={"matrix/small": content})
    assert done.returncode == 2, done.stderr
    assert "expected YAML, got a damaged file" in done.stderr
    assert "damaged.yaml" in done.stderr
    assert "Traceback" not in done.stderr


STRICT: dict[str, Any] = {
    "conditions": [
        {"where": {"metric": "task_score", "task": "quiz", "student": "student"}, "min": 0.99}
    ]
}


def gated(tmp_path: Path, *words: str, gate: Any = STRICT, head: str = "") -> tuple[int, list[str]]:
    """Exit code and stderr of the small matrix with a gate file."""
    write_data(tmp_path / "data", n=25)
    files = {"matrix/small": matrix(metrics={"task_score": None}), "gate/strict": gate}
    path = tmp_path / "conf" / "gate" / "headed.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(head + OmegaConf.to_yaml(OmegaConf.create(gate)))
    done = inside(
        tmp_path, "matrix=small", "gate=headed" if head else "gate=strict", *words, files=files
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("gate", "head", "line"),
    [
        (
            {"condition": STRICT["conditions"]},
            "",
            "gate strict: key 'condition' is unknown; did you mean 'conditions'?",
        ),
        ({"conditions": None}, "", "gate strict: no condition was looked at"),
        (STRICT["conditions"], "", "gate strict: expected a mapping with a list `conditions`"),
        ({}, "# nothing yet\n", "gate headed: no condition was looked at"),
        (
            STRICT,
            "# @package _global_\n",
            "gate headed: no condition was looked at: the keys of conf/gate/headed.yaml",
        ),
    ],
)
def test_a_broken_gate_file_is_one_line_before_anything_runs(
    tmp_path: Path, gate: Any, head: str, line: str
) -> None:
    code, said = gated(tmp_path, gate=gate, head=head)
    assert (code, len(said)) == (2, 1), said
    assert said[0].startswith(f"error: {line}")


def test_a_gate_that_holds_says_so(tmp_path: Path) -> None:
    where = {"metric": "task_score", "task": "quiz", "student": "student"}
    code, said = gated(
        tmp_path, gate={"conditions": [{"where": where, "min": 0}, {"where": where, "max": 1}]}
    )
    assert (code, said[-1]) == (0, "gate: all 2 conditions hold")


def test_what_only_should_hold_fails_nothing(tmp_path: Path) -> None:
    (must,) = STRICT["conditions"]
    here = {"where": must["where"], "required": True}
    code, said = gated(tmp_path, gate={"conditions": [{**must, "tier": "should"}, here]})
    assert code == 0
    assert said[-2].startswith("gate: should hold: value of metric=task_score")
    assert said[-1] == "gate: what must hold does: 1 of 2 conditions hold"
    (suite,) = xml.parse(tmp_path / "results" / "report" / "gate.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "0", "1")


@pytest.mark.parametrize(
    "words", [[], ["hydra/launcher=joblib"], ["hydra.sweep.subdir=${hydra.job.override_dirname}"]]
)
@pytest.mark.slow  # seconds
def test_a_gate_answers_for_every_job_of_a_sweep(tmp_path: Path, words: list[str]) -> None:
    enough = {
        "where": {"metric": "task_score", "task": "quiz", "student": "student"},
        "column": "n",
        "min": 25,
    }
    code, said = gated(tmp_path, "-m", "limit=20,25", *words, gate={"conditions": [enough]})
    assert code == 1
    assert said[-2:] == [
        "gate: limit=20: n of metric=task_score task=quiz student=student: 20 is below 25",
        "gate: limit=25: its one condition holds",
    ]
    suites = xml.parse(tmp_path / "results" / "report" / "gate.xml").getroot()
    assert [(s.get("name"), s.get("failures")) for s in suites] == [
        ("limit=20", "1"),
        ("limit=25", "0"),
    ]


@pytest.mark.slow  # seconds
def test_a_job_of_a_sweep_that_fails_leaves_its_gate_without_an_answer(tmp_path: Path) -> None:
    code, said = gated(tmp_path, "-m", "limit=0,20")
    assert code == 2
    assert said[-2] == "gate: limit=0: no condition was looked at: this job ended with 2"
    assert said[-1].startswith("gate: limit=20: value of")


@pytest.mark.slow  # seconds
def test_a_sweep_into_an_old_folder_is_of_its_own_jobs(tmp_path: Path) -> None:
    gated(tmp_path, "-m", "limit=10,20", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    done = command(
        tmp_path, "-m", "matrix=small", "limit=20", f"hydra.sweep.dir={tmp_path / 'sweep'}"
    )
    assert "the page of 1 job:" in done.stderr


def test_a_broken_gate_file_is_one_line_in_a_sweep_too(tmp_path: Path) -> None:
    code, said = gated(tmp_path, "-m", "seed=0,1", gate={"condition": []})
    assert (code, len(said)) == (2, 1), said


def test_a_page_without_a_number_says_so_and_exits_with_3(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"metrics": {"gap_recovered": None}, "pairs": [], "controls": []}
    code, said = small(tmp_path, "gate=none", **changes)
    assert code == 3
    warned, gated = said.splitlines()[-2:]
    assert warned.startswith(
        "warning: THERE IS NOT ONE NUMBER: gap_recovered found nothing to measure"
    )
    # said where a gate was spoken of alone
    assert gated == "gate: none was named, so nothing was checked"
    assert "THERE IS NOT ONE NUMBER" in (tmp_path / "results" / "report" / "index.html").read_text()


def ended(tmp_path: Path, *words: str) -> tuple[int, list[str]]:
    write_data(tmp_path / "data", n=25)
    done = inside(tmp_path, *words, files={"matrix/small": matrix(metrics={"task_score": None})})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["matrix=null"],
            "matrix=null: expected the name of a file in conf/matrix, one of alpaca_eval, ",
        ),
        (["matrix=[small,nobody]"], "matrix: 'nobody' is unknown"),
        (
            ["matrix=small", "hydra.run.dir=afile"],
            "afile: expected a folder, found a file; move it away",
        ),
        (["matrix=small", "hydra.run.dir=/proc/x/y"], "/proc/x"),
        (
            ["--resolve", "matrix=small"],
            "Hydra does not accept this command line or configuration: The --resolve flag",
        ),
        (
            ["matrix=small", "title=${nope.x}"],
            "Interpolation key 'nope.x' not found; full_key: title",
        ),
        (
            ["matrix=small", "-m", "seed=range(0)"],
            "the sweep has no job: one of its keys has no value to take",
        ),
        (
            ["matrix=small", "-m", "seed=0,1", "~hydra.callbacks.one_page"],
            "hydra.callbacks.one_page: a sweep needs it",
        ),
        (["matrix=latin"], "matrix/latin.yaml: expected UTF-8, got byte 0xe9"),
        (["matrix=circle"], "its `defaults` go in a circle: matrix/circle -> matrix/circle"),
        (
            ["matrix=headless", "models.student.file=x"],
            "expected `# @package _global_` as its first line",
        ),
        (["matrix=headless"], "expected `# @package _global_` as its first line"),
    ],
)
def test_what_hydra_stumbles_over_is_one_line_and_2(
    tmp_path: Path, words: list[str], line: str
) -> None:
    folder = tmp_path / "conf" / "matrix"
    folder.mkdir(parents=True)
    (folder / "latin.yaml").write_bytes("# @package _global_\ntitle: café\n".encode("latin-1"))
    (folder / "circle.yaml").write_text("# @package _global_\ndefaults: [circle]\n")
    (folder / "headless.yaml").write_text("models: {student: {kind: recorded, file: a}}\n")
    (tmp_path / "afile").touch()
    code, said = ended(tmp_path, *words)
    assert code == 2, said
    assert line in said[-1]
    assert len([s for s in said if s.startswith("error")]) == 1


def test_results_that_are_a_file_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    code, said = ended(tmp_path, "matrix=small")
    assert (code, len(said)) == (2, 1)
    assert "results: expected a folder, found a file; move it away" in said[0]
