"""Files between machines that share none: whole, unchanged, and nowhere else than in the results folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.console.resources import size_bytes, time_s
from harness.executors._parcels import Watch, needed, opened, parcel, receive
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.core.simple_jobs import TABLE

KEY = "ab" + "0" * 62


def stored(folder: Path) -> Store:
    """A store with one key, a batch in progress of another, a pack and a reason."""
    store = Store(folder)
    store.put(KEY, TABLE, {"by": "é"}, {"wall_s": 1.0})
    with store.work("begun") as work:
        assert work is not None
        (work.folder / "000000.parquet").write_bytes(b"piece")
        (work.folder / ".000001.1@here.00000000.draft").write_bytes(b"half a piece")
    store.packs.put({"k": TABLE})
    store.note_failure("failed", "too few")
    return store


def test_a_results_folder_arrives_as_it_is(tmp_path: Path) -> None:
    here, there = stored(tmp_path / "here"), Store(tmp_path / "there")
    receive(opened(parcel(Watch(here.root).news())), there)
    assert there.table(KEY).equals(here.table(KEY))
    assert (there.spec(KEY), there.provenance(KEY)) == (here.spec(KEY), here.provenance(KEY))
    assert (there.root / "work/begun/000000.parquet").read_bytes() == b"piece"
    assert not list(there.root.rglob("*.draft"))
    assert there.failure("failed") == "too few"
    assert dict(there.packs.rows(["k"])) == dict(here.packs.rows(["k"]))


def test_only_what_is_new_travels(tmp_path: Path) -> None:
    store = stored(tmp_path)
    watch = Watch(store.root)
    assert len(watch.news()) == 2 + 1 + 1 + 1
    assert watch.news() == {}
    (store.root / "work/begun/000003.parquet").write_bytes(b"next")
    assert watch.news() == {"work/begun/000003.parquet": b"next"}


def test_a_worker_is_given_what_it_names(tmp_path: Path) -> None:
    store = stored(tmp_path)
    assert {Path(p).parts[0] for p in needed([KEY], store)} == {"store"}
    assert set(needed(["begun"], store)) == {"work/begun/000000.parquet"}
    assert needed(["nobody"], store) == {}


def test_a_published_key_drops_what_was_in_progress(tmp_path: Path) -> None:
    here, there = stored(tmp_path / "here"), Store(tmp_path / "there")
    receive({f"work/{KEY}/000000.parquet": b"piece"}, there)
    receive(needed([KEY], here), there)
    assert there.has(KEY)
    assert not (there.root / "work" / KEY).exists()


@pytest.mark.parametrize("what", ["changed", "missing", "foreign"])
def test_what_is_damaged_on_its_way_is_refused(tmp_path: Path, what: str) -> None:
    here, there = stored(tmp_path / "here"), Store(tmp_path / "there")
    files = needed([KEY], here)
    place = f"store/ab/{KEY}"
    if what == "changed":
        files[f"{place}/rows.parquet"] += b"x"
    elif what == "missing":
        del files[f"{place}/entry.json"]
    else:
        files[f"{place}/run.sh"] = b"x"
    with pytest.raises(DistillbenchError, match="damaged on its way"):
        receive(files, there)
    assert not there.has(KEY)


@pytest.mark.parametrize(
    "path", ["../x", "store/../../x", "/etc/x", "report/index.html", "work/../../x", "x", ""]
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(DistillbenchError, match="no file of a results folder"):
        opened(parcel({path: b"x"}))


SIZES = {"32G": 32 * 2**30, "500M": 500 * 2**20, "1.5T": 3 * 2**39, "2GB": 2**31, "2 GiB": 2**31}
NO_SIZES = ["32", "G", "32g", "-1G", "1e3G", "0G", "", "32K", "1G 1M", "nan"]
TIMES = {"90m": 5400, "4h": 14400, "2d": 172800, "30s": 30, "1.5h": 5400}
NO_TIMES = ["90", "4:00:00", "h", "-1h", "0m", "", "1h30m", "4H", "inf"]


def test_amounts_with_their_units() -> None:
    assert {text: size_bytes(text) for text in SIZES} == SIZES
    assert [size_bytes(text) for text in NO_SIZES] == [None] * len(NO_SIZES)
    assert {text: time_s(text) for text in TIMES} == TIMES
    assert [time_s(text) for text in NO_TIMES] == [None] * len(NO_TIMES)
