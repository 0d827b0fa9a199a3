"""What a results folder holds, and the removal of what nobody needs."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness.cli.storing import store as store_command
from harness.stages import report
from harness.stages.keeping import needed_keys, remove, unneeded
from harness.stages.preview import planned
from harness.stages.run import execute
from harness.store.inventory import holdings, other_folders, weight
from harness.store.journal import Journal
from harness.store.store import Store
from harness.types import DistillbenchError
from tests.core.running import FAKES, inside, matrix, run_of, write_data

NOWHERE = Path("nowhere.csv")
KEY, OTHER = "a" * 64, "b" * 64
TABLE = pa.table({"x": [1]})
FREE = {"model": "m", "task": "t", "asks": ""}
ALL: dict[str, Any] = {"metrics": dict.fromkeys(("task_score", "capa", "length", "style_transfer"))}
SMALL: dict[str, Any] = {
    **ALL,
    "models": {n: FAKES[n] for n in ("teacher", "student", "base")},
    "controls": [],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two runs: one of four models, and one of three of them with thirty prompts."""
    folder = tmp_path_factory.mktemp("stored")
    for changes in (ALL, {**SMALL, "limit": 30}):
        assert execute(run_of(folder, **changes), NOWHERE, alone=True).code == 0
    return folder


def copied(folder: Path, place: Path) -> Path:
    """A copy of the folder, which may be changed."""
    import shutil

    return Path(shutil.copytree(folder, place / "copy"))


def keys(store: Store) -> set[str]:
    return {one.key for one in holdings(store)}


def test_every_byte_of_the_store_is_somebody_s(folder: Path) -> None:
    store = Store(folder / "results")
    held = holdings(store)
    whole = weight(store.root / "store")[0] + weight(store.root / "packs")[0]
    assert sum(one.size_bytes for one in held) == whole
    assert len({one.key for one in held}) == len(held)
    models = {one.model for one in held if one.what in ("answers", "grades", "words", "scores")}
    assert models == set(FAKES)
    assert {one.task for one in held if one.what == "requests"} == {"open", "quiz"}
    assert other_folders(store.root)["report"] == weight(store.root / "report")


def test_a_run_needs_everything_that_it_has_made(folder: Path) -> None:
    store, runs = (
        Store(folder / "results"),
        (run_of(folder, **ALL), run_of(folder, **SMALL, limit=30)),
    )
    needed = [needed_keys(planned(run, store), store) for run in runs]
    assert keys(store) == keys(store) & (needed[0] | needed[1])
    assert needed[1] - needed[0]


@pytest.mark.parametrize("kept", [ALL, {**SMALL, "limit": 30}])
def test_who_needs_something_computes_nothing_anew_afterwards(
    folder: Path, tmp_path: Path, kept: dict[str, object]
) -> None:
    place = copied(folder, tmp_path)
    run = run_of(place, **kept)
    store = Store(run.paths.results)
    before = keys(store)
    going, staying = unneeded(holdings(store), needed_keys(planned(run, store), store), paid=False)
    assert going
    assert not staying
    assert remove(going, store) == []
    left = Store(run.paths.results)
    assert keys(left) == before - {one.key for one in going}
    ended = execute(run, NOWHERE, alone=True)
    assert ended.code == 0
    assert ended.record is not None
    assert sum(count.computed for count in ended.record.work) == 0
    assert keys(Store(run.paths.results)) == keys(left)


def test_what_is_removed_is_removed_from_packs_alone(folder: Path, tmp_path: Path) -> None:
    store = Store(copied(folder, tmp_path) / "results")
    scores = sorted(one.key for one in holdings(store) if one.what == "scores")
    rows = dict(store.packs.rows(scores))
    store.packs.drop(set(scores[::2]))
    left = Store(store.root).packs
    assert [left.has(key) for key in scores] == [i % 2 == 1 for i in range(len(scores))]
    assert dict(left.rows(scores[1::2])) == {key: rows[key] for key in scores[1::2]}
    store.packs.drop(set(scores))
    assert list((store.root / "packs").iterdir()) == []


@pytest.mark.parametrize(
    ("spec", "how", "paid"),
    [
        (FREE, {"journaled": False}, False),
        (FREE, {"journaled": True}, True),
        (FREE, {"usd": 0.2, "journaled": False}, True),
        (FREE, {"parameters": 5}, False),
        (FREE, {"snapshot": "of a server"}, True),
    ],
)
def test_answers_that_cost_money_stay(
    tmp_path: Path, spec: dict[str, object], how: dict[str, object], paid: bool
) -> None:
    store = Store(tmp_path)
    store.put(KEY, TABLE, spec, how)
    (one,) = holdings(store)
    assert one.paid is paid
    assert [len(part) for part in unneeded([one], set(), paid=False)] == [int(not paid), int(paid)]
    assert unneeded([one], set(), paid=True) == ([one], [])


