"""What a run says while it works: bars with the time left on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from harness.foreign import own_voice
from harness.secrets import redacted


@dataclass(frozen=True)
class Bar:
    """A bar that only its makers move."""

    progress: Progress
    task: TaskID
    plain: bool

    def advance(self, steps: int, what: str = "") -> None:
        """Moves the bar and names what is being worked on."""
        self.progress.update(self.task, advance=steps, what=what)

    def say(self, line: str) -> None:
        """One line above the bar; also where there is no terminal."""
        with own_voice():
            self.progress.console.print(redacted(line), markup=False, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """One line on stderr."""
    with own_voice():
        Console(stderr=True).print(redacted(line), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def bar(title: str, total: int) -> Iterator[Bar]:
    """A bar of `total` steps that disappears when it is full."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", style="dim"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress, progress.add_task(title, total=total, what=""), not console.is_terminal)
