"""Several files in a folder: the newest run of one model is taken and named; nothing is ever mixed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.files.runs import choose_files, task_of
from harness.types import DistillbenchError

PATTERNS = ("samples_*.jsonl", "details_*.parquet", "*.eval", "model_outputs.json")


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def chosen(folder: Path, run: str | None = None) -> list[str]:
    return [str(f.relative_to(folder)) for f in choose_files(folder, PATTERNS, run).files]


def refusal(folder: Path, run: str | None = None) -> str:
    with pytest.raises(DistillbenchError) as caught:
        choose_files(folder, PATTERNS, run)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


OLD, NEW = "2026-02-01T10-00-00", "2026-03-01T09-00-00.123456"
SERIES = {
    "samples_quiz_{}.jsonl": "quiz",
    "details_quiz_{}.parquet": "",
    "{}-05-00_quiz_HdSVrmTDEge636qZ2op64f.eval": "",
    "answers_{}.jsonl": "",
}


@pytest.mark.parametrize("series", SERIES)
def test_the_newest_run_by_its_name_is_taken_and_named(tmp_path: Path, series: str) -> None:
    old, new = series.format(OLD), series.format(NEW.split(".")[0] if "eval" in series else NEW)
    fill(tmp_path, new, old)
    os.utime(tmp_path / new, (1, 1))  # the file's own time says the contrary
    found = choose_files(tmp_path, PATTERNS, None)
    assert [f.name for f in found.files] == [new]
    (note,) = found.notes
    assert new in note
    assert "2 runs" in note
    assert chosen(tmp_path, OLD) == [old]
    assert choose_files(tmp_path, PATTERNS, OLD).notes == ()


def test_each_task_has_its_own_newest_run(tmp_path: Path) -> None:
    names = [f"samples_{t}_{at}.jsonl" for t, at in (("a", OLD), ("a", NEW), ("a_b", OLD))]
    assert chosen(fill(tmp_path, *names)) == [names[1], names[2]]


def test_ids_of_inspect_s_logs_tell_no_runs_apart(tmp_path: Path) -> None:
    names = [f"{OLD}+00-00_quiz_{'a' * 22}.eval", f"{OLD}-05-00_quiz_{'b' * 22}.eval"]
    assert chosen(fill(tmp_path, *names)) == [names[1]]  # five hours later


def test_two_models_are_never_merged(tmp_path: Path) -> None:
    fill(tmp_path, f"a/samples_q_{OLD}.jsonl", f"b/samples_q_{NEW}.jsonl")
    assert "2 folders with answers: a, b" in refusal(tmp_path)
    assert chosen(tmp_path / "a") == [f"samples_q_{OLD}.jsonl"]
    fill(tmp_path, f"samples_q_{OLD}.jsonl")
    assert chosen(tmp_path) == [f"samples_q_{OLD}.jsonl"]  # the folder's own come first


def test_folders_named_by_their_time_are_runs(tmp_path: Path) -> None:
    names = [f"{at}/details_q_{at}.parquet" for at in (OLD, NEW)]
    assert chosen(fill(tmp_path, *names)) == [names[1]]


@pytest.mark.parametrize(
    "names",
    [
        ("gpt.jsonl", "vicuna.jsonl"),
        ("answers.jsonl", f"answers_{NEW}.jsonl"),
        (f"gpt_{OLD}.jsonl", f"vicuna_{NEW}.jsonl"),
        (f"a_{OLD}.jsonl", f"a_{OLD.replace('T', '_')}.jsonl"),
    ],
)
def test_files_whose_order_nobody_can_tell_are_refused(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    line = refusal(fill(tmp_path, *names))
    assert all(name in line for name in names)
    assert "run: " in line
    assert chosen(tmp_path, names[0]) == [names[0]]


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, f"samples_q_{OLD}.jsonl")
    assert "'2027' (key run)" in refusal(tmp_path, "2027")
    assert "expected a folder" in refusal(tmp_path / f"samples_q_{OLD}.jsonl", "2027")
    (tmp_path / "empty").mkdir()
    assert "got 0 files" in refusal(tmp_path / "empty")


def test_numbered_parts_are_one_table(tmp_path: Path) -> None:
    names = [f"train-0000{i}-of-00003.parquet" for i in range(3)]
    assert chosen(fill(tmp_path, *names)) == names
    (tmp_path / names[1]).unlink()
    assert names[0] in refusal(tmp_path)


def test_other_files_in_the_folder_do_not_matter(tmp_path: Path) -> None:
    fill(tmp_path, f"samples_q_{OLD}.jsonl", f"results_{OLD}.json", "notes.txt")
    assert chosen(tmp_path) == [f"samples_q_{OLD}.jsonl"]


def test_the_task_is_told_from_lm_eval_s_name() -> None:
    assert task_of(Path(f"samples_arc_easy_{NEW}.jsonl")) == "arc_easy"
    assert task_of(Path("samples.jsonl")) == ""


@pytest.mark.parametrize("name", ["answers.jsonl", "deep/samples_quiz_2026-02-01T10-00-00.jsonl"])
def test_what_programs_hide_in_a_folder_are_no_answers(tmp_path: Path, name: str) -> None:
    inner, _, file = name.rpartition("/")
    hidden = [f"{inner}/._{file}".lstrip("/"), f".ipynb_checkpoints/{file}", f"__MACOSX/{file}"]
    assert chosen(fill(tmp_path, name, *hidden)) == [name]
