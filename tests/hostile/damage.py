"""Damage of a results folder, of every kind that disks, kills, copies and people do to it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq

from harness.cli import exits
from harness.cli.config import packaged, typed_run
from harness.models.fake import FakeSession
from harness.stages.run import execute
from harness.store.store import Store
from tests.core.running import composed, matrix, promised, write_data
from tests.hostile.try_them import Answer

Damage = Callable[[Path, random.Random], None]  # damages a results folder
_THREE = 3  # requests in a piece


def run(folder: Path, **changes: Any) -> Answer:
    """The exit code of a run of the small matrix, and what it says."""
    exits._said.clear()
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = exits.coded(lambda: _execute(folder, changes))
    return Answer(int(code), said.getvalue())


def _execute(folder: Path, changes: dict[str, Any]) -> int:
    if not (folder / "data").exists():
        write_data(folder / "data", 24)
    config = composed(matrix(**changes), folder)
    return execute(typed_run(config, [packaged("conf")]), Path("none.csv"), alone=True).code


def whole(folder: Path, *, page: bool = False) -> Answer:
    """A run that comes to its end, with a page or without."""
    with small_pieces():
        return run(folder, stages=["collect", "score", *(["report"] if page else [])])


def interrupted(folder: Path) -> Answer:
    """A run that publishes no answers: their pieces lie in work/."""
    honest = Store.put

    def put(self: Store, key: str, table: pa.Table, spec: Any, provenance: Any) -> None:
        """Publishes all but answers."""
        if "request" in table.column_names:
            raise ValueError("not published")
        honest(self, key, table, spec, provenance)

    with mock.patch.object(Store, "put", put):
        return whole(folder)


@contextlib.contextmanager
def small_pieces() -> Iterator[None]:
    """Batches of three requests."""

    def batches(self: FakeSession, ask: Any) -> list[list[int]]:
        """Three by three."""
        n = len(ask.requests)
        return [list(range(i, min(i + _THREE, n))) for i in range(0, n, _THREE)]

    with mock.patch.object(FakeSession, "batches", batches):
        yield


def contents(folder: Path) -> dict[str, str]:
    """Digest of everything that is promised to be the same."""
    results = folder / "results"
    return promised(results) | {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in results.glob("packs/*")
    }


# --- what can be hit ------------------------------------------------------------------------------


def entries(results: Path) -> list[Path]:
    """Folders of finished keys."""
    store = Store(results)
    return [store.folder(key) for key in store.loose()]


def packs(results: Path) -> list[Path]:
    """Packs of scores."""
    return sorted(results.glob("packs/*.parquet"))


def works(results: Path) -> list[Path]:
    """Folders of collections in progress that have pieces."""
    return sorted(p for p in results.glob("work/*") if p.is_dir() and list(p.glob("*.parquet")))


def pieces(results: Path) -> list[Path]:
    """Pieces of collections in progress."""
    return [p for folder in works(results) for p in sorted(folder.glob("*.parquet"))]


def flip(path: Path, chance: random.Random) -> None:
    """Changes one bit of a file."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(content))


