"""Whatever is damaged in a results folder is set aside and made again, with one line, to the same bytes."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pyarrow as pa
import pytest

from harness.console.foreign import NO_SPACE
from harness.store import damage as damages
from harness.store import drafts
from harness.store.store import Store
from tests.hostile import damage
from tests.hostile.damage import FINISHED, REPORT, UNFINISHED, contents, entries, whole

# nothing is lost that could not be asked again, or nothing is wrong with what is there
_SILENT: tuple[str, ...] = (
    "an entry is gone",
    "a pack is gone",
    "work is a file",
    "failures is a file",
)
_SILENT += (
    "facts.json is gone",
    "a piece is gone",
    "a work folder is gone",
    "a lock holds something",
)


class Made(NamedTuple):
    """Results to damage, and what a run leaves that nothing happened to."""

    finished: Path
    unfinished: Path
    sound: Mapping[str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    assert whole(folder / "finished").code == 0
    assert damage.interrupted(folder / "unfinished").code == 3
    assert len(damage.pieces(folder / "unfinished/results")) > 8
    return Made(folder / "finished", folder / "unfinished", contents(folder / "finished"))


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path with its bytes."""
    return {str(p): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


_MAYBE_UNREAD = ("rows.parquet: a flipped bit", "entry.json: a flipped bit")


def looked_closely(results: Path) -> str:
    """What is said when every entry is read."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        for folder in entries(results):
            Store(results, closely=True).has(folder.name)
    return said.getvalue()


def wrong_after(made: Made, folder: Path, name: str, seed: int) -> str:
    """What is wrong after a run over damaged results; "" where all is as it was."""
    kind, before = (FINISHED, made.finished) if name in FINISHED else (UNFINISHED, made.unfinished)
    shutil.copytree(before, folder)
    bytes_before = snapshot(folder)
    kind[name](folder / "results", random.Random(seed))
    assert snapshot(folder) != bytes_before  # else it would heal always
    got = whole(folder)
    if name in _MAYBE_UNREAD and not got.code and ": damaged (" not in got.said:
        # a table that nothing reads any more is found as soon as something does
        shutil.rmtree(folder / "results/packs")
        got = whole(folder, page=True)
        if ": damaged (" not in got.said:  # nor does the page read it: a second sample, say
            said = looked_closely(folder / "results")
            got = whole(folder)._replace(said=said)
    lines = [line for line in got.said.splitlines() if ": damaged (" in line]
    if got.code or contents(folder) != made.sound:
        return f"{name}: {got.code} {got.said[-400:]}"
    unread = name.startswith("facts.json") or name in _SILENT  # where all answers are there, say
    if not (lines or unread) or any(not s.startswith("warning: ") for s in lines):
        return f"{name}: {lines}"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FINISHED, *UNFINISHED])
def test_every_damage_heals(made: Made, tmp_path: Path, name: str) -> None:
    assert not wrong_after(made, tmp_path / "copy", name, seed=0)


@pytest.mark.parametrize("name", [*FINISHED, *UNFINISHED][::9])
def test_some_damages_heal(made: Made, tmp_path: Path, name: str) -> None:
    assert not wrong_after(made, tmp_path / "copy", name, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", REPORT)
def test_a_report_is_written_whatever_is_in_its_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "results/report").mkdir(parents=True)
    REPORT[name](tmp_path / "results", random.Random(0))
    got = whole(tmp_path, page=True)
    assert got.code == 0
    assert got.said.count(": damaged (") == 1
    assert (tmp_path / "results/report/index.html").is_file()
    assert (tmp_path / "results/report/scores.csv").is_file()


def test_what_stays_damaged_is_one_line(made: Made, tmp_path: Path) -> None:
    """A disk that changes what is written: the run begins again once, not without end."""
    shutil.copytree(made.finished, tmp_path / "copy")
    damage._every_flipped(tmp_path / "copy/results", random.Random(0))
    honest = Store.put

    def put(self: Store, key: str, *rest: object) -> None:
        """Publishes an entry, of which a bit is changed at once."""
        honest(self, key, *rest)  # type: ignore[arg-type]
        damage.flip(self.folder(key) / "rows.parquet", random.Random(0))

    with mock.patch.object(Store, "put", put):
        got = whole(tmp_path / "copy")
    assert got.code == 3
    assert "rows.parquet is not what was written" in got.said
    assert "Traceback" not in got.said
    assert whole(tmp_path / "copy").code == 0
    assert contents(tmp_path / "copy") == made.sound


# --- disks ----------------------------------------------------------------------------------------


def fails_at(n: int, code: int) -> Callable[[Path], None]:
    """A `sync` that fails the n-th time, and ever after."""
    left = [n]

    def sync(path: Path) -> None:
        """Fails for want of room."""
        left[0] -= 1
        if left[0] <= 0:
            raise OSError(code, os.strerror(code))

    return sync


@pytest.mark.parametrize("n", [1, 9, 30, 77, 100])
def test_without_room_one_line_and_with_room_the_same_bytes(
    made: Made, tmp_path: Path, n: int
) -> None:
    sync = fails_at(n, errno.ENOSPC)
    with (
        mock.patch("harness.store.drafts.sync", sync),
        mock.patch("harness.store.store.sync", sync),
    ):
        got = whole(tmp_path)
    assert got.code == 2
    assert got.said.count("error: ") == 1
    assert "make room" in got.said
    assert not list((tmp_path / "results").rglob("*.draft"))
    assert whole(tmp_path).code == 0
    assert contents(tmp_path) == made.sound


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond a thousand bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_limit_of_file_sizes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large") as raised:
        Store(tmp_path).packs.put({"k": pa.table({"x": list(range(5000))})})
    assert raised.value.errno in NO_SPACE


@pytest.mark.parametrize("name", ["results", "results/store", "results/work"])
def test_a_link_that_leads_nowhere_is_not_moved(tmp_path: Path, name: str) -> None:
    """The disk behind it may only be absent: its answers cost money."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(tmp_path / "not mounted/results")
    got = whole(tmp_path)
    assert got.code == 2
    assert str(tmp_path / "results") in got.said
    assert (tmp_path / name).is_symlink()


def test_a_file_in_place_of_results_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    got = whole(tmp_path)
    assert got.code == 2
    assert got.said.splitlines() == [
        f"error: paths: key results: {tmp_path / 'results'}: expected a folder, found something else; move it away or "
        "name another"
    ]
    assert (tmp_path / "results").read_text() == "mine"


# --- what dead processes leave --------------------------------------------------------------------


def test_drafts_of_dead_processes_are_removed(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.finished, tmp_path / "copy")
    results, me = tmp_path / "copy/results", os.getpid()
    host, dead = os.uname().nodename, 2**22 + 1  # beyond the largest process id
    for place in ("work", "packs", "failures", "."):
        for pid, where in ((dead, host), (me, host), (dead, "elsewhere")):
            draft = results / place / f".x.{pid}@{where}.00000000.draft"
            draft.parent.mkdir(exist_ok=True)
            draft.write_text("half")
    (results / f"work/.k.{dead}@{host}.00000001.draft").mkdir()
    assert whole(tmp_path / "copy").code == 0
    left = sorted(p.name for p in results.rglob("*.draft"))
    assert left == sorted(
        [f".x.{me}@{host}.00000000.draft", f".x.{dead}@elsewhere.00000000.draft"] * 4
    )
    drafts.remove_drafts(results / "work", lambda: 8 * 24 * 3600 + os.stat(results).st_mtime)
    assert (
        len(list(results.glob("work/*elsewhere*"))) + len(list(results.glob("work/.*elsewhere*")))
        == 0
    )


def test_work_on_a_finished_key_is_removed(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.finished, tmp_path / "copy")
    work = tmp_path / "copy/results/work"
    key = entries(tmp_path / "copy/results")[0].name
    (work / key).mkdir(parents=True)
    (work / key / "000000.x.parquet").write_text("half")
    (work / f"{key}.lock").write_text("")
    (work / f"{key}.{2**22 + 1}@{os.uname().nodename}").mkdir()
    assert whole(tmp_path / "copy").code == 0
    assert list(work.iterdir()) == []


def test_without_locks_the_work_of_a_dead_process_goes_on(tmp_path: Path) -> None:
    store, key = Store(tmp_path, lock=False), "ab" + "0" * 62
    left = tmp_path / f"work/{key}.{2**22 + 1}@{os.uname().nodename}"
    left.mkdir(parents=True)
    (left / "facts.json").write_bytes(damages.sealed({"says": "x"}))
    with store.work(key) as work:
        assert work is not None
        assert work.facts() == {"says": "x"}
    assert not left.exists()
