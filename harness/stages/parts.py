"""Parts of a report that a fault may cost without costing the rest: a kind of figure, an exporter of the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, final

from harness.board.board import Board
from harness.console.progress import News, say
from harness.executors import Desk, Job, Product
from harness.executors._boundary import carry_out
from harness.page.render import every_picture
from harness.plugins import kinds, outside_kinds
from harness.store.damage import Damaged
from harness.store.store import Store


@final
@dataclass(frozen=True)
class _Working:
    """A part that can be made."""

    key: str

    def keep(self, store: Store) -> None:
        """Forgets that it could not be made in an earlier run."""
        store.forget_failure(self.key)


@final
@dataclass(frozen=True)
class PartJob(Job):
    """Makes one part of a report."""

    doing = "making"
    make_part: Callable[[], Any] = field(default=int, repr=False)

    def make(self, desk: Desk) -> Iterator[Product]:
        """That it can be made."""
        self.make_part()
        yield _Working(*self.keys)


@final
@dataclass(frozen=True)
class TellJob(Job):
    """Tells another service of a report; what a library raises meanwhile is its own."""

    doing = "telling"
    foreign = True
    tell: Callable[[], Any] = field(default=int, repr=False)

    def make(self, desk: Desk) -> Iterator[Product]:
        """That it could be told."""
        self.tell()
        yield _Working(*self.keys)


def undrawable(board: Board, store: Store) -> dict[str, str]:
    """Kind of figure -> why it cannot be drawn; each is drawn once before the page is made of them."""
    tried = {k: fault(f"figure {k}", partial(_draw, k, board), store) for k in kinds("figures")}
    return {kind: reason for kind, reason in tried.items() if reason}


def _draw(kind: str, board: Board) -> None:
    """Draws every picture of this kind as the page has them."""
    json.dumps([p.plotly for p in every_picture(kind, board)], allow_nan=False)


def fault(
    title: str, make_part: Callable[[], Any], store: Store, cure: str = "correct the plug-in"
) -> str:
    """Why a part cannot be made, said in a line, with the traceback in `failures/`; "" where it is made."""
    key = _key(title)
    return _ended(PartJob((key,), title, title, {}, make_part=make_part), cure, store)


def telling_fault(title: str, tell: Callable[[], Any], store: Store) -> str:
    """Why a service cannot be told, likewise."""
    job = TellJob((_key(title),), title, title, {}, tell=tell)
    return _ended(job, "the report is complete", store)


def _ended(job: Job, cure: str, store: Store) -> str:
    ended = carry_out(job, Desk(store, None, _silent))
    if ended.damaged:
        raise Damaged(ended.error)
    if ended.error:
        if ended.our_fault:
            cure = "a fault of distillbench, please report it"
        cures = f"; {cure}" if cure else ""
        place = store.root / "failures" / f"{job.keys[0]}.txt"
        say(f"missing {job.title}: {ended.error}{cures}; its traceback stands in {place}")
    return ended.error


def lacks_some(store: Store) -> bool:
    """Whether a part could not be made the last time."""
    titles = [f"figure {kind}" for kind in kinds("figures")]
    titles += [f"export {kind}" for kind in outside_kinds("exports")]
    keys = [*map(_key, titles), *_of_exports(store)]
    return any(store.failure(key) is not None for key in keys)


def forget_exports(store: Store, named: Collection[str]) -> None:
    """Forgets that exporters failed in earlier runs that this one does not name, and all trackers."""
    for key in _of_exports(store):
        if key not in {_key(f"export {name}") for name in named}:
            store.forget_failure(key)


def _of_exports(store: Store) -> list[str]:
    """The keys of failed exporters and trackers."""
    return [
        p.stem
        for kind in ("export", "tracker")
        for p in sorted((store.root / "failures").glob(f"{kind}-*.txt"))
    ]


def _key(title: str) -> str:
    return title.replace(" ", "-")


def _silent(news: News) -> None:
    """Ignores news."""