def test_an_entry_that_cannot_be_read_may_have_cost_money(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, TABLE, FREE, {"journaled": False})
    (store.folder(KEY) / "entry.json").write_text("{")
    assert [one.paid for one in holdings(store)] == [True]


def test_a_journal_is_paid_and_pieces_are_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in (KEY, OTHER):
        with store.work(key) as work:
            assert work is not None
            work.batches(lambda: [[0]])
            if key == OTHER:
                Journal(work.journal()).path.write_text("an answer\n")
    assert {one.key: (one.what, one.paid) for one in holdings(store)} == {
        KEY: ("unfinished", False), OTHER: ("unfinished", True),
    }  # fmt: skip


def hold(root: Path, key: str, held: object, over: object) -> None:
    """Works on a key, in a process of its own, until it is told to end."""
    with Store(root).work(key) as work:
        assert work is not None
        work.batches(lambda: [[0]])
        held.set()  # type: ignore[attr-defined]
        over.wait()  # type: ignore[attr-defined]


def test_what_another_process_works_on_stays(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, over = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, KEY, held, over))
    process.start()
    try:
        assert held.wait(30)
        store = Store(tmp_path)
        (one,) = holdings(store)
        assert remove([one], store) == [one]
        assert (tmp_path / "work" / KEY / "plan.json").is_file()
    finally:
        over.set()
        process.join()
    assert remove([one], Store(tmp_path)) == []
    assert holdings(Store(tmp_path)) == []


def words(folder: Path, *others: str) -> list[str]:
    paths = [f"paths.{k}={folder / k}" for k in ("results", "cache", "data")]
    return ["--config-dir", str(folder / "conf"), *paths, *others]


@pytest.fixture
def place(folder: Path, tmp_path: Path) -> Path:
    """A copy of the results with the two matrices as files."""
    place = copied(folder, tmp_path)
    write_data(place / "data")
    inside(place, "--version", files={"matrix/all": matrix(**ALL), "matrix/some": matrix(**SMALL)})
    return place


def test_nothing_changes_without_a_word(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p: p.read_bytes() for p in (place / "results").rglob("*") if p.is_file()}
    assert store_command(["prune", *words(place, "matrix=all")]) == 0
    assert "nothing was removed; the same words with --yes remove it" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in (place / "results").rglob("*") if p.is_file()} == before


