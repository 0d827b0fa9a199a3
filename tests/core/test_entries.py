"""Entries of two files and of four, in folders and in archives: read alike, and damage is found."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest

from harness.stages.keeping import pack
from harness.stages.run import execute
from harness.store.damage import Damaged
from harness.store.entries import entry_of
from harness.store.inventory import holdings
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.core.running import promised, run_of
from tests.hostile.damage import ODD, flip, replace

KEY, OTHER = "ab" + "0" * 62, "cd" + "1" * 62
ROWS = pa.table({"request": [0, 1, 2], "text": ["a", "é", "\u2028"]})
SPEC = {"asks": "x", "model": "m", "task": "t", "at": [1e-300, -0.0, None, "é\x00"], "a": {"b": 1}}
HOW = {"wall_s": 0.1, "journaled": True}
TWO, FOUR = (
    {"rows.parquet", "entry.json"},
    {"rows.parquet", "spec.json", "provenance.json", "done.json"},
)


def four_files(key: str, rows: bytes, spec: object, how: object) -> dict[str, bytes]:
    """An entry as it was written before: its own code of that time, so that it does not change with ours."""
    files = {"rows.parquet": rows}
    for name, value in (("spec.json", spec), ("provenance.json", how)):
        text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
        files[name] = text.encode()
    done = {name: (len(c), hashlib.sha256(c).hexdigest()) for name, c in files.items()}
    return {**files, "done.json": json.dumps({**done, "key": key}, sort_keys=True).encode()}


def as_before(results: Path) -> None:
    """Writes every entry of a store in four files."""
    store = Store(results)
    for key in store.loose():
        files = four_files(key, store.promised(key)[0], store.spec(key), store.provenance(key))
        shutil.rmtree(store.folder(key))
        write(store, key, files)


def write(store: Store, key: str, files: dict[str, bytes]) -> None:
    """Puts files where those of a key belong, and nothing else."""
    store.folder(key).mkdir(parents=True)
    for name, content in files.items():
        (store.folder(key) / name).write_bytes(content)


@pytest.fixture(params=["two", "four", "packed two", "packed four"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with two entries."""
    store = Store(tmp_path / "results")
    for key, spec in ((KEY, SPEC), (OTHER, {"outputs": KEY})):
        store.put(key, ROWS, spec, HOW)
    if "four" in request.param:
        as_before(store.root)
    if "packed" in request.param:
        assert pack(Store(store.root)) == (2, 1)
    return Store(store.root)


def test_both_layouts_are_read_alike(store: Store, tmp_path: Path) -> None:
    new = Store(tmp_path / "new")
    new.put(KEY, ROWS, SPEC, HOW)
    assert store.has(KEY)
    assert store.table(KEY).equals(ROWS)
    assert (store.spec(KEY), store.provenance(KEY)) == (SPEC, HOW)
    assert store.promised(KEY) == new.promised(KEY)
    assert set(store.files(KEY)) in (TWO, FOUR)
    assert {one.key: (one.what, one.model, one.paid) for one in holdings(store)} == {
        KEY: ("answers", "m", True), OTHER: ("grades", "", False),
    }  # fmt: skip


def test_an_entry_goes_from_store_to_store_as_it_is(store: Store, tmp_path: Path) -> None:
    files, there = store.files(KEY), Store(tmp_path / "there")
    for name, content in files.items():
        for bad in (content[:-1], content + b"x", b"", None):
            changed = {n: c for n, c in {**files, name: bad}.items() if c is not None}
            with pytest.raises(DistillbenchError, match="damaged on its way"):
                there.adopt(KEY, changed)
    with pytest.raises(DistillbenchError, match="damaged on its way"):
        there.adopt(OTHER, files)
    assert not list(there.root.rglob("*.json"))
    there.adopt(KEY, files)
    assert there.files(KEY) == files
    assert there.promised(KEY) == store.promised(KEY)


