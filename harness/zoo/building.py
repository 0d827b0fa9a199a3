"""What there is to make of a zoo, what each of these things needs, and the making of one.

Everything is made in a folder of its own and renamed when it is complete, so a kill loses at most what was being made.
One process makes a thing at a time (a lock that the kernel drops with its owner); others wait and find it done.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from harness.console.forecast import Amounts, Sort
from harness.console.progress import News
from harness.store.locks import Pulse, holder_of, last_sign_of, lock_file
from harness.store.waiting import WAIT_S, Pace, Wait
from harness.types import DistillbenchError, Unavailable
from harness.zoo.answering import answer
from harness.zoo.recipe import Scale, checkpoint_name, checkpoints, digest, needs, work, zoo
from harness.zoo.texts import write_answers
from harness.zoo.tokenizer import train_tokenizer
from harness.zoo.train import train

Tell = Callable[[News], None]


@dataclass(frozen=True)
class Place:
    """Which zoo, and where it stands: every recipe has a folder of its own."""

    root: Path  # the folder that holds all zoos
    scale: Scale = "full"
    seed: int = 0

    @cached_property
    def folder(self) -> Path:
        """The folder of this recipe."""
        return self.root / digest(self.scale, self.seed)[:16]

    def holds(self, name: str) -> bool:
        """Whether something is there, finished, with all its checkpoints."""
        return all(
            (self.folder / checkpoint_name(name, s)).is_dir()
            for s in (None, *checkpoints(name, self.scale))
        )


@dataclass(frozen=True)
class Thing:
    """A tokenizer, a model, or what a model answered: made from other things."""

    place: Place
    name: str

    @property
    def key(self) -> str:
        """Its name among all things of all zoos."""
        return f"{self.place.folder.name}/{self.name}"

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"zoo: {self.name}"

    @property
    def needs(self) -> tuple[Thing, ...]:
        """Things that it is made from."""
        return tuple(Thing(self.place, name) for name in needs(self.name, self.place.scale))

    @property
    def amounts(self) -> Amounts:
        """How much work it is."""
        return self._amounts(1.0)

    def is_there(self) -> bool:
        """Whether it is finished."""
        return self.place.holds(self.name)

    def make(self, tell: Tell, pace: Pace = Pace()) -> None:  # noqa: B008 - it is frozen
        """Makes it, unless another process has done so meanwhile; tells the work of every step and its time.

        Raises DistillbenchError where another process has begun and shows no sign of life.
        """
        self.place.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self, tell, pace):
            if not self.is_there():
                self._drop_drafts()
                tell(self._news(""))
                with _one_thread():
                    self._perform(_Teller(self, tell))
        tell(News(self.title, line=f"{self.title} is ready"))

    def _perform(self, progress: Callable[[float], None]) -> None:
        folder, made, seed = self.place.folder, zoo(self.place.scale), self.place.seed
        if self.name == "tokenizer":
            with _published(folder / self.name) as draft:
                train_tokenizer(draft, seed)
        elif self.name in made.answers:
            documents = answer(made.answers[self.name], self.name, seed, folder, progress=progress)
            if not documents:
                raise DistillbenchError(
                    f"zoo: {self.name}: no answer ended in time, so nobody can learn from them; another seed may do"
                )
            with _published(folder / self.name) as draft:
                write_answers(draft, documents)
        else:
            keep = partial(_save_model, folder, self.name)
            train(made.models[self.name], self.name, seed, folder, keep=keep, progress=progress)

    def _drop_drafts(self) -> None:
        """Removes what a killed process left half made."""
        for draft in self.place.folder.glob(f".{self.name}[.@]*"):
            shutil.rmtree(draft)

    def _news(self, doing: str) -> News:
        return News(self.title, doing=doing)

    def _amounts(self, share: float) -> Amounts:
        """A share of its work; answering, training and counting words take their own time."""
        made = zoo(self.place.scale)
        kind = (
            "train" if self.name in made.models
            else "answer" if self.name in made.answers
            else self.name
        )  # fmt: skip
        return {Sort(kind): share * work(self.name, self.place.scale)}


def things(names: Iterable[str], place: Place) -> list[Thing]:
    """Everything still to be made for these, what keeps others waiting longest first."""
    wanted: set[str] = set()
    looked_at = list(names)
    while looked_at:
        name = looked_at.pop()
        if name not in wanted and not place.holds(name):
            wanted.add(name)
            looked_at += needs(name, place.scale)

    def chain(name: str) -> float:
        followers = [chain(n) for n in wanted if name in needs(n, place.scale)]
        return work(name, place.scale) + max(followers, default=0.0)

    return [Thing(place, n) for n in sorted(wanted, key=lambda name: (-chain(name), name))]


_WAITING = "waiting for another process that makes it"
_PULSE = Pulse()


@contextmanager
def _alone(thing: Thing, tell: Tell, pace: Pace) -> Iterator[None]:
    """Holds the lock of a thing; waits as long as another process has it and lives."""
    path = thing.place.folder / f"{thing.name}.lock"
    wait = Wait(thing.title, pace.clock(), "makes", f"delete {path}")
    with path.open("a", encoding="utf-8") as lock:
        while not lock_file(path, lock):
            said = wait.look(holder_of(path), last_sign_of(path), pace.clock())
            if isinstance(said, Unavailable):
                raise DistillbenchError(f"{thing.title}: {said}")
            tell(News(thing.title, doing=_WAITING, alarm=said))
            pace.sleep(WAIT_S)
        with _PULSE.beating(path):
            yield


@contextmanager
def _one_thread() -> Iterator[None]:
    """Two processes with one thread each are faster than one with two, and give the same numbers everywhere."""
    import torch
    from transformers.utils import logging

    before = torch.get_num_threads()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Teller:
    """Tells of every step how much of the work it was and how long it took."""

    def __init__(
        self, thing: Thing, tell: Tell, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._thing, self._tell, self._clock = thing, tell, clock
        self._share = 0.0
        # None = not yet: what passes until the first step is not the work's pace
        self._told_s: float | None = None

    def __call__(self, share: float) -> None:
        now_s = self._clock()
        seconds = None if self._told_s is None else now_s - self._told_s
        piece = self._thing._amounts(share - self._share)
        self._tell(News(self._thing.title, doing="", ended=piece, seconds=seconds))
        self._share, self._told_s = share, now_s


def _save_model(folder: Path, name: str, model: Any, step: int | None) -> None:
    with _published(folder / checkpoint_name(name, step)) as draft:
        model.save_pretrained(draft)
        for file in (folder / "tokenizer").iterdir():
            shutil.copy(file, draft)


@contextmanager
def _published(target: Path) -> Iterator[Path]:
    """A draft folder that becomes the target when all went well, unless the target is there by then."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.mkdir()
    yield draft
    if target.is_dir():
        shutil.rmtree(draft)
    else:
        draft.rename(target)
