"""Every fault of a table that somebody else wrote is one clear line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness.files.rows import read_rows
from harness.types import DistillbenchError


def message(
    path: Path, columns: tuple[str, ...] = ("prompt",), where: dict[str, object] | None = None
) -> str:
    with pytest.raises(DistillbenchError) as caught:
        read_rows(path, where or {}, columns)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def prompts(path: Path, where: dict[str, object] | None = None) -> list[object]:
    return [row["prompt"] for row in read_rows(path, where or {}, ("prompt",)).rows]


def test_missing(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("{}")
    assert "did you mean 'answers.jsonl'" in message(tmp_path / "answer.jsonl")
    assert "no such folder" in message(tmp_path / "away" / "x.csv")


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.parquet"])
def test_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert "empty" in message(tmp_path / name)


def test_truncated(tmp_path: Path) -> None:
    pd.DataFrame({"prompt": ["a"] * 1000}).to_parquet(tmp_path / "x.parquet")
    data = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(data[: len(data) // 2])
    assert "truncated" in message(tmp_path / "x.parquet")
    (tmp_path / "x.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b')
    assert "line 2" in message(tmp_path / "x.jsonl")
    (tmp_path / "x.json").write_text('[{"prompt": "a"}, {"pro')
    assert "truncated" in message(tmp_path / "x.json")


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv"])
def test_wrong_encoding_names_the_byte(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"prompt\nna\xefve\n")
    assert "byte 0xef at byte offset 9" in message(tmp_path / name)


def test_missing_column_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("prompts,model\na,b\n")
    assert "did you mean 'prompts'" in message(tmp_path / "x.csv")
    pd.DataFrame({"prompts": ["a"]}).to_parquet(tmp_path / "x.parquet")
    assert "did you mean 'prompts'" in message(tmp_path / "x.parquet")


def test_no_row_is_left(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("prompt,model\na,large\n")
    assert "did you mean 'large'" in message(tmp_path / "x.csv", where={"model": "larg"})
    (tmp_path / "y.csv").write_text("prompt,model\n")
    assert "at least one row" in message(tmp_path / "y.csv")


def test_not_a_table(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"data": [{"prompt": "a"}]}')
    assert "list of objects" in message(tmp_path / "x.json")
    (tmp_path / "x.jsonl").write_text("[1]\n")
    assert "JSON object" in message(tmp_path / "x.jsonl")
    (tmp_path / "x.csv").write_text('prompt\na,b\n"c\n')
    assert "damaged" in message(tmp_path / "x.csv")
    (tmp_path / "x.txt").write_text("a")
    assert "expected a file ending in" in message(tmp_path / "x.txt")


def test_texts_come_through_unchanged(tmp_path: Path) -> None:
    texts = ["None", "NA", "a\u2028b", "null", " x ", "مرحبا", "🙂"]
    rows = pd.DataFrame({"prompt": texts})
    rows.to_csv(tmp_path / "x.csv", index=False)
    rows.to_json(tmp_path / "x.jsonl", orient="records", lines=True, force_ascii=False)
    rows.to_parquet(tmp_path / "x.parquet")
    for name in ("x.csv", "x.jsonl", "x.parquet"):
        assert prompts(tmp_path / name) == texts


def test_byte_order_mark_is_no_part_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbfprompt\na\n")
    assert prompts(tmp_path / "x.csv") == ["a"]


def test_rows_are_filtered_by_value_and_by_list(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("prompt,k\na,1\nb,2\nc,3\n")
    assert prompts(tmp_path / "x.csv", {"k": 2}) == ["b"]
    assert prompts(tmp_path / "x.csv", {"k": [1, 3]}) == ["a", "c"]
