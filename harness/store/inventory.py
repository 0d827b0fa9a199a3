"""What a results folder holds, entry by entry: of which model and task, of what kind, its size, whether it was paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.store.entries import KEY, Entry
from harness.store.store import Store

What = Literal[
    "answers", "unfinished", "grades", "words", "scores", "requests", "evidence", "other"
]
JOURNALED = "journaled"  # in the provenance of answers: whether they came one by one, from a server
_FREE = ("plan.json", "facts.json", "*.parquet")  # work of models that run on this machine
_BILLED = ("usd", "prompt_tokens", "completion_tokens")
# facts of kinds of model whose answers cost nothing; of older entries that do not say how they were asked
_OWN = ("parameters", "recorded_answers")


@dataclass(frozen=True)
class Holding:
    """One key of a results folder."""

    key: str
    what: What
    model: str  # "" = of no model alone
    task: str  # "" = of no task alone
    size_bytes: int  # of a key in a pack: its rows' share of the file
    files: int
    place: Literal["store", "packs", "archives", "work"]
    paid: bool = False  # answers that cost money, or may have


def holdings(store: Store) -> list[Holding]:
    """Everything that is stored under a key, and work in progress; nothing is changed."""
    own = store.loose()
    archived = sorted({*store.archives.keys()} - {*own})
    entries = {key: store.entry(key) for key in (*own, *archived)}
    return [
        *(_entry(key, entries, *weight(store.folder(key)), "store") for key in own),
        *(_entry(key, entries, _bytes(key, store), 0, "archives") for key in archived),
        *_packed(store),
        *_unfinished(store.root / "work"),
    ]


def other_folders(root: Path) -> dict[str, tuple[int, int]]:
    """Folder -> bytes and files of what lies beside the store: reports, batches, what is set aside."""
    kept = ("store", "packs", "work")
    folders = sorted(p for p in root.glob("*") if p.is_dir() and p.name not in kept)
    return {p.name: weight(p) for p in folders}


def weight(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files below a folder; links are not followed."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(p.stat().st_size for p in files), len(files)


def _bytes(key: str, store: Store) -> int:
    return sum(map(len, store.files(key).values()))


def _entry(
    key: str,
    entries: Mapping[str, Entry | None],
    size_bytes: int,
    files: int,
    place: Literal["store", "archives"],
) -> Holding:
    entry = entries[key]
    spec, how = (entry.spec, entry.provenance) if entry else ({}, {})
    what = _what(spec)
    whose = entries.get(str(spec.get("answers", "")))  # words of answers are theirs
    of = whose.spec if whose else spec
    task = spec.get("audit") or spec.get("tree") or of.get("task") or ""
    model = "" if what == "requests" else str(of.get("model", ""))
    paid = _was_paid(how) if what == "answers" else not spec
    return Holding(key, what, model, str(task), size_bytes, files, place, paid)


def _what(spec: dict[str, Any]) -> What:
    """What an entry is, by the fields of its spec."""
    for field, what in _FIELDS.items():
        if field in spec:
            return what
    return "other"


_FIELDS: dict[str, What] = {
    "asks": "answers", "outputs": "grades", "feature": "words", "summary": "requests", "verdict": "evidence",
    "tree": "evidence", "audit": "evidence", "file": "other",
}  # fmt: skip


def _was_paid(how: dict[str, Any]) -> bool:
    """Whether answers came one by one from a server, or were billed; True where that is not known."""
    if any(name in how for name in _BILLED):
        return True
    return bool(how.get(JOURNALED, not any(name in how for name in _OWN)))


def _packed(store: Store) -> Iterator[Holding]:
    """The keys of all packs; a key that stands in several packs is one holding."""
    sizes: Counter[str] = Counter()
    whose: dict[str, tuple[str, str]] = {}
    for path, keys, table in store.packs.tables():
        owners = zip(*(table[n].to_pylist() for n in ("key", "student", "task")), strict=True)
        rows = [(key, student, task) for key, student, task in owners]
        whose |= {key: (student, task) for key, student, task in rows}
        for key in keys:
            whose.setdefault(key, ("", ""))
        sizes.update(_shares(path.stat().st_size, [row[0] for row in rows] or keys))
    for key in sorted(whose):
        student, task = whose[key]
        yield Holding(key, "scores", student, task, sizes[key], 0, "packs")


def _shares(size_bytes: int, keys: Iterable[str]) -> dict[str, int]:
    """A file's bytes divided among its rows; the sum is the file's."""
    rows = Counter(keys)
    n, shares, given, seen = rows.total(), {}, 0, 0
    for key, own in sorted(rows.items()):
        seen += own
        shares[key] = size_bytes * seen // n - given
        given += shares[key]
    return shares


def _unfinished(work: Path) -> Iterator[Holding]:
    for folder in sorted(p for p in work.glob("*") if p.is_dir()):
        key = folder.name.partition(".")[0]
        if KEY.fullmatch(key):
            free = {p for pattern in _FREE for p in folder.glob(pattern)}
            paid = any(p not in free for p in folder.iterdir())
            yield Holding(key, "unfinished", "", "", *weight(folder), "work", paid)
