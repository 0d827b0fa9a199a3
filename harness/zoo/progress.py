"""How far the zoo is, and how long it will take: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


@dataclass
class Board:
    """What is shown while models are made."""

    work: Mapping[str, float]  # what each thing costs, in any one unit
    bars: Progress | None  # None = plain lines
    started_s: float = field(default_factory=time.monotonic)
    done: dict[str, float] = field(default_factory=dict)  # share of each thing
    rows: dict[str, TaskID] = field(default_factory=dict)  # bars by name

    def advance(self, name: str, share: float) -> None:
        """Shows that a share of one thing is done."""
        if name in self.done and self.done[name] >= share:
            return
        self.done[name] = share
        if self.bars is not None:
            if name not in self.rows:
                self.rows[name] = self.bars.add_task(name, total=1.0, left="")
            self.bars.update(self.rows[name], completed=share)
            self.bars.update(self.rows["zoo"], completed=self.share(), left=self.left())

    def finish(self, name: str) -> None:
        """Shows that one thing is finished."""
        self.advance(name, 1.0)
        if self.bars is not None and name in self.rows:
            self.bars.update(self.rows[name], visible=False)
        if self.bars is None:
            finished = sum(share == 1.0 for share in self.done.values())
            passed = time.monotonic() - self.started_s
            print(
                f"zoo: {name} is ready ({finished} of {len(self.work)}, {passed:.0f} s, {self.left()})", file=sys.stderr
            )

    def share(self) -> float:
        """Share of all work that is done."""
        return sum(self.work[name] * share for name, share in self.done.items()) / sum(self.work.values())

    def left(self) -> str:
        """The time left, in words."""
        share = self.share()
        if share < 0.02:
            return "time left unknown"
        return f"about {(time.monotonic() - self.started_s) * (1 - share) / share:.0f} s left"


@contextmanager
def board(work: Mapping[str, float]) -> Iterator[Board]:
    """A display of the progress on standard error; `work` says what each thing costs."""
    if not sys.stderr.isatty():
        print(f"zoo: making {len(work)} things: {', '.join(work)}", file=sys.stderr)
        yield Board(work, None)
        return
    columns = (TextColumn("{task.description:36}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=Console(stderr=True)) as bars:
        shown = Board(work, bars)
        shown.rows["zoo"] = bars.add_task("training the zoo", total=1.0, left="")
        yield shown
