"""Sessions as servers are: several collections at once, answers one by one in any order, some tomorrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from harness.models import AbstractSession, Answered, Ask, Facts, Failed
from harness.models.fake import FakeModel, FakeSession
from harness.plan.collections import Plan
from harness.store.journal import Journal
from harness.store.store import Store
from harness.types import DistillbenchError, Paths
from tests.joints.small import collect_these, planned


@dataclass
class Mood:
    """What the servers of a test do, and what they saw."""

    asked: list[tuple[str, int]] = field(default_factory=list)  # key, request; every answer given
    dies_after: int | None = None  # answers
    comes_tomorrow: frozenset[int] = frozenset()  # requests
    refuses: str = ""  # key
    name: str = "one"  # how it calls itself
    previous: list[Facts | None] = field(default_factory=list)


class Server(AbstractSession):
    """A fake behind a server: last request first, all collections in turn."""

    journaled: ClassVar[bool] = True
    together: ClassVar[bool] = True

    def __init__(self, inner: FakeSession, mood: Mood) -> None:
        self._inner, self._mood = inner, mood

    def batches(self, ask: Ask) -> list[list[int]]:
        return [list(range(len(ask.requests)))]

    def facts(self) -> Facts:
        return {"answers_as": self._mood.name}

    def answer(self, asks: Sequence[Ask]) -> Iterator[Answered | Failed]:
        mood = self._mood
        for ask in asks:
            if ask.key == mood.refuses:
                yield Failed(ask.key, RuntimeError("not this one"))
        rows = [
            (i, at, ask)
            for at, ask in enumerate(asks)
            for batch in ask.missing
            for i in batch
            if ask.key != mood.refuses and i not in mood.comes_tomorrow
        ]
        for i, _, ask in sorted(rows, key=lambda row: (-row[0], row[1])):
            if len(mood.asked) == mood.dies_after:
                raise KeyboardInterrupt
            outputs = self._inner.answer_batch([ask.requests[i]], [ask.prompt_ids[i]], ask.decoding)
            mood.asked.append((ask.key, i))
            yield Answered(ask.key, replace(outputs, request=np.array([i])), 0.25)


@pytest.fixture
def mood(monkeypatch: pytest.MonkeyPatch) -> Mood:
    """Turns fakes into servers."""
    mood = Mood()

    @contextmanager
    def opened(self: FakeModel, paths: Paths, previous: Facts | None = None) -> Iterator[Server]:
        mood.previous.append(previous)
        if previous is not None and previous["answers_as"] != mood.name:
            raise DistillbenchError(f"{self.name} calls itself {mood.name} now")
        yield Server(FakeSession(self), mood)

    monkeypatch.setattr(FakeModel, "open", opened)
    return mood


def of_student(folder: Path) -> tuple[Plan, Store]:
    """The student's two collections."""
    plan, store = planned(folder)
    cells = tuple(c for c in plan.collections if c.model == "student")
    assert len(cells) == 2
    return replace(plan, collections=cells), store


def contents(plan: Plan, store: Store) -> list[tuple[bytes, bytes]]:
    """The published bytes of every collection."""
    return [store.promised(c.key) for c in plan.collections]


@pytest.fixture(scope="module")
def by_pieces(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, bytes]]:
    """What the student answers as a model on this machine."""
    plan, store = of_student(tmp_path_factory.mktemp("pieces"))
    collect_these(plan, store)
    return contents(plan, store)


def test_answers_of_several_collections_come_in_any_order(
    tmp_path: Path, mood: Mood, by_pieces: list[tuple[bytes, bytes]]
) -> None:
    plan, store = of_student(tmp_path)
    collect_these(plan, store)
    assert contents(plan, store) == by_pieces
    assert [key for key, _ in mood.asked[:4]] == [c.key for c in plan.collections] * 2
    facts = store.provenance(plan.collections[0].key)
    assert facts["answers_as"] == "one"
    assert (facts["wall_s"], facts["latency_p95_s"]) == (
        10.0,
        0.25,
    )  # 40 answers, one after another
    assert not list((store.root / "work").iterdir())


@pytest.mark.parametrize("kills", [[1], [13, 14, 79]])
def test_only_what_was_not_journaled_is_asked_again(
    tmp_path: Path, mood: Mood, by_pieces: list[tuple[bytes, bytes]], kills: list[int]
) -> None:
    plan, store = of_student(tmp_path)
    for mood.dies_after in kills:
        with pytest.raises(KeyboardInterrupt):
            collect_these(plan, store)
    mood.dies_after = None
    collect_these(plan, store)
    assert len(mood.asked) == len(set(mood.asked)) == 80
    assert contents(plan, store) == by_pieces
    assert mood.previous == [None, *[{"answers_as": "one"}] * len(kills)]


def test_answers_that_come_tomorrow_leave_a_collection_pending(
    tmp_path: Path,
    mood: Mood,
    by_pieces: list[tuple[bytes, bytes]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    plan, store = of_student(tmp_path)
    mood.comes_tomorrow = frozenset({3, 39})
    collect_these(plan, store)
    assert [store.has(c.key) for c in plan.collections] == [False, False]
    said = "pending: 2 of 40 answers have not come yet; the same command goes on with them"
    assert {store.failure(c.key) for c in plan.collections} == {said}
    assert f"student x open is {said}" in capfd.readouterr().err
    mood.comes_tomorrow = frozenset()
    collect_these(plan, store)
    assert len(mood.asked) == len(set(mood.asked)) == 80
    assert contents(plan, store) == by_pieces
    assert [store.failure(c.key) for c in plan.collections] == [None, None]


def test_another_model_behind_the_name_is_refused(tmp_path: Path, mood: Mood) -> None:
    plan, store = of_student(tmp_path)
    mood.dies_after = 30
    with pytest.raises(KeyboardInterrupt):
        collect_these(plan, store)
    mood.dies_after, mood.name = None, "two"
    collect_these(plan, store)
    assert {store.failure(c.key) for c in plan.collections} == {"student calls itself two now"}
    assert len(mood.asked) == 30


def test_one_collection_that_fails_does_not_cost_the_others(tmp_path: Path, mood: Mood) -> None:
    plan, store = of_student(tmp_path)
    mood.refuses = plan.collections[0].key
    collect_these(plan, store)
    assert [store.failure(c.key) for c in plan.collections] == ["not this one", None]
    assert store.has(plan.collections[1].key)


def test_a_full_disk_stops_the_run(
    tmp_path: Path, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = of_student(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "add", full)
    with pytest.raises(OSError, match="No space left"):
        collect_these(plan, store)
    assert len(mood.asked) == 1
