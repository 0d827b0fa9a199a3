"""Packs: many keys in one file, each with its own rows."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.store.packs import Packs

ONE, TWO, NONE = (
    pa.table({"x": [1, 2]}),
    pa.table({"x": [3]}),
    pa.table({"x": pa.array([], pa.int64())}),
)


def files(root: Path) -> list[Path]:
    return sorted((root / "packs").iterdir())


def test_every_key_has_its_rows(tmp_path: Path) -> None:
    Packs(tmp_path).put({"a": ONE, "n": NONE, "b": TWO})
    for packs in (Packs(tmp_path), Packs(tmp_path)):
        assert [packs.has(k) for k in ("a", "b", "n", "c")] == [True, True, True, False]
        rows = dict(packs.rows(["n", "a", "b"]))
        assert rows == {"a": [{"x": 1}, {"x": 2}], "b": [{"x": 3}], "n": []}
    with pytest.raises(KeyError):
        list(Packs(tmp_path).rows(["c"]))


def test_equal_rows_make_equal_files(tmp_path: Path) -> None:
    Packs(tmp_path).put({"a": ONE})
    Packs(tmp_path).put({"a": ONE})
    assert len(files(tmp_path)) == 1


def test_what_another_process_adds_is_seen_after_a_refresh(tmp_path: Path) -> None:
    packs = Packs(tmp_path)
    assert not packs.has("a")
    Packs(tmp_path).put({"a": ONE})
    packs.refresh()
    assert dict(packs.rows(["a"])) == {"a": [{"x": 1}, {"x": 2}]}


def test_a_damaged_pack_is_set_aside(tmp_path: Path) -> None:
    Packs(tmp_path).put({"a": ONE})
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[8] ^= 1
    path.write_bytes(bytes(content))
    assert not Packs(tmp_path).has("a")
    assert [p.name.rpartition(".")[0] for p in (tmp_path / "damaged").iterdir()] == [path.name]


def test_a_row_that_bears_another_key_is_not_read(tmp_path: Path) -> None:
    packs = Packs(tmp_path)
    packs.put({"a": ONE})
    (path,) = files(tmp_path)
    table = pq.read_table(path)
    forged = table.set_column(1, "key", pa.array(["a", "older"], pa.string()))
    draft = tmp_path / "draft"
    pq.write_table(forged, draft)
    os.replace(draft, path)
    assert dict(packs.rows(["a"])) == {"a": [{"x": 1}]}
