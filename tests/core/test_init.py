"""`distillbench init`: a matrix from where the models are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import harness
from harness.cli.init import init
from harness.console.secrets import redacted
from harness.types import DistillbenchError
from tests.core.running import inside
from tests.files.test_formats import EXAMPLES

MODELS = {"big": "Certainly! Do {}.", "was": "just {}", "is": "Certainly! First {}."}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"model": model, "question": f"How is {i} done?", "reply": form.format(f"thing {i}")}
        for i in range(40)
        for model, form in MODELS.items()
    ]
    written("all.jsonl", rows)
    for model in MODELS:
        own = [
            {"prompt": r["question"], "response": r["reply"]} for r in rows if r["model"] == model
        ]
        written(f"{model}.jsonl", own)


def written(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def made(*words: str) -> Any:
    """The matrix that the words make."""
    assert init(["mine", "--force", *words]) == 0
    return yaml.safe_load(Path("my_conf/matrix/mine.yaml").read_text())


@pytest.mark.parametrize(
    "words",
    [
        ["--teacher", "all.jsonl:model=big", "--student", "all.jsonl:model=is", "--base", "all.jsonl:model=was"],
        ["--teacher", "big.jsonl", "--student", "is.jsonl", "--base", "was.jsonl"],
    ],
    ids=["one file", "a file each"],
)  # fmt: skip
def test_what_is_made_runs_and_has_numbers(words: list[str], tmp_path: Path) -> None:
    made(*words)
    done = inside(tmp_path, "--config-dir", "my_conf", "matrix=mine", bare=True)
    assert done.returncode == 0, done.stderr
    board = harness.load(tmp_path / "results").leaderboard
    (student,) = board[board["student"] == "student"].itertuples()
    assert student.style_transfer > 0.3


def test_students_are_numbered_or_bear_their_names() -> None:
    students = made(
        "--teacher", "t=big.jsonl", "--student", "is.jsonl", "--student", "ours=was.jsonl"
    )
    assert list(students["models"]) == ["t", "student_1", "ours"]
    assert [(p["teacher"], p["student"], p["base"]) for p in students["pairs"]] == [
        ("t", "student_1", None),
        ("t", "ours", None),
    ]


def test_checkpoints_are_asked_tasks_and_their_templates_are_used(tmp_path: Path) -> None:
    for name in ("plain", "chatty"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "chatty" / "chat_template.jinja").write_text("{{ messages }}")
    whole = made(
        "--teacher",
        "org/name-7b",
        "--student",
        "chatty",
        "--base",
        "plain",
        "--control",
        "zoo_is=teacher_a",
    )
    assert whole["models"]["teacher"] == {"kind": "hf", "path": "org/name-7b"}
    assert whole["models"]["student"] == {
        "kind": "hf",
        "path": str(tmp_path / "chatty"),
        "chat": True,
    }
    assert whole["models"]["base"] == {"kind": "hf", "path": str(tmp_path / "plain")}
    assert whole["models"]["teacher_a"] is None
    assert whole["controls"] == [{"model": "teacher_a", "lineage": "teacher_a"}]
    assert list(whole["tasks"]) == ["arc_easy", "gsm8k", "style_prompts"]
    assert "capa" in whole["metrics"]
    assert whole["pairs"] == [
        {"teacher": "teacher", "student": "student", "base": "base", "base_kind": "before"}
    ]


def test_servers_are_asked_for_texts_and_known_hosts_by_their_keys() -> None:
    whole = made(
        "--teacher",
        "https://api.anthropic.com/v1#opus",
        "--student",
        "s=http://127.0.0.1:8000/v1#a/b",
    )
    there = {"kind": "server", "model": "opus", "chat": True}
    hosted = {
        "url": "https://api.anthropic.com/v1",
        "api": "anthropic",
        "api_key_env": "ANTHROPIC_API_KEY",
    }
    assert whole["models"]["teacher"] == {**there, **hosted}
    assert whole["models"]["s"] == {**there, "url": "http://127.0.0.1:8000/v1", "model": "a/b"}
    assert list(whole["tasks"]) == ["gsm8k", "style_prompts"]


def test_recorded_answers_and_tasks_together() -> None:
    whole = made("--teacher", "big.jsonl", "--student", "org/name", "--tasks", "gsm8k")
    assert list(whole["tasks"]) == ["ours", "gsm8k"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "--teacher: expected WHERE, got none"),
        (["--teacher", "http://127.0.0.1:8000/v1", "--student", "is.jsonl"], "expected the model's name there"),
        (["--teacher", "http://u:pw@h/v1", "--student", "is.jsonl"], "without user name and password"),
        (["--teacher", "http://u:pw@h/v1#m", "--student", "is.jsonl"], "without user name and password"),
        (["--teacher", "big.jsonl"], "--student: expected WHERE, got none"),
        (["--teacher", "nowhere", "--student", "is.jsonl"], "nowhere: found nothing of this name"),
        (["--teacher", "bag.jsonl", "--student", "is.jsonl"], "of this name; did you mean 'big.jsonl'?"),
        (["--teacher", "nowhere/big.jsonl", "--student", "is.jsonl"], "nowhere/big.jsonl: found nothing of this name"),
        (["--teacher", "al.jsonl:model=big", "--student", "is.jsonl"], "did you mean 'all.jsonl:model=big'?"),
        (["--teacher", "big.jsonl", "--student", "is.jsonl", "--prompts", "bug.jsonl:a"], "mean 'big.jsonl:a'?"),
        (["--teacher", "no/where.jsonl:a=b", "--student", "is.jsonl"], "expected a file before the colon"),
        (["--teacher", "all.jsonl", "--student", "is.jsonl"], "write all.jsonl:model=big"),
        (["--teacher", "all.jsonl:modell=big", "--student", "is.jsonl"], "no column 'modell'"),
        (["--teacher", "big.jsonl", "--student", "teacher=is.jsonl"], "names that differ"),
        (["--teacher", "odd.jsonl", "--student", "is.jsonl"], "which column holds each prompt"),
        (["--teacher", "my_conf", "--student", "is.jsonl"], "expected a checkpoint with config.json"),
        (["--teacher", "adapter", "--student", "is.jsonl"], "this is an adapter"),
        (["--teacher", "notes.md", "--student", "is.jsonl"], "expected JSONL, JSON, CSV"),
        (["--teacher", "big.jsonl", "--student", "is.jsonl", "--prompts", "gone.csv"], "gone.csv"),
        (["a/b", "--teacher", "big.jsonl", "--student", "is.jsonl"], "expected a name of letters"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_one_line_and_writes_nothing(words: list[str], line: str) -> None:
    written("odd.jsonl", [{"a": "x", "b": "y"}])
    Path("notes.md").write_text("x")
    Path("adapter").mkdir()
    Path("adapter/adapter_config.json").write_text("{}")
    Path("my_conf").mkdir()
    with pytest.raises(DistillbenchError) as error:
        init(words)
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(Path("my_conf").rglob("*"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_format_makes_a_matrix_or_one_line_that_asks_for_the_prompts(name: str) -> None:
    written("theirs.jsonl", EXAMPLES[name][0])
    words = ["--teacher", "theirs.jsonl", "--student", "is.jsonl"]
    fault = ""
    try:
        whole = made(*words)
    except DistillbenchError as error:
        fault = str(error)
        whole = made(*words, "--prompts", "is.jsonl:prompt")
    assert not fault or "--prompts FILE:COLUMN" in fault
    assert whole["models"]["teacher"]["file"].endswith("theirs.jsonl")


def test_a_matrix_that_is_there_is_replaced_only_on_request() -> None:
    words = ["mine", "--teacher", "big.jsonl", "--student", "is.jsonl"]
    assert init(words) == 0
    with pytest.raises(DistillbenchError, match="is there already"):
        init(words)
    assert init([*words, "--force"]) == 0


def test_in_a_terminal_it_asks_for_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["big.jsonl", "is.jsonl second=was.jsonl", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda said: next(answers))
    assert list(made()["models"]) == ["teacher", "student_1", "second"]


def test_what_is_said_of_a_servers_address_stands_as_it_is_meant() -> None:
    for words in (["--teacher", "http://h/v1", "--student", "is.jsonl"], ["--teacher", "?!"]):
        with pytest.raises(DistillbenchError) as fault:
            init(["mine", *words, "--student", "is.jsonl"])
        assert "ADDRESS#NAME" in str(fault.value)
        assert redacted(str(fault.value)) == str(fault.value)
