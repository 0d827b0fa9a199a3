"""Makes what is missing of the zoo: teachers, then their answers, then the students, two at a time.

Everything is made in a folder of its own and renamed when it is complete, so a kill loses at most what was being
made. One process builds at a time (a lock that the kernel drops with its owner); others wait and find it done.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

from harness.console.forecast import Forecast, Sort
from harness.console.processes import CHECKPOINTS, worker_context
from harness.console.progress import News, Stage, hush, say, stage
from harness.zoo.answering import answer
from harness.zoo.recipe import Scale, checkpoint_name, checkpoints, digest, needs, work, zoo
from harness.zoo.texts import write_answers
from harness.zoo.tokenizer import train_tokenizer
from harness.zoo.train import train

_LOOK_S = 0.2  # how often the display looks for news


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


def build(names: Iterable[str], place: Place, *, workers: int = 2) -> None:
    """Trains those models that are missing, and whatever they need first."""
    wanted = sorted(set(names))
    if all(place.holds(name) for name in wanted):
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    with _alone(place.folder / "lock"):
        missing = _missing(wanted, place)
        if missing:
            _make(missing, place, workers)


def _missing(names: Sequence[str], place: Place) -> list[str]:
    """Everything still to be made, what keeps others waiting longest first."""
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

    return sorted(wanted, key=lambda name: (-chain(name), name))


def _make(missing: Sequence[str], place: Place, workers: int) -> None:
    for draft in place.folder.glob(".*"):
        shutil.rmtree(draft)
    context = worker_context(*CHECKPOINTS)
    news: SimpleQueue[News] = context.SimpleQueue()
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(news,)
    )
    waiting, running = list(missing), dict[Future[None], str]()
    say(f"zoo: making {len(missing)} things: {', '.join(missing)}")
    forecast = Forecast(((name, _amount(name, place.scale)) for name in missing), workers)
    with pool, stage("zoo", forecast, "things ready") as shown:
        while waiting or running:
            for name in _ready(waiting, place)[: workers - len(running)]:
                waiting.remove(name)
                running[pool.submit(_perform, name, place)] = name
                shown.hear(News(name, doing=""))
            for future in wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED).done:
                future.result()
                name = running.pop(future)
                _show(news, shown)  # what it told before it was ready
                shown.hear(News(name, over=True, line=f"zoo: {name} is ready"))
            _show(news, shown)


def _ready(waiting: Sequence[str], place: Place) -> list[str]:
    return [name for name in waiting if all(place.holds(need) for need in needs(name, place.scale))]


def _amount(name: str, scale: Scale, share: float = 1.0) -> dict[Sort, float]:
    """A share of the work that something is; answering, training and counting words take their own time."""
    kind = (
        "train" if name in zoo(scale).models else "answer" if name in zoo(scale).answers else name
    )
    return {Sort(kind): share * work(name, scale)}


def _show(news: SimpleQueue[News], shown: Stage) -> None:
    while not news.empty():
        shown.hear(news.get())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds a lock; waits for it as long as another process builds."""
    with path.open("w") as lock:
        with stage("waiting for another process that makes the zoo"):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- in a worker ----------------------------------------------------------------------------------

_news: SimpleQueue[News] | None = None  # to the parent


def _start_worker(news: SimpleQueue[News]) -> None:
    import torch
    from transformers.utils import logging

    global _news
    _news = news
    # Two processes with one thread each are faster than one with two, and do not collapse beside
    # another job.
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    hush()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _perform(name: str, place: Place) -> None:
    """Makes one thing and publishes it."""
    folder, made = place.folder, zoo(place.scale)
    progress = _Teller(name, place.scale)
    if name == "tokenizer":
        with _published(folder / name) as draft:
            train_tokenizer(draft, place.seed)
    elif name in made.answers:
        documents = answer(made.answers[name], name, place.seed, folder, progress=progress)
        with _published(folder / name) as draft:
            write_answers(draft, documents)
    else:
        keep = partial(_save_model, folder, name)
        train(made.models[name], name, place.seed, folder, keep=keep, progress=progress)


class _Teller:
    """Tells the parent of every step how much of the work it was and how long it took."""

    def __init__(
        self, name: str, scale: Scale, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._scale, self._clock = name, scale, clock
        self._share = 0.0
        # None = not yet: what passes until the first step is not the work's pace
        self._told_s: float | None = None

    def __call__(self, share: float) -> None:
        now_s = self._clock()
        seconds = None if self._told_s is None else now_s - self._told_s
        if _news is not None:
            piece = _amount(self._name, self._scale, share - self._share)
            _news.put(News(self._name, doing="", ended=piece, seconds=seconds))
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
