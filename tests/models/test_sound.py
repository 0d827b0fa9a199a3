"""A file of recorded answers is read once to see what is wrong with it, and again where anything of it changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness.files import sound
from harness.models import recorded as recorded_models
from harness.types import Paths
from tests.models.test_recorded import ROWS, paths, recorded, write

CLASH = {**ROWS[0], "response": "Ash"}  # another answer to the first row's prompt


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The models' filters of the sources that are read; nothing is remembered in the process."""
    names: list[str] = []
    real = recorded_models._read.__wrapped__

    def reading(source: Any) -> Any:
        names.append(str(dict(source.where).get("model", "")))
        return real(source)

    monkeypatch.setattr(recorded_models, "_read", reading)
    sound._noted.cache_clear()
    yield names
    sound._noted.cache_clear()


def faults(folder: Path, model: str = "a", **fields: Any) -> list[str]:
    """What is wrong with the answers of a model, as another process would see it."""
    sound._noted.cache_clear()
    fields = {"file": "a.jsonl", "where": {"model": "{name}"}, **fields}
    return recorded(model, **fields).faults(paths(folder))


def test_a_sound_source_is_read_once(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    assert [faults(tmp_path) for _ in range(3)] == [[]] * 3
    assert read == ["a"]
    assert faults(tmp_path, "b") == [], "another model of the same file"
    assert read == ["a", "b"]
    assert faults(tmp_path, columns={"prompt": "prompt", "answer": "model"}) == []
    assert read == ["a", "b", "a"], "other columns"
    assert faults(tmp_path) == []
    assert len(read) == 3


def test_one_changed_answer_is_seen(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    assert faults(tmp_path) == []
    write(tmp_path, "a.jsonl", [*ROWS, CLASH])
    assert "stands twice with different answers" in faults(tmp_path)[0]
    assert faults(tmp_path, "b") == [], "whose answers are as they were; the file is another"
    assert read == ["a", "a", "b"]


def test_a_fault_is_found_each_time(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, "a.jsonl", [*ROWS, CLASH])
    assert faults(tmp_path) == faults(tmp_path) != []
    assert read == ["a", "a"]
    write(tmp_path, "a.jsonl", ROWS)
    assert faults(tmp_path) == []


@pytest.mark.parametrize("changed", ["code", "pyarrow", "format"])
def test_other_code_reads_again(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    assert faults(tmp_path) == []
    sound._code.cache_clear()
    if changed == "code":
        monkeypatch.setattr(sound, "code_digest", lambda *_, **__: "other code")
    elif changed == "pyarrow":
        monkeypatch.setattr(pa, "__version__", "0.0")
    else:
        monkeypatch.setattr(sound, "formats", lambda: {"table": None, "_asked": None})
    assert faults(tmp_path) == []
    sound._code.cache_clear()
    assert read == ["a", "a"]


@pytest.mark.parametrize("memo", [b"\xff\x00 not a key", b"", None])
def test_a_memo_that_is_damaged_or_gone_costs_one_reading(
    tmp_path: Path, read: list[str], memo: bytes | None
) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    assert faults(tmp_path) == []
    (file,) = (tmp_path / "cache" / "sound").iterdir()
    file.unlink() if memo is None else file.write_bytes(memo)
    assert [faults(tmp_path), faults(tmp_path)] == [[], []]
    assert read == ["a", "a"]


def test_a_line_that_was_cut_is_no_key(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    assert faults(tmp_path) == []
    (file,) = (tmp_path / "cache" / "sound").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert [faults(tmp_path), faults(tmp_path)] == [[], []]
    assert read == ["a", "a"]


def test_the_memo_begins_anew_where_it_is_long(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    monkeypatch.setattr(sound, "_MOST_BYTES", 10)
    assert faults(tmp_path) == faults(tmp_path, "b") == []
    (file,) = (tmp_path / "cache" / "sound").iterdir()
    assert len(file.read_text().split()) == 1
    assert read == ["a", "b"]


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "sound").write_text("a file where a folder belongs")
    assert [faults(tmp_path), faults(tmp_path)] == [[], []]
    assert read == ["a", "a"]


def test_a_file_that_is_gone_is_said(tmp_path: Path, read: list[str]) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    assert faults(tmp_path) == []
    (tmp_path / "a.jsonl").unlink()
    assert "expected a file" in faults(tmp_path)[0]


def test_what_was_asked_under_the_ids_counts(tmp_path: Path, read: list[str]) -> None:
    rows = [{"id": "x", "answer": "Oak"}]
    fields: dict[str, Any] = {"file": "ids.jsonl", "where": {}}
    fields["columns"] = {"id": "id", "answer": "answer"}
    write(tmp_path, "ids.jsonl", rows)
    write(tmp_path, "asked.jsonl", [{"id": "x", "prompt": "Name a tree."}])
    made = [faults(tmp_path, prompts_file="asked.jsonl", **fields) for _ in range(2)]
    assert made == [[], []]
    assert len(read) == 1
    write(tmp_path, "asked.jsonl", [{"id": "y", "prompt": "Name a tree."}])
    assert faults(tmp_path, prompts_file="asked.jsonl", **fields) != []


def test_paths_are_no_part_of_it(tmp_path: Path, read: list[str]) -> None:
    """The same contents in another folder were read before."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "a.jsonl", ROWS)
        sound._noted.cache_clear()
        where = Paths(tmp_path / "results", tmp_path / "cache", (), tmp_path / name)
        assert recorded(file="a.jsonl", where={"model": "a"}).faults(where) == []
    assert read == ["a"]