def test_runs_are_named_by_values_and_one_after_another(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = words(place, "matrix=all", "--and", "matrix=some", "limit=30")
    assert store_command(["prune", "--yes", "--json", *both]) == 0
    assert json.loads(capsys.readouterr().out)["unneeded"] == []
    assert (
        store_command(["prune", "--yes", "--json", *words(place, "matrix=some", "limit=30")]) == 0
    )
    gone = json.loads(capsys.readouterr().out)["removed"]
    assert {"other", "teacher"} <= {part["model"] for part in gone}
    assert store_command(["prune", "--json", *words(place, "matrix=some", "limit=30")]) == 0
    assert json.loads(capsys.readouterr().out)["unneeded"] == []


def test_nothing_is_removed_while_a_run_uses_it(place: Path) -> None:
    before = keys(Store(place / "results"))
    with Store(place / "results").in_use(), pytest.raises(DistillbenchError, match="a run uses"):
        store_command(["prune", "--yes", *words(place, "matrix=some", "limit=30")])
    assert keys(Store(place / "results")) == before
    with pytest.raises(DistillbenchError, match=r"paths\.lock: expected true"):
        store_command(["prune", "--yes", *words(place, "matrix=all", "paths.lock=false")])


def test_a_run_holds_its_results_from_first_to_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a stage finds there is there for the next."""
    run, seen = run_of(tmp_path), []

    def looked(*args: object, **kwargs: object) -> object:
        """Whether somebody could remove results while the page is written."""
        with pytest.raises(DistillbenchError), Store(run.paths.results).alone():
            pass
        seen.append(True)
        return written(*args, **kwargs)  # type: ignore[arg-type]

    written = report.write_report
    monkeypatch.setattr("harness.stages.run.write_report", looked)
    execute(replace(run, models=run.models), NOWHERE, alone=True)
    assert seen == [True]
    with Store(run.paths.results).alone():
        pass


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["prune", "matrix=all", "limit=7"], "the requests of open, quiz are not stored"),
        (["prune", "matrix=nothing"], "matrix: 'nothing' is unknown"),
        (["prune", "matrix=all", "paths.results=/nowhere"], "/nowhere: expected a folder"),
        (["prune", "matrix=all", "--and", "paths.results=/tmp"], "expected one paths.results"),
        (["prune", "matrix=all", "models.teacher.kind=nothing"], "'nothing' is unknown"),
        (["--yes"], "belong to `distillbench store prune`"),
        (["prunes"], "prunes: expected KEY=VALUE"),
    ],
)
def test_a_wrong_word_is_one_line(place: Path, line: list[str], said: str) -> None:
    first = line[:1] if line[0] == "prune" else []
    with pytest.raises(DistillbenchError) as error:
        store_command([*first, *words(place), *line[len(first) :]])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


# --- few files ------------------------------------------------------------------------------------


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    """Those results, packed by the command."""
    place = copied(folder, tmp_path)
    assert store_command(["pack", f"paths.results={place / 'results'}"]) == 0
    return place


def asked_anew(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> int:
    """How many batches a second run of the first matrix asks."""
    from harness.models.fake import FakeSession

    honest, asked = FakeSession.answer_batch, list[int]()

    def counted(session: FakeSession, *args: Any) -> Any:
        """The same, counted."""
        asked.append(1)
        return honest(session, *args)

    monkeypatch.setattr(FakeSession, "answer_batch", counted)
    assert execute(run_of(folder, **{**ALL, **changes}), NOWHERE, alone=True).code == 0
    return len(asked)


def test_packed_results_are_the_same_in_few_files(
    folder: Path, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = Store(folder / "results"), Store(packed / "results")
    assert keys(after) == keys(before)
    assert not list((after.root / "store").iterdir())
    assert len(list((after.root / "packs").glob("*.arrow"))) == 1
    for key in (one.key for one in holdings(before) if one.place == "store"):
        assert after.has(key)
        assert after.table(key).equals(before.table(key))
        assert (after.spec(key), after.provenance(key)) == (
            before.spec(key),
            before.provenance(key),
        )
    loose = copied(folder, tmp_path / "loose")
    assert (asked_anew(packed, monkeypatch), asked_anew(loose, monkeypatch)) == (0, 0)
    for name in ("scores.csv", "leaderboard.csv", "index.html"):
        same = {(place / "results/report" / name).read_bytes() for place in (packed, loose)}
        assert len(same) == 1, name
    assert not list((after.root / "store").glob("*/*"))  # nothing else was made anew either


def test_what_is_packed_may_go_with_what_is_not_needed(folder: Path, packed: Path) -> None:
    store = Store(packed / "results")
    needed = needed_keys(planned(run_of(packed, **SMALL, limit=30), store), store)
    going, _ = unneeded(holdings(store), needed, paid=False)
    assert {one.place for one in going} == {"packs", "archives"}
    assert remove(going, store) == []
    assert keys(Store(store.root)) == keys(Store(folder / "results")) - {one.key for one in going}


def test_a_damaged_entry_of_an_archive_is_made_again_and_no_other(
    packed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(packed / "results")
    held = holdings(store)
    remove([h for h in held if h.what not in ("answers", "requests")], store)
    needed = needed_keys(planned(run_of(packed, **ALL), store), store)
    own = {h.key for h in held if (h.what, h.model) == ("answers", "student")}
    key = min(own & needed)
    [archive] = (store.root / "packs").glob("*.arrow")
    content, rows = archive.read_bytes(), store.promised(key)[0]
    archive.write_bytes(content.replace(rows[40:80], bytes(40)))
    assert asked_anew(packed, monkeypatch) > 0
    said = capsys.readouterr().err
    assert said.count(f"packed entry {key}: damaged (rows.parquet is not what was written)") >= 1
    assert "Traceback" not in said
    assert key in [p.name for p in (store.root / "store").glob("*/*")]
    assert Store(store.root).promised(key)[0] == rows


@pytest.mark.parametrize("content", [b"", b"x" * 400, bytes(64)])
def test_an_archive_that_cannot_be_opened_is_set_aside(
    packed: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    [archive] = (packed / "results/packs").glob("*.arrow")
    archive.write_bytes(content)
    assert asked_anew(packed, monkeypatch) > 0
    [aside] = (packed / "results/damaged").iterdir()
    assert aside.read_bytes() == content


def test_damage_is_not_packed(folder: Path, tmp_path: Path) -> None:
    place = copied(folder, tmp_path) / "results"
    key = next(h.key for h in holdings(Store(place)) if h.what == "answers")
    path = Store(place).folder(key) / "rows.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert store_command(["pack", f"paths.results={place}"]) == 0
    assert not Store(place).has(key)
    assert [p.name.partition(".")[0] for p in (place / "damaged").iterdir()] == [key]


def test_two_kills_leave_nothing_twice(packed: Path) -> None:
    store = Store(packed / "results")
    key = store.archives.keys()[0]
    for _ in store.archives.put([(key, store.files(key))]):
        pass  # as a kill between the new archive and the removal of the old one leaves it
    fresh = Store(store.root)
    assert fresh.has(key)
    fresh.archives.drop({key})
    assert not Store(store.root).has(key)
    assert Store(store.root).archives.keys() == sorted({*store.archives.keys()} - {key})
