"""-q, -v and --log: how much is said, and where it is noted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.words import console_settings
from harness.console.foreign import VERBOSE, muffled
from harness.console.progress import Display, News, Settings, settle
from harness.types import DistillbenchError
from tests.core.running import inside, matrix, write_data


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    settle(Settings())


@pytest.mark.parametrize("words", [["-q"], ["--quiet"], ["matrix=zoo", "-q"]])
def test_quiet_may_stand_anywhere(words: list[str]) -> None:
    left, settings, verbose = console_settings(words)
    assert "-q" not in left
    assert "--quiet" not in left
    assert (settings, verbose) == (Settings(quiet=True), False)


@pytest.mark.parametrize("form", ["--log {}", "--log={}"])
def test_a_log_is_named_with_or_without_a_sign(form: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    left, settings, _ = console_settings(["a=b", *form.format(path).split()])
    assert left == ["a=b"]
    assert settings.log == path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--log"], "expected a file behind it"),
        (["--log", "-q"], "expected a file behind it"),
        (["--log", "no/such/folder/x"], "expected a file that can be written"),
        (["-q", "-v"], "expected one of them"),
    ],
)
def test_words_that_cannot_be_taken_are_one_line(words: list[str], line: str) -> None:
    with pytest.raises(DistillbenchError, match=line):
        console_settings(words)


def test_quiet_says_no_progress_and_all_the_rest(tmp_path: Path) -> None:
    said: list[str] = []
    display = Display(clock=lambda: 0.0, write=said.append, ticking=False)
    display.settings = Settings(True, tmp_path / "log")
    with display.stage("asking") as stage:
        stage.hear(News("a", line="done a"))
        stage.hear(News("b", alarm="b failed"))
        display.tick()
    display.say("the page: x")
    assert said == ["b failed", "the page: x"]
    noted = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(n["kind"], n["line"].split(" (")[0]) for n in noted] == [
        ("progress", "done a"),
        ("said", "b failed"),
        ("said", "the page: x"),
    ]


def test_a_log_that_cannot_be_written_costs_nothing_but_itself(tmp_path: Path) -> None:
    said: list[str] = []
    display = Display(write=said.append, ticking=False)
    display.settings = Settings(log=tmp_path / "gone" / "log")
    display.say("line")
    assert said == ["line"]


@pytest.mark.parametrize("verbose", [True, False])
def test_what_libraries_print_is_heard_where_that_is_asked_for(
    verbose: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if verbose:
        monkeypatch.setenv(VERBOSE, "1")
    with muffled(lambda record: None):
        print("from a library")
        print("and its errors", file=sys.stderr)
    assert capsys.readouterr().out == ("from a library\n" if verbose else "")


def test_a_whole_run_is_quiet_and_its_log_has_all(tmp_path: Path) -> None:
    write_data(tmp_path / "data", n=25)
    files = {"matrix/small": matrix(metrics={"task_score": None})}
    done = inside(tmp_path, "matrix=small", "-q", f"--log={tmp_path / 'log'}", files=files)
    assert done.returncode == 0
    assert "done teacher x quiz" not in done.stderr
    noted = [json.loads(line)["line"] for line in (tmp_path / "log").read_text().splitlines()]
    assert any(line.startswith("done teacher x quiz") for line in noted)
    said = [line for line in done.stderr.splitlines() if line]
    assert set(said) <= set(noted)