def replace(path: Path, content: bytes | None) -> None:
    """Puts other content (None = a folder) where a file or a folder is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if content is None:
        path.mkdir()
        (path / "inside").write_text("x")
    else:
        path.write_bytes(content)


ODD: dict[str, bytes | None] = {
    "empty": b"",
    "zeros": bytes(512),
    "null": b"null",
    "a list": b"[]",
    "an empty mapping": b"{}",
    "a mapping of something else": b'{"a": 1, "batches": {"b": 2}, "rows.parquet": 5}',
    "lists of something else": b'{"batches": [["x"]], "rows.parquet": ["a", "b"]}',
    "cut": b'{"batches": [[0, 1',
    "not UTF-8": b"\xff\xfe{}",
    "deep": b"[" * 5000,
    "a folder": None,
}
PLANS: dict[str, bytes] = {
    "covers a part": b'{"batches": [[0, 1]]}',
    "has a request twice": json.dumps({"batches": [[*range(24)], [3]]}).encode(),
    "has a request that there is not": json.dumps({"batches": [[*range(23)], [99]]}).encode(),
    "has negative requests": json.dumps({"batches": [[*range(-1, 23)]]}).encode(),
    "has fractions": json.dumps({"batches": [[i + 0.5 for i in range(24)]]}).encode(),
}


def _at(pick: Callable[[Path], list[Path]], name: str, content: bytes | None) -> Damage:
    def damage(results: Path, chance: random.Random) -> None:
        """Other content in a file that is picked by chance."""
        place = chance.choice(pick(results))
        replace(place / name if name else place, content)

    return damage


def _flipped(pick: Callable[[Path], list[Path]], name: str = "") -> Damage:
    def damage(results: Path, chance: random.Random) -> None:
        """One bit in a file that is picked by chance."""
        place = chance.choice(pick(results))
        flip(place / name if name else place, chance)

    return damage


def _cut(pick: Callable[[Path], list[Path]], name: str = "") -> Damage:
    def damage(results: Path, chance: random.Random) -> None:
        """A file that ends too early."""
        place = chance.choice(pick(results))
        path = place / name if name else place
        content = path.read_bytes()
        path.write_bytes(content[: chance.randrange(len(content))])

    return damage


def _gone(pick: Callable[[Path], list[Path]], name: str = "") -> Damage:
    def damage(results: Path, chance: random.Random) -> None:
        """A file or folder that is gone."""
        place = chance.choice(pick(results))
        path = place / name if name else place
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def _place(name: str, content: bytes | None) -> Damage:
    def damage(results: Path, _: random.Random) -> None:
        """A file where a folder belongs, or the other way round."""
        replace(results / name, content)

    return damage


def _swapped(pick: Callable[[Path], list[Path]]) -> Damage:
    def damage(results: Path, chance: random.Random) -> None:
        """What belongs to another key, or to another request."""
        one, other = chance.sample(pick(results), 2)
        shutil.rmtree(one) if one.is_dir() else one.unlink()
        (shutil.copytree if other.is_dir() else shutil.copyfile)(other, one)

    return damage


def _loop(pick: Callable[[Path], list[Path]], name: str = "") -> Damage:
    def damage(results: Path, chance: random.Random) -> None:
        """A link to itself."""
        place = chance.choice(pick(results))
        path = place / name if name else place
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.symlink_to(path)

    return damage


def _foreign_pack(results: Path, _: random.Random) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": [1, 2]}), sink)
    content = sink.getvalue()
    name = hashlib.sha256(content).hexdigest()
    (results / "packs" / f"{name}.parquet").write_bytes(content)


def _foreign_piece(results: Path, chance: random.Random) -> None:
    """Rows of something else under the name of a piece."""
    pq.write_table(pa.table({"x": [1, 2]}), chance.choice(pieces(results)))


def _in_lock(content: bytes | None) -> Damage:
    def damage(results: Path, chance: random.Random) -> None:
        """Something else where the lock of a collection belongs."""
        folder = chance.choice(works(results))
        replace(folder.with_name(f"{folder.name}.lock"), content)

    return damage


def _every_flipped(results: Path, chance: random.Random) -> None:
    for folder in entries(results):
        flip(folder / "rows.parquet", chance)


def _lent(results: Path, chance: random.Random) -> None:
    """What another entry says of itself."""
    one, other = chance.sample(entries(results), 2)
    shutil.copyfile(other / "entry.json", one / "entry.json")


def _prefixes(results: Path) -> list[Path]:
    return sorted((results / "store").iterdir())


_FILES = ("rows.parquet", "entry.json")
FINISHED: dict[str, Damage] = {
    **{f"entry.json: {what}": _at(entries, "entry.json", odd) for what, odd in ODD.items()},
    **{f"{name}: a flipped bit": _flipped(entries, name) for name in _FILES},
    **{f"{name}: cut": _cut(entries, name) for name in _FILES},
    **{f"{name}: gone": _gone(entries, name) for name in _FILES},
    "rows.parquet: a folder": _at(entries, "rows.parquet", None),
    "entry.json: another one's": _lent,
    **{f"{name}: a link to itself": _loop(entries, name) for name in _FILES},
    "rows.parquet: every one has a flipped bit": _every_flipped,
    "an entry is a file": _at(entries, "", b"x"),
    "an entry is another one's": _swapped(entries),
    "an entry is gone": _gone(entries),
    "an entry is a link to itself": _loop(entries),
    "a folder of entries is a file": _at(_prefixes, "", b"x"),
    "store is a file": _place("store", b"x"),
    "a pack: a flipped bit": _flipped(packs),
    "a pack: cut": _cut(packs),
    "a pack: empty": _at(packs, "", b""),
    "a pack is a folder": _at(packs, "", None),
    "a pack is gone": _gone(packs),
    "a pack is a link to itself": _loop(packs),
    "a pack of something else": _foreign_pack,
    "packs is a file": _place("packs", b"x"),
    "work is a file": _place("work", b"x"),
    "damaged is a file": lambda results, chance: (
        _place("damaged", b"x")(results, chance),
        _at(entries, "entry.json", b"")(results, chance),
    )[0],
    "failures is a file": _place("failures", b"x"),
}
REPORT: dict[str, Damage] = {
    "report is a file": _place("report", b"x"),
    "index.html is a folder": _place("report/index.html", None),
    "scores.csv is a folder": _place("report/scores.csv", None),
}
UNFINISHED: dict[str, Damage] = {
    **{f"plan.json: {what}": _at(works, "plan.json", odd) for what, odd in ODD.items()},
    **{f"plan.json {what}": _at(works, "plan.json", odd) for what, odd in PLANS.items()},
    **{f"facts.json: {what}": _at(works, "facts.json", odd) for what, odd in ODD.items()},
    "plan.json: a flipped bit": _flipped(works, "plan.json"),
    "plan.json is gone": _gone(works, "plan.json"),
    "facts.json: a flipped bit": _flipped(works, "facts.json"),
    "facts.json is gone": _gone(works, "facts.json"),
    "a piece: a flipped bit": _flipped(pieces),
    "a piece: cut": _cut(pieces),
    "a piece: empty": _at(pieces, "", b""),
    "a piece is a folder": _at(pieces, "", None),
    "a piece is gone": _gone(pieces),
    "a piece is a link to itself": _loop(pieces),
    "a piece is another one's": _swapped(pieces),
    "a piece of something else": _foreign_piece,
    "a work folder is a file": _at(works, "", b"x"),
    "a work folder is another one's": _swapped(works),
    "a work folder is gone": _gone(works),
    "a lock is a folder": _in_lock(None),
    "a lock holds something": _in_lock(b"\xff not one of ours"),
}
