"""A command line that was finished before is said again without Hydra, until anything that it looked at changes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.board.jsons import RUN
from harness.console.progress import overhearing
from harness.stages import again
from harness.stages.again import said_again
from harness.store.damage import sealed, unsealed
from tests.core.running import REPOSITORY, inside, matrix, write_data, write_files

_PROCESS = """
import sys
from harness.__main__ import main
try:
    main()
finally:
    print(sorted({"hydra", "pyarrow", "pandas"} & {*sys.modules}))
"""


@pytest.fixture
def line(tmp_path: Path) -> list[str]:
    """The words of a run over its own data, configuration and results; the working directory is the folder."""
    write_data(tmp_path / "data")
    (tmp_path / "cache").mkdir()  # where a folder comes later, another file might be found
    conf = write_files(tmp_path, {"matrix/small": matrix()})
    places = [f"paths.{k}={tmp_path / k}" for k in ("results", "cache", "data")]
    return ["--config-dir", str(conf), "matrix=small", *places]


def known(words: list[str], folder: Path) -> tuple[int | None, list[str]]:
    """What is said again by a process that has said nothing yet."""
    again._asked.cache_clear()
    said = list[str]()
    with contextlib.chdir(folder), overhearing(said):
        return said_again(words), said


def run(words: list[str], folder: Path) -> int:
    """The code of the command after it was found to be no old one."""
    assert known(words, folder)[0] is None
    return inside(folder, *words, bare=True).returncode


def test_a_second_time_is_said_in_the_same_words_without_hydra(
    line: list[str], tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    first, second, third = (
        subprocess.run(
            [sys.executable, "-c", _PROCESS, *line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for _ in range(3)
    )
    assert "'hydra'" in first.stdout
    assert (second.stdout, third.stdout) == ("[]\n", "[]\n")
    assert second.stderr == third.stderr
    lines = first.stderr.splitlines()
    assert lines[-1].startswith("the page:")
    assert second.stderr.splitlines() == [x for x in lines if not x.startswith(("time:", "done "))]
    work = json.loads((tmp_path / "results/report" / RUN).read_text())["work"]
    assert not any(row["computed"] for row in work)


def _more_data(folder: Path) -> None:
    write_data(folder / "data", n=41)


def _matrix(folder: Path) -> None:
    with (folder / "conf/matrix/small.yaml").open("a") as file:
        file.write("# a remark\n")


def _configuration(folder: Path) -> None:
    (folder / "conf/model").mkdir()
    (folder / "conf/model/student.yaml").write_text("kind: fake\n")


def _answers(folder: Path) -> None:
    os.utime(next((folder / "results/store").rglob("rows.parquet")), ns=(1, 1))


def _beside_data(folder: Path) -> None:
    (folder / "data/more.jsonl").write_text("")


def _environment(_: Path) -> None:
    os.environ["SOME_SETTING"] = "2"


@pytest.mark.parametrize(
    "change",
    [_more_data, _matrix, _configuration, _answers, _beside_data, _environment],
)
def test_whatever_changes_is_looked_at(
    change: Callable[[Path], None], line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_SETTING", raising=False)
    assert run(line, tmp_path) == 0
    code, said = known(line, tmp_path)
    assert code == 0
    assert said[-1].startswith("the page:")
    assert known(line, tmp_path) == (code, said), "the note of a line stays"
    change(tmp_path)
    assert known(line, tmp_path) == (None, [])
    inside(tmp_path, *line, bare=True)
    assert known(line, tmp_path)[0] == 0


def test_other_words_and_another_place_are_another_command(line: list[str], tmp_path: Path) -> None:
    assert run(line, tmp_path) == 0
    (tmp_path / "elsewhere").mkdir()
    for words, folder in (
        ([*line, "seed=1"], tmp_path),
        (line[:-1], tmp_path),
        (line, tmp_path / "elsewhere"),
        ([*line, "-m"], tmp_path),
        (["plan", *line], tmp_path),
    ):
        assert known(words, folder) == (None, [])
    assert known(line, tmp_path)[0] == 0


def test_the_value_of_a_key_is_in_no_file_and_may_change(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SERVICE_API_KEY", "long-enough-to-be-one")
    assert run(line, tmp_path) == 0
    assert b"long-enough" not in (tmp_path / "results/finished.json").read_bytes()
    monkeypatch.setenv("A_SERVICE_API_KEY", "another-that-is-long-enough")
    assert known(line, tmp_path)[0] == 0


def test_a_gate_fails_again_and_leaves_its_file(line: list[str], tmp_path: Path) -> None:
    where = "{metric: task_score, task: quiz, student: student}"
    words = [*line, f"gate.conditions=[{{where: {where}, min: 2.0}}]"]
    assert run(words, tmp_path) == 1
    gate = tmp_path / "results/report/gate.xml"
    before = gate.read_bytes()
    code, said = known(words, tmp_path)
    assert code == 1
    assert any(text.startswith("gate: ") for text in said)
    assert gate.read_bytes() == before


def test_a_callback_of_the_users_own_has_its_run(line: list[str], tmp_path: Path) -> None:
    own = {"own": {"_target_": "hydra.experimental.callback.Callback"}}
    write_files(tmp_path, {"matrix/small": {**matrix(), "hydra": {"callbacks": own}}})
    assert run(line, tmp_path) == 0
    assert known(line, tmp_path)[0] is None


def test_what_is_said_before_a_run_begins_is_said_every_time(
    line: list[str], tmp_path: Path
) -> None:
    lacking = {"kind": "lm_eval", "task": "arc_easy"}
    tasks = {**matrix()["tasks"], "arc": lacking}
    write_files(tmp_path, {"matrix/small": matrix(tasks=tasks)})
    (tmp_path / "sets").mkdir()
    words = [*line, "skip_missing=true", f"paths.datasets={tmp_path / 'sets'}"]
    for _ in range(2):
        assert known(words, tmp_path)[0] is None
        ended = inside(tmp_path, *words, bare=True)
        assert (ended.returncode, "left out" in ended.stderr) == (0, True), ended.stderr


def test_a_run_that_lacks_something_is_run_again(line: list[str], tmp_path: Path) -> None:
    words = [*line, "stages=[score,report]"]
    assert run(words, tmp_path) == 3
    assert known(words, tmp_path)[0] is None


def test_a_note_of_an_older_version_is_none(line: list[str], tmp_path: Path) -> None:
    assert run(line, tmp_path) == 0
    note = tmp_path / "results/finished.json"
    stored = unsealed(note)
    assert stored is not None
    del stored["looks"]
    note.write_bytes(sealed(stored))
    assert known(line, tmp_path)[0] is None
