"""Digests of files: what is no file is said at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.files.hashes import file_sha256
from harness.types import DistillbenchError

READ = """
import sys
from pathlib import Path
from harness.files.hashes import file_sha256
file_sha256(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    line = [sys.executable, "-c", READ, str(tmp_path / "pipe"), str(tmp_path / "cache")]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=60)
    assert "expected a file, found" in done.stderr


def test_what_is_no_file_is_said_at_once(tmp_path: Path) -> None:
    for odd in (tmp_path, Path("/dev/null")):
        with pytest.raises(DistillbenchError, match="expected a file, found"):
            file_sha256(odd, tmp_path / "cache")
    for name in ("nobody", "a\0b", "x" * 300):
        with pytest.raises(DistillbenchError, match="expected a readable file"):
            file_sha256(tmp_path / name, tmp_path / "cache")
