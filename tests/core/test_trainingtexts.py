"""Texts of training files of every format, streamed, and what is said of files that are no such thing."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from harness.files import texts as trainingtexts
from harness.files.texts import training_file, training_texts
from harness.models.fake import FakeModel
from harness.plan.faults import training_faults
from harness.types import DistillbenchError, Paths

ROWS = [{"prompt": "one, two", "reply": "three\nfour"}, {"prompt": "five", "reply": ""}]


def written(folder: Path, suffix: str) -> Path:
    """ROWS as a file."""
    path, frame = folder / f"train{suffix}", pd.DataFrame(ROWS)
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix in (".csv", ".tsv"):
        frame.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    else:
        path.write_text(
            json.dumps(ROWS) if suffix == ".json" else "".join(json.dumps(r) + "\n\n" for r in ROWS)
        )
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet", ".csv", ".tsv"])
def test_every_format_gives_the_same_texts(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    assert list(training_texts(path, ())) == ["one, two", "three\nfour", "five", ""]
    assert list(training_texts(path, ("reply",))) == ["three\nfour", ""]
    with pytest.raises(DistillbenchError, match="'replies' is unknown; did you mean 'reply'"):
        list(training_texts(path, ("replies",)))


def test_conversations_are_looked_through(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}],
    }
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps(row))
    assert list(training_texts(path, ("messages",))) == ["user", "hello", "assistant", "hi"]


def test_plain_text_loses_nothing_at_a_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainingtexts, "_BLOCK", 64)
    monkeypatch.setattr(trainingtexts, "_CARRY", 40)
    words = [f"word{i}" for i in range(100)]
    path = tmp_path / "train.txt"
    path.write_text(" ".join(words))
    blocks = list(training_texts(path, ()))
    assert len(blocks) > 5
    for i in range(98):  # every run of three words stands whole in some block
        assert any(" ".join(words[i : i + 3]) in b for b in blocks)


def test_where_a_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    paths = Paths(tmp_path, tmp_path, (), data=tmp_path / "data")
    here, data = tmp_path / "here/train.txt", tmp_path / "data/train.txt"
    here.write_text("x")
    assert training_file("train.txt", paths) == here
    data.write_text("x")
    assert training_file("train.txt", paths) == data
    assert training_file(str(here), paths) == here


@pytest.mark.parametrize(("name", "content", "said"), [
    ("train.txt", "", "the file is empty"),
    ("train.jsonl", "\n\n", "expected at least one text"),
    ("train.jsonl", '{"n": 1}\n', "expected at least one text"),
    ("train.jsonl", '{"a": "b"', "line 1: expected one JSON value per line"),
    ("train.parquet", "no parquet", "expected a Parquet file"),
    ("train.bin", "x", "expected a file ending in"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_a_fault(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    (fault,) = training_faults(_model(name), Paths(tmp_path, tmp_path, (), data=tmp_path))
    assert fault.startswith("model m: key training_data: ")
    assert said in fault


def test_a_missing_file_and_columns_without_one_are_faults(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, (), data=tmp_path)
    (fault,) = training_faults(_model("nowhere.jsonl"), paths)
    assert "expected a file 'nowhere.jsonl' in" in fault
    (fault,) = training_faults(FakeModel("fake", "m", training_columns=("a",)), paths)
    assert "training_columns without training_data" in fault
    assert training_faults(FakeModel("fake", "m"), paths) == []


def _model(file: str) -> FakeModel:
    return FakeModel("fake", "m", training_data=file)
