"""The store keeps what is finished, resumes what is not, and never shows half of anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from harness.store.damage import Damaged
from harness.store.store import Store

KEY = "ab" + "0" * 62
ROWS = pa.table({"x": [1, 2, 3]})


def test_put_then_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not store.has(KEY)
    store.put(KEY, ROWS, {"a": 1}, {"wall_s": 2.0})
    assert store.has(KEY)
    assert store.table(KEY).equals(ROWS)
    assert store.spec(KEY) == {"a": 1}
    assert store.provenance(KEY) == {"wall_s": 2.0}


def test_rows_are_read_without_pandas(tmp_path: Path) -> None:
    """Importing it takes a second, in every worker."""
    Store(tmp_path).put(KEY, ROWS, {}, {})
    lines = (
        "import sys; from pathlib import Path; from harness.store.store import Store",
        f"print(Store(Path({str(tmp_path)!r})).table({KEY!r}).num_rows, 'pandas' in sys.modules)",
    )
    said = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["3", "False"]


def test_first_publisher_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, ROWS, {"who": "first"}, {})
    store.put(KEY, ROWS, {"who": "second"}, {})
    assert store.spec(KEY) == {"who": "first"}
    assert not list((tmp_path / "work").iterdir())


def test_truncated_entry_is_set_aside_and_counts_as_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, ROWS, {}, {})
    (store.folder(KEY) / "rows.parquet").write_bytes(b"short")
    assert not store.has(KEY)
    assert not store.folder(KEY).exists()
    assert len(list((tmp_path / "damaged").iterdir())) == 1


def test_changed_bytes_of_equal_length_are_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, ROWS, {}, {})
    path = store.folder(KEY) / "rows.parquet"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(Damaged, match="is not what was written"):
        store.table(KEY)
    assert not store.has(KEY)
    store.put(KEY, ROWS, {}, {})
    assert store.table(KEY).equals(ROWS)


def test_work_resumes_with_its_first_batches_and_facts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.work(KEY) as work:
        assert work is not None
        assert work.facts() is None
        assert work.batches(lambda: [[0], [1]]) == [[0], [1]]
        work.note_facts(lambda: {"answers_as": "one"})
    with store.work(KEY) as again:
        assert again is not None
        assert again.batches(lambda: [[0, 1]]) == [[0], [1]]
        again.note_facts(lambda: {"answers_as": "two"})
        assert again.facts() == {"answers_as": "one"}
        again.drop()
    with store.work(KEY) as anew:
        assert anew is not None
        assert anew.facts() is None


def test_a_locked_key_is_left_to_its_holder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.work(KEY) as mine, store.work(KEY) as theirs:
        assert mine is not None
        assert theirs is None
    with store.work(KEY) as free:
        assert free is not None


def test_without_locks_every_process_works_in_its_own_folder(tmp_path: Path) -> None:
    store = Store(tmp_path, lock=False)
    with store.work(KEY) as one, store.work(KEY) as two:
        assert one is not None
        assert two is not None
        assert one.folder.name.startswith(KEY)


def test_failures_are_remembered_until_the_key_is_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.failure(KEY) is None
    store.note_failure(KEY, "server said no")
    assert store.failure(KEY) == "server said no"
    store.forget_failure(KEY)
    assert store.failure(KEY) is None