def hit(store: Store, chance: random.Random) -> Iterator[tuple[str, Mapping[str, bytes | None]]]:
    """Damages of an entry: what it is, and the files then (None = a folder; absent = gone)."""
    files = store.files(KEY)
    other = store.files(OTHER)
    for name, content in files.items():
        for place in chance.sample(range(len(content)), min(40, len(content))):
            bit = bytes([content[place] ^ 1 << chance.randrange(8)])
            yield (
                f"{name}: bit {place}",
                {**files, name: content[:place] + bit + content[place + 1 :]},
            )
        for end in (0, 1, len(content) // 2, len(content) - 1):
            yield f"{name}: {end} bytes", {**files, name: content[:end]}
        for what, odd in ODD.items():
            yield f"{name}: {what}", {**files, name: odd}
        yield f"{name}: a link to itself", {**files, name: b"loop"}
        yield f"{name}: gone", {n: c for n, c in files.items() if n != name}
        if other[name] != content:
            yield f"{name}: another one's", {**files, name: other[name]}
    yield "another one's", other


def put_there(store: Store, files: Mapping[str, bytes | None]) -> None:
    """These files where those of the key belong, and nothing else (None = a folder; "loop" = a link to itself)."""
    shutil.rmtree(store.folder(KEY), ignore_errors=True)
    write(store, KEY, {})
    for name, content in files.items():
        path = store.folder(KEY) / name
        if content == b"loop":
            path.symlink_to(path)
        else:
            replace(path, content)


@pytest.mark.parametrize("store", ["two", "four"], indirect=True)
def test_no_damage_is_read(store: Store) -> None:
    """A quick look or a close one finds it, or whoever reads it; it is set aside then, and can be made again."""
    sound = store.promised(KEY)
    for what, files in [*hit(store, random.Random(0)), ("a file", None)]:
        put_there(store, files or {})
        if files is None:
            replace(store.folder(KEY), b"x")
        quick = Store(store.root)
        with contextlib.suppress(Damaged):
            if quick.has(KEY):
                assert quick.promised(KEY) == sound, what
                assert what.startswith("done.json: bit"), what  # of the word "key", or of a space
                continue
        assert not quick.has(KEY)
        assert not os.path.lexists(store.folder(KEY))
        quick.put(KEY, ROWS, SPEC, HOW)
        assert quick.promised(KEY) == sound
        put_there(store, files or {})
        assert not Store(store.root, closely=True).has(KEY), what


def test_every_flipped_bit_of_what_an_entry_says_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, ROWS, {"a": 1}, {"b": 0.5})
    files = store.files(KEY)
    content = files["entry.json"]
    for place in range(len(content)):
        for bit in range(8):
            changed = content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
            assert entry_of(KEY, {**files, "entry.json": changed}.get) is None


def test_an_entry_without_its_key_is_read(tmp_path: Path) -> None:
    """The oldest ones do not say which they are."""
    store = Store(tmp_path)
    store.put(KEY, ROWS, SPEC, HOW)
    as_before(tmp_path)
    path = store.folder(KEY) / "done.json"
    done = json.loads(path.read_bytes())
    del done["key"]
    path.write_text(json.dumps(done))
    assert store.has(KEY)
    assert store.spec(KEY) == SPEC


def test_a_foreign_file_in_an_entry_does_not_travel(store: Store) -> None:
    if store.loose():
        (store.folder(KEY) / ".DS_Store").write_bytes(b"x")
    assert set(store.files(KEY)) in (TWO, FOUR)
    assert store.has(KEY)


def test_the_rows_are_on_the_disk_before_what_speaks_of_them_and_both_before_their_name(
    tmp_path: Path,
) -> None:
    done = list[str]()
    rename = os.rename

    def renamed(old: Path, new: Path) -> None:
        """The same, noted."""
        done.append("its name")
        rename(old, new)

    with (
        mock.patch("harness.store.store.sync", lambda path: done.append(path.name)),
        mock.patch("os.rename", renamed),
    ):
        Store(tmp_path).put(KEY, ROWS, SPEC, HOW)
    assert done == ["rows.parquet", "entry.json", "its name", KEY[:2]]


def test_results_of_before_are_used_and_nothing_is_made_anew(tmp_path: Path) -> None:
    run, nowhere = run_of(tmp_path), Path("nowhere.csv")
    assert execute(run, nowhere, alone=True).code == 0
    results = run.paths.results
    before, page = promised(results), (results / "report/index.html").read_bytes()
    as_before(results)
    (results / "finished.json").unlink()
    ended = execute(run, nowhere, alone=True)
    assert ended.record is not None
    assert sum(count.computed for count in ended.record.work) == 0
    assert promised(results) == before
    assert (results / "report/index.html").read_bytes() == page
    assert not list(results.rglob("entry.json"))
    flip(next((results / "store").glob("*/*/spec.json")), random.Random(0))
    (results / "finished.json").unlink()
    assert execute(run, nowhere, alone=True).code == 0
    assert promised(results) == before
    assert len(list(results.rglob("store/*/*/entry.json"))) == 1


@pytest.mark.parametrize("store", ["two", "four"], indirect=True)
def test_damage_in_an_archive_is_said(store: Store, tmp_path: Path) -> None:
    files = store.files(KEY)
    for name, content in files.items():
        there = Store(tmp_path / name)
        for _ in there.archives.put([(KEY, {**files, name: content[:-1] + b"?"})]):
            pass
        assert there.has(KEY)
        with pytest.raises(Damaged, match=f"packed entry {KEY}: damaged"):
            there.table(KEY)
        assert not Store(there.root, closely=True).has(KEY)
