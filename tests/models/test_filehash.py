"""Remembered digests of files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.files.hashes import file_sha256, files_sha256
from harness.types import DistillbenchError


def _old(path: Path, content: bytes, mtime: int = 1_000_000_000) -> Path:
    path.write_bytes(content)
    os.utime(path, (mtime, mtime))
    return path


def test_equals_sha256_and_follows_the_contents(tmp_path: Path) -> None:
    file, cache = _old(tmp_path / "f", b"abc"), tmp_path / "cache"
    assert file_sha256(file, cache) == hashlib.sha256(b"abc").hexdigest()
    _old(file, b"abd", 1_000_000_001)
    assert file_sha256(file, cache) == hashlib.sha256(b"abd").hexdigest()


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    """Same path, size and time of change: the remembered digest is given, though the contents are others."""
    file, cache = _old(tmp_path / "f", b"abc"), tmp_path / "cache"
    first = file_sha256(file, cache)
    _old(file, b"xyz")
    assert file_sha256(file, cache) == first


def test_a_fresh_file_is_not_remembered(tmp_path: Path) -> None:
    """Two writes within one tick of the file system's clock leave the same time of change."""
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    stamp = file.stat().st_mtime_ns
    first = file_sha256(file, tmp_path / "cache")
    file.write_bytes(b"xyz")
    os.utime(file, ns=(stamp, stamp))
    assert file_sha256(file, tmp_path / "cache") != first


def test_half_a_memo_is_no_memo(tmp_path: Path) -> None:
    file, cache = _old(tmp_path / "f", b"abc"), tmp_path / "cache"
    first = file_sha256(file, cache)
    (memo,) = (cache / "filehash").iterdir()
    memo.write_text('{"stamp": {"pa')
    assert file_sha256(file, cache) == first


def test_folders_by_contents_and_names(tmp_path: Path) -> None:
    digests = []
    for folder, name, content in (
        ("a", "f", b"1"),
        ("b", "f", b"1"),
        ("c", "g", b"1"),
        ("d", "f", b"2"),
    ):
        (tmp_path / folder).mkdir()
        file = _old(tmp_path / folder / name, content)
        digests.append(files_sha256([file], tmp_path / folder, tmp_path / "cache"))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError, match="expected a readable file, got: No such file"):
        file_sha256(tmp_path / "f", tmp_path)
