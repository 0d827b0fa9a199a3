"""Figures are drawn once before the page is made of them: one that raises is left out, and costs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, final

from harness.board.board import Board
from harness.console.progress import News, say
from harness.executors import Desk, Job, Product
from harness.executors._boundary import carry_out
from harness.page.render import every_picture
from harness.plugins import kinds
from harness.store.store import Store


@final
@dataclass(frozen=True)
class _Drawn:
    """A figure that can be drawn."""

    key: str

    def keep(self, store: Store) -> None:
        """Forgets that it could not be drawn in an earlier run."""
        store.forget_failure(self.key)


@final
@dataclass(frozen=True)
class FigureJob(Job):
    """Draws every picture of one kind of figure, to see whether that can be done."""

    doing: ClassVar[str] = "drawing"
    figure: str = ""
    board: Board | None = field(default=None, repr=False)

    def make(self, desk: Desk) -> Iterator[Product]:
        """That it can be drawn."""
        assert self.board is not None
        pictures = every_picture(self.figure, self.board)
        json.dumps([p.plotly for p in pictures], allow_nan=False)  # as the page has them
        yield _Drawn(*self.keys)


def undrawable(board: Board, store: Store) -> dict[str, str]:
    """Kind of figure -> why it cannot be drawn; said in a line each, with the traceback in `failures/`."""
    desk, reasons = Desk(store, None, _silent), {}
    for kind in kinds("figures"):
        key = _key(kind)
        ended = carry_out(
            FigureJob((key,), f"figure {kind}", kind, {}, figure=kind, board=board), desk
        )
        if ended.error:
            reasons[kind] = ended.error
            ours = (
                "a fault of distillbench, please report it"
                if ended.our_fault
                else "correct the plug-in"
            )
            place = store.root / "failures" / f"{key}.txt"
            say(f"missing figure {kind}: {ended.error}; {ours}; its traceback stands in {place}")
    return reasons


def is_undrawable(store: Store) -> bool:
    """Whether a figure could not be drawn the last time."""
    return any(store.failure(_key(kind)) is not None for kind in kinds("figures"))


def _key(kind: str) -> str:
    return f"figure-{kind}"


def _silent(news: News) -> None:
    """Ignores news."""
