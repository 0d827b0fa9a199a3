"""Standard output and error that never end a run: a closed pipe or a full disk loses output, not the work."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import TextIO


class _Lasting(io.TextIOWrapper):
    """A stream that falls silent where it cannot be written any more; `strict` still raises when a disk is full."""

    strict = False

    def write(self, text: str) -> int:
        """Number of characters taken."""
        return self._tried(lambda: io.TextIOWrapper.write(self, text)) or len(text)

    def flush(self) -> None:
        """Writes what is buffered."""
        self._tried(lambda: io.TextIOWrapper.flush(self))

    def _tried(self, action: Callable[[], int | None]) -> int | None:
        try:
            return action()
        except OSError as error:
            silence = os.open(os.devnull, os.O_WRONLY)
            # buffered output goes there too: the interpreter flushes once more
            os.dup2(silence, self.fileno())
            os.close(silence)
            if self.strict and not isinstance(error, BrokenPipeError):
                raise OSError(error.errno, error.strerror, "standard output") from error
            return None


def make_lasting() -> None:
    """Replaces both streams, once. A full disk is an error on stdout, and ignored on stderr."""
    if isinstance(sys.stdout, _Lasting) and isinstance(sys.stderr, _Lasting):
        return
    sys.stdout = _lasting(sys.stdout, strict=True)
    sys.stderr = _lasting(sys.stderr, strict=False)


def _lasting(stream: TextIO | None, *, strict: bool) -> TextIO:
    """The stream, made lasting; one that was closed from the start becomes the null device."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    made = _Lasting(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace",  # a locale without umlauts or dashes must not end a run
        line_buffering=not strict or stream.isatty(),
    )
    made.strict = strict
    return made
