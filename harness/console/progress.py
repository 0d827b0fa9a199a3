"""What a run says while it works: bars with the time left on a terminal, elsewhere a line now and then. On stderr.

Whatever may take long runs in a stage. A thread looks at the open stages twice a second, so that something is said
also while one call keeps the program busy for minutes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.console.forecast import Amounts, Forecast
from harness.console.foreign import own_voice
from harness.console.invisible import in_one_line, spelled_out
from harness.console.processes import may_start_processes
from harness.console.secrets import redacted

if TYPE_CHECKING:  # it takes long to import, and only bars need it
    from rich.progress import TaskID

FIRST_S = 5.0  # how long a stage lasts before it is spoken of
LINE_S = 15.0  # longest silence without a terminal, but for LOOK_S
LOOK_S = 0.5  # how often the thread looks

Clock = Callable[[], float]  # seconds since any moment


@dataclass(frozen=True)
class News:
    """What happened to one part of a stage's work."""

    part: str
    # its new activity; "" = only its share is shown
    doing: str | None = None
    begun: Amounts = field(default_factory=dict)  # the piece that it is at from now on
    ended: Amounts = field(default_factory=dict)  # a piece that is done
    # that this piece took; None = says nothing of how long others will take
    seconds: float | None = None
    over: bool = False  # nothing of the part is left
    line: str = ""  # something is done: said where there is no terminal
    alarm: str = ""  # something went wrong: said everywhere
    # where time went, by name (`load_s`), and what was counted (`forward_tokens`)
    spent: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How much is said, and where it is noted besides."""

    quiet: bool = False  # no bars and no lines of progress
    log: Path | None = None  # gets a line of JSON for everything that is said, and for progress

    def note(self, line: str, kind: str) -> None:
        """Adds a line to the log, if there is one; a disk that is full costs the log and not the run."""
        if self.log is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"time": now, "kind": kind, "pid": os.getpid(), "line": line}
        with suppress(OSError), self.log.open("a", encoding="utf-8", errors="replace") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


class Stage:
    """One stretch of work: what it is at, and how far, where that is known."""

    def __init__(
        self, display: Display, title: str, forecast: Forecast | None, things: str
    ) -> None:
        self.title, self.forecast, self._things = title, forecast, things
        self.at: dict[str, tuple[str, float]] = {}  # part -> what it is at, and since when
        self.opened_s, self.spoke = display.clock(), False
        self._display = display

    def hear(self, news: News) -> None:
        """Takes note of news, and says what must be said."""
        with self._display.lock:
            for name, number in news.spent.items():
                self._display.spent[name] += number
            self._note(news, self._display.clock())
            if news.alarm:
                self._display.say(news.alarm)
            elif news.line:
                self._display.tell(f"{news.line} ({self.standing(self._display.clock())})")

    def line(self, now_s: float) -> str:
        """What the stage is at, how far it is and how long it will take."""
        at_work = [self.doing(part, now_s) or f"{part} {self._percent(part)}" for part in self.at]
        said = ", ".join(part for part in (*at_work, self.standing(now_s)) if part)
        return f"{self.title}: {said}" if self.forecast else f"{self.title} ({said})"

    def doing(self, part: str, now_s: float) -> str:
        """What a part is at, with the time where that is long; empty where it has told nothing but its share."""
        what, since_s = self.at[part]
        passed = now_s - since_s
        return f"{what} ({in_words(passed)} so far)" if what and passed >= LINE_S else what

    def standing(self, now_s: float, part: str | None = None) -> str:
        """Share and time left of a part or of all; the time that passed where nothing else is known."""
        if self.forecast is None:
            return f"{in_words(now_s - self.opened_s)} so far"
        left = self.forecast.left_s(now_s, part)
        about = "perhaps" if self.forecast.guessed(part) else "about"
        time_left = "time left not known yet" if left is None else f"{about} {in_words(left)} left"
        if part is not None:
            return f"{self._percent(part)}, {time_left}"
        finished, whole = self.forecast.finished(), len(self.forecast.parts)
        counted = f"{finished} of {whole} {self._things}, " if self._things else ""
        if finished == whole:
            return f"{counted}all done after {in_words(now_s - self.opened_s)}"
        return f"{counted}{self._percent(None)} of the work, {time_left}"

    def _note(self, news: News, now_s: float) -> None:
        if news.doing is not None:
            self.at[news.part] = (news.doing, now_s)
        elif news.ended or news.over:
            self.at.pop(news.part, None)
        if self.forecast is None:
            return
        if news.ended:
            self.forecast.end(news.part, news.ended, news.seconds)
        if news.begun:
            self.forecast.begin(news.part, news.begun, now_s)
        if news.over:
            self.forecast.finish(news.part)

    def _percent(self, part: str | None) -> str:
        assert self.forecast is not None
        return f"{int(100 * self.forecast.share(part))} %"


class Display:
    """The stages that are open, and the thread that speaks of the innermost one."""

    def __init__(
        self,
        *,
        clock: Clock = time.monotonic,
        write: Callable[[str], None] | None = None,
        ticking: bool = True,
    ) -> None:
        self.clock, self.lock = clock, threading.RLock()
        self.hushed = False  # the parent process speaks
        self.settings = Settings()
        self.spent: defaultdict[str, float] = defaultdict(float)  # by name, of all processes
        self.spent_since_s = clock()
        self._write, self._ticking = write, ticking
        self._stages: list[Stage] = []
        self._spoke_s = clock()
        self._bars: _Bars | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()  # ends the thread

    def say(self, line: str) -> None:
        """One line on stderr, above the bars if there are any; secrets are redacted, control characters spelled out."""
        line = spelled_out(redacted(line))
        with self.lock, own_voice():
            self.settings.note(line, "said")
            self._spoke_s = self.clock()
            if self._write is not None:
                self._write(line)
                return
            if self._bars is not None:
                self._bars.say(line)
            else:
                print(line, file=sys.stderr, flush=True)

    def tell(self, line: str) -> None:
        """One line of progress: said where no bars show it and no quiet is wanted, noted in any case."""
        if self.settings.quiet or self.bars_wanted():
            with self.lock:
                self.settings.note(redacted(line), "progress")
        else:
            self.say(line)

    @contextmanager
    def stage(
        self, title: str, forecast: Forecast | None = None, things: str = ""
    ) -> Iterator[Stage]:
        """A stage that is shown until it ends; `things` = what its parts are called where they are counted."""
        stage = Stage(self, title, forecast, things)
        self._open(stage)
        try:
            yield stage
        finally:
            self._close(stage)

    def tick(self) -> None:
        """Says what the innermost stage is at, if it is time; moves the bars of all stages."""
        with self.lock:
            if not self._stages or self.settings.quiet:
                return
            now_s, stage = self.clock(), self._stages[-1]
            if self.bars_wanted():
                self._bars = self._bars or _Bars()
                self._bars.show(self._stages, now_s)
            elif self._due(stage, now_s):
                stage.spoke = True
                self.say(stage.line(now_s))

    def bars_wanted(self) -> bool:
        """Whether somebody looks at a terminal; bars of several processes would overwrite each other."""
        dumb = os.environ.get("TERM", "").strip().lower() in ("dumb", "unknown")
        looked_at = sys.stderr.isatty() and not dumb
        return self._write is None and looked_at and may_start_processes()

    def _due(self, stage: Stage, now_s: float) -> bool:
        silent_s = now_s - self._spoke_s
        new = not stage.spoke and now_s - stage.opened_s >= FIRST_S
        return silent_s >= (FIRST_S if new else LINE_S)

    def _open(self, stage: Stage) -> None:
        with self.lock:
            self._stages.append(stage)
            if self._ticking and not self.hushed and self._thread is None:
                self._closing = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._closing,), name="progress", daemon=True
                )
                self._thread.start()

    def _close(self, stage: Stage) -> None:
        with self.lock:
            self._stages.remove(stage)
            if self._stages:
                return
            if self._bars is not None:
                self._bars.progress.stop()
                self._bars = None
            thread, self._thread = self._thread, None
            self._closing.set()
        if thread is not None:
            thread.join()

    def _run(self, closing: threading.Event) -> None:
        while not closing.wait(LOOK_S):
            self.tick()


class _Bars:
    """A row for every open stage, and one for every part that it is at."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.console = Console(stderr=True)
        texts = [
            TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[said]")
        ]
        doing = TextColumn("{task.fields[doing]}", style="dim", markup=False)
        self.progress = Progress(
            texts[0],
            BarColumn(24),
            texts[1],
            doing,
            console=self.console,
            transient=True,
            auto_refresh=False,
        )
        self._rows: dict[tuple[int, str], TaskID] = {}
        self.progress.start()

    def say(self, line: str) -> None:
        """One line above the rows."""
        self.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def show(self, stages: list[Stage], now_s: float) -> None:
        """Draws the current rows."""
        wanted = [(id(stage), "") for stage in stages] + [
            (id(stage), part) for stage in stages for part in stage.at
        ]
        for key in [key for key in self._rows if key not in wanted]:
            self.progress.remove_task(self._rows.pop(key))
        for stage in stages:
            self._row((id(stage), ""), stage.title, stage.forecast, "", stage.standing(now_s))
            for part in stage.at:
                said = stage.standing(now_s, part)
                self._row(
                    (id(stage), part), f"  {part}", stage.forecast, stage.doing(part, now_s), said
                )
        self.progress.refresh()

    def _row(
        self, key: tuple[int, str], title: str, forecast: Forecast | None, doing: str, said: str
    ) -> None:
        title, doing = in_one_line(title), in_one_line(doing)
        if key not in self._rows:
            self._rows[key] = self.progress.add_task(
                title, total=1.0 if forecast else None, said=said, doing=doing
            )
        share = forecast.share(key[1] or None) if forecast else 0.0
        self.progress.update(self._rows[key], completed=share, said=said, doing=doing)


