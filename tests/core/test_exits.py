"""Exit code 1 means that a gate failed, and nothing else does."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from omegaconf.errors import InterpolationKeyError

from harness.cli.exits import coded
from harness.stages.run import DONE, GATE_FAILED, OUR_FAULT, WRONG_INPUT
from harness.types import DistillbenchError
from tests.core.running import REPOSITORY


def raising(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DistillbenchError("conf/x.yaml: wrong in one way"), "conf/x.yaml: wrong in one way"),
        (InterpolationKeyError("no key here"), "no key here"),
        (yaml.YAMLError("bad\n  file"), "bad; file"),
        (
            OSError(errno.ENOSPC, "No space left"),
            "disk: No space left; make room or name another paths.results",
        ),
        (OSError(errno.EROFS, "Read-only", "/mnt/a"), "/mnt/a: Read-only; check this path"),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "f/x"),
            "f/x: Not a directory; check this path",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "/proc/x"),
            "/proc/x: No such file; check this path",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "aaa"),
            "aaa: File name too long; check this path",
        ),
    ],
)
def test_what_the_user_can_mend_is_2_and_one_line(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert coded(raising(error)) == WRONG_INPUT
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"error: {line}")


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), SystemExit(1), SystemExit("words"), MemoryError(), RecursionError(), ConnectionError("gone"),
     BrokenPipeError(errno.EPIPE, "Broken pipe"), UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "bad"), UserWarning("w")],
)  # fmt: skip
def test_what_nobody_foresaw_is_70(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert coded(raising(error)) == OUR_FAULT
    assert capsys.readouterr().err.endswith("please report it with the lines above\n")


def test_a_code_is_kept_and_the_same_fault_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert coded(lambda: GATE_FAILED) == GATE_FAILED
    assert coded(lambda: DONE) == DONE
    for _ in range(2):
        assert (
            coded(raising(DistillbenchError("every job has this\nand this\nand this")))
            == WRONG_INPUT
        )
    assert capsys.readouterr().err == "error: every job has this\nerror: and this\n"


def process(code: str, **places: int | None) -> tuple[int, str]:
    """Exit code and stderr of a few lines with lasting streams; a place is a file descriptor for a stream."""
    head = "import sys\nfrom harness.cli.streams import make_lasting\nmake_lasting()\n"
    streams: dict[str, int | None] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        **places,
    }
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", head + code], env=environment, text=True, check=False, **streams
    )  # type: ignore[call-overload]
    return done.returncode, done.stderr or ""


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_words_that_nobody_reads_do_not_end_a_run() -> None:
    writer = closed_pipe()
    talk = "print('a' * 99999, file=sys.stderr); print('b' * 99999, flush=True); sys.exit(7)"
    assert process(talk, stdout=writer, stderr=writer) == (7, "")
    os.close(writer)


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no device that is always full"
)
def test_output_that_was_asked_for_and_is_lost_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        _, said = process("print('b' * 99999, flush=True)", stdout=full.fileno())
        assert "No space left on device: 'standard output'" in said
        assert process("print('c', file=sys.stderr); sys.exit(7)", stderr=full.fileno())[0] == 7


def test_an_installation_that_is_not_whole_is_70(tmp_path: Path) -> None:
    (tmp_path / "hydra.py").write_text("raise ImportError('no hydra here')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    line = [sys.executable, "-m", "harness", "--help"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == OUR_FAULT
    assert (
        done.stderr
        == "error: no hydra here; this installation is not whole: install distillbench again\n"
    )
