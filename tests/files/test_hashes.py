"""Digests of files: what is no file is said at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.files.hashes import file_sha256
from harness.types import DistillbenchError


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        with pytest.raises(DistillbenchError, match="expected a file, found"):
            file_sha256(odd, tmp_path / "cache")
    for name in ("nobody", "a\0b", "x" * 300):
        with pytest.raises(DistillbenchError, match="expected a readable file"):
            file_sha256(tmp_path / name, tmp_path / "cache")