def in_words(seconds: float) -> str:
    """A time to two digits or so: "70 s", "3 min", "2 h 10 min"."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


_display = Display()
_listening: list[list[str]] = []


def say(line: str) -> None:
    """One line on stderr."""
    for heard in _listening:
        heard.append(line)
    _display.say(line)


@contextmanager
def overhearing(heard: list[str]) -> Iterator[None]:
    """Inside, every line that this process says is added to `heard`; progress is not."""
    _listening.append(heard)
    try:
        yield
    finally:
        _listening[:] = [other for other in _listening if other is not heard]


@contextmanager
def stage(title: str, forecast: Forecast | None = None, things: str = "") -> Iterator[Stage]:
    """A stage of this process, shown until it ends: with a forecast its share and time left, else what has passed."""
    with _display.stage(title, forecast, things) as opened:
        yield opened


def say_aside(line: str) -> None:
    """One line on stderr about the run itself, which is not said where quiet is wanted."""
    if not _display.settings.quiet:
        _display.say(line)


@contextmanager
def accounting() -> Iterator[None]:
    """Inside, where time goes is counted anew."""
    _display.spent.clear()
    _display.spent_since_s = _display.clock()
    yield


def account(name: str, number: float) -> None:
    """Adds seconds, or a count, to a name."""
    _display.spent[name] += number


def spent() -> dict[str, float]:
    """Where time went since accounting began, by name; `whole_s` by the clock."""
    return {**_display.spent, "whole_s": _display.clock() - _display.spent_since_s}


def settle(settings: Settings) -> None:
    """Sets how much this process says from now on."""
    _display.settings = settings


def hush() -> None:
    """Leaves it to the parent process to say what this one is at."""
    _display.hushed = True
