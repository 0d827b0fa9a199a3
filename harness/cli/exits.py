"""From an exception to an exit code, with one line on stderr; never 1, which means "a gate failed"."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml
from omegaconf.errors import OmegaConfBaseException

from harness.console.foreign import NO_SPACE
from harness.console.invisible import spelled_out
from harness.console.progress import say
from harness.plugins import outside_place
from harness.stages.run import OUR_FAULT, WRONG_INPUT
from harness.types import DistillbenchError

_said: set[str] = set()  # the jobs of a sweep have the same faults: each is said once
_LONGEST = 1400  # characters of a line
_HINDERED = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
    errno.ESTALE,
)


class Ending(NamedTuple):
    """How something ended."""

    code: int
    words: str = ""  # the error that ended it


def coded(action: Callable[[], int]) -> int:
    """The code that `action` returns, or the one that stands for what it raises."""
    return ended(action).code


def ended(action: Callable[[], int]) -> Ending:
    """How `action` ended: with the code that it returns, or the one that stands for what it raises.

    2 with one line a fault where input, folders or disk are wrong; 70 with a traceback for anything unforeseen.
    """
    try:
        return Ending(action())
    except DistillbenchError as error:
        return wrong(str(error))
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        return wrong(one_line(error))
    except OSError as error:
        if error.filename is None and error.errno not in (*NO_SPACE, *_HINDERED):
            return _unforeseen(error)
        return wrong(_world(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the outermost frame: an uncaught bug would exit 1, "gate failed"
        return _unforeseen(error)


def wrong(text: str) -> Ending:
    """Prints every line of an error that was not printed before; the ending is 2."""
    for line in map(_shortened, dict.fromkeys(spelled_out(text).splitlines())):
        if line not in _said:
            say(f"error: {line}")
        _said.add(line)
    return Ending(WRONG_INPUT, text)


def _shortened(line: str) -> str:
    """A line that can be read: of a longer one its beginning, and its end, where the cure stands."""
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 400]} … {line[-390:]}"


def one_line(error: BaseException) -> str:
    """The error of another library in one line."""
    text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return text or type(error).__name__


def _world(error: OSError) -> str:
    """The fault of a disk or a folder, and the cure."""
    blocked = _file_in_the_way(error)
    if blocked:
        return f"{blocked}: expected a folder, found a file; move it away or name another folder, then run again"
    place = f"{error.filename or 'disk'}: {error.strerror}"
    if error.errno in NO_SPACE:
        return f"{place}; make room or name another paths.results, then run again"
    return f"{place}; check this path, or name another one (paths.results, paths.cache, hydra.run.dir), then run again"


def _file_in_the_way(error: OSError) -> Path | None:
    """The file that lies where a folder belongs."""
    if error.errno not in (errno.EEXIST, errno.ENOTDIR) or not isinstance(error.filename, str):
        return None
    path = Path(error.filename).absolute()
    return next((p for p in (path, *path.parents) if p.exists() and not p.is_dir()), None)


def _unforeseen(error: BaseException) -> Ending:
    say(traceback.format_exc().rstrip())
    place = outside_place(error)
    if place:
        return wrong(f"{place}: {type(error).__name__}: {one_line(error)}; correct the plug-in")
    say(
        "error: this is a fault of distillbench, not of the input; please report it with the lines above"
    )
    return Ending(OUR_FAULT, f"{type(error).__name__}: {one_line(error)}: a fault of distillbench")
