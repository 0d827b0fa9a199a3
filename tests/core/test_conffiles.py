"""A configuration file that cannot be used is named, with what is wrong in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.conffiles import elsewhere, first_fault, is_global, not_global, read
from harness.cli.words import in_order
from harness.types import DistillbenchError

HEAD = "# @package _global_\n"


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_mapping_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "one: 1\n2: ${one}\nthree:\n")
    assert read(path) == {"one": 1, "2": "${one}", "three": None}
    assert read(path, resolve=True) == {"one": 1, "2": 1, "three": None}
    assert read(write(tmp_path, "empty", "# nothing yet\n")) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "title: café\n".encode("latin-1"),
            "expected UTF-8, got byte 0xe9 at byte offset 10; save the file as UTF-8",
        ),
        ("title: a\n".encode("utf-16"), "expected UTF-8, got byte 0xff at byte offset 0"),
        (b"title: a\0b\n", "expected YAML, got a damaged file: unacceptable character #x0000"),
        ("models: [\n", "expected YAML, got a damaged file: line 2, column 1"),
        ("a: 1\na: 2\n", "found duplicate key a"),
        ("a: &a {b: *a}\n", "expected a few levels, got a value that holds itself or is too deep"),
        ("a: " + "[" * 3000 + "]" * 3000, "expected a few levels"),
        ("- a\n", "expected a mapping (key: value), got something else"),
        ("hello\n", "expected a mapping (key: value), got something else"),
        ("5\n", "expected a mapping (key: value), got something else"),
        ("a: ${nope}\n", "Interpolation key 'nope' not found"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_path(
    tmp_path: Path, content: bytes | str, message: str
) -> None:
    path = write(tmp_path, "x", content)
    with pytest.raises(DistillbenchError) as caught:
        read(path, resolve=True)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_and_links_to_nowhere_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "matrix" / "folder.yaml").mkdir(parents=True)
    (tmp_path / "matrix" / "link.yaml").symlink_to("nowhere")
    assert "expected a readable file, got: Is a directory" in first_fault(
        [tmp_path], "matrix", "folder"
    )
    assert "expected a readable file, got: No such file" in first_fault(
        [tmp_path], "matrix", "link"
    )
    assert first_fault([tmp_path], "matrix", "nobody") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "a: 1", True),
        ("\n#@package   _global_\n", True),
        ("# mine\n" + HEAD, False),  # Hydra stops at the first line that is not a header
        ("# @package _globl_\n", False),
        ("a: 1\n" + HEAD, False),
        ("\ufeff" + HEAD, False),
        ("", False),
    ],
)
def test_only_the_very_first_lines_make_a_file_global(
    tmp_path: Path, text: str, expected: bool
) -> None:
    path = write(tmp_path, "x", text)
    assert is_global(path) is expected
    assert "`# @package _global_` as its first line" in not_global(path)
    assert ("byte order mark" in not_global(path)) is text.startswith("\ufeff")


def test_faults_are_found_along_the_defaults(tmp_path: Path) -> None:
    write(tmp_path, "matrix/a", HEAD + "defaults: [b, _self_]\n")
    write(tmp_path, "matrix/b", HEAD + "defaults: [{/gate: g}, {override /decoding@x: [d, e]}]\n")
    write(tmp_path, "gate/g", "conditions: []\n")
    assert first_fault([tmp_path], "matrix", "a") == ""
    write(tmp_path, "decoding/e", "temperature: [\n")
    assert "decoding/e.yaml: expected YAML" in first_fault([tmp_path], "matrix", "a")
    write(tmp_path, "gate/g", "defaults: [/matrix/a]\n")
    circle = "its `defaults` go in a circle: matrix/a -> matrix/b -> gate/g -> matrix/a"
    assert first_fault([tmp_path], "matrix", "a").endswith(circle)
    write(tmp_path, "matrix/b", "title: b\n")
    # only the file that is chosen has to say where its keys go
    assert first_fault([tmp_path], "matrix", "a") == ""
    assert "as its first line" in first_fault([tmp_path], "matrix", "b")
    write(tmp_path, "matrix/b", HEAD + "defaults: c\n")
    assert "defaults: expected a list, got 'c'" in first_fault([tmp_path], "matrix", "b")


@pytest.mark.parametrize("place", ["p.yaml", "matrix/p.yaml", "task/p.yaml"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_named_before_it_is_waited_for(
    tmp_path: Path, place: str, make: Callable[[Path], None]
) -> None:
    write(tmp_path, "matrix/sound", f"{HEAD}title: x")
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    make(path)
    with pytest.raises(DistillbenchError, match="expected a file, found a folder, a pipe"):
        in_order(["--config-dir", str(tmp_path), "matrix=sound"])


@pytest.mark.parametrize(
    ("file", "name", "folder"),
    [
        ("my_conf/matrix/mine", "mine", "my_conf"),
        ("my_conf/matrix/mine", "mine.yaml", "my_conf"),
        ("with space/matrix/mine", "mine", "'with space'"),
        ("matrix/mine", "mine", "."),
        ("my_conf/gate/mine", "mine", ""),
        ("a/b/matrix/mine", "mine", ""),
        (".git/matrix/mine", "mine", ""),
        ("my_conf/matrix/mine", "*", ""),
        ("my_conf/matrix/mine", "../matrix/../../other", ""),
        ("my_conf/matrix/mine", "/etc/passwd", ""),
    ],
)
def test_a_file_that_only_the_search_path_lacks_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, name: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(Path(), file, HEAD)
    said = f"; {path} is there: add --config-dir {folder}" if folder else ""
    assert elsewhere("matrix", name) == said
