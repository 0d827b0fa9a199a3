"""Other people's code: what it prints and logs is muffled while it answers, what we say is not; what it may raise."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from harness.console.invisible import spelled_out
from harness.console.secrets import redacted
from harness.types import DistillbenchError, Unavailable

Say = Callable[[str], None]
# What code of a model, of a library or of a server may raise without a fault of ours: what it was made for is then
# missing, with that reason.
FAILURES = (DistillbenchError, Unavailable, OSError, RuntimeError, ValueError, MemoryError)
NO_SPACE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,  # beyond the largest file that this process may write
)  # of an OSError that ends the run: what is finished is stored


VERBOSE = "DISTILLBENCH_VERBOSE"  # in the environment, which workers share


class _Voice(threading.local):
    """Whether this thread speaks for distillbench at the moment."""

    own = False


_voice = _Voice()
_listeners: list[Say] = []


def notify(line: str) -> None:
    """One line of ours about what foreign code is doing, redacted, to whoever listens; else to stderr."""
    with own_voice():
        line = spelled_out(redacted(line))
        if _listeners:
            _listeners[-1](line)
        else:
            print(line, file=sys.stderr)


@contextlib.contextmanager
def listening(say: Say) -> Iterator[None]:
    """Inside, `say` gets the lines of `notify`."""
    _listeners.append(say)
    try:
        yield
    finally:
        _listeners.pop()


@contextlib.contextmanager
def own_voice() -> Iterator[None]:
    """Inside, what this thread prints gets through a muffle."""
    before, _voice.own = _voice.own, True
    try:
        yield
    finally:
        _voice.own = before


@contextlib.contextmanager
def muffled(hear: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Inside, prints of this thread and all logs are dropped; `hear` gets every log record.

    Where the environment has DISTILLBENCH_VERBOSE, what is printed gets through, redacted.
    """
    out, err = _Muffle(sys.stdout), _Muffle(sys.stderr)
    loggers = [
        logging.root,
        *(x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger)),
    ]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    ear = _Ear(hear)
    try:
        for logger in loggers:
            logger.handlers, logger.propagate = ([ear] if logger is logging.root else []), True
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
        out.over = err.over = True


class _Ear(logging.Handler):
    """Hands records on."""

    def __init__(self, hear: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        """Hands one record on."""
        self._hear(record)


class _Muffle:
    """A stream that lets through, redacted, what we say and what other threads of ours draw (a bar)."""

    def __init__(self, stream: TextIO) -> None:
        # what still holds this stream afterwards (a progress bar that is collected) is silent
        self.over = False
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        """Length of `text`, whether or not it got through."""
        if self._passes():
            self._stream.write(redacted(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Writes line by line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _passes(self) -> bool:
        if self.over:
            return False
        if VERBOSE in os.environ:
            return True
        drawn = type(threading.current_thread()).__module__.partition(".")[0] != "tqdm"
        return _voice.own or (threading.get_ident() != self._thread and drawn)
