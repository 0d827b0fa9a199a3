"""A finished run said again: what it printed and left for programs, without making anything.

`finished.json` beside the report says how a run ended and what that depended on. Where the same command line is given
again in the same place, its files and folders tell that nothing changed, and nothing has to be composed or planned.
What is imported here is what such a command takes, so it is little.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.board.jsons import note_spent
from harness.board.plain import from_plain, to_plain
from harness.console.progress import accounting, say, spent
from harness.console.secrets import holds_key, redacted
from harness.keys import digest
from harness.stages.checks import Checked, Remark, publish
from harness.store.damage import sealed, unsealed
from harness.store.drafts import write_whole
from harness.store.looks import Looks, watch
from harness.store.stamps import stamp

FILE = "finished.json"
_RESULTS = ("store", "packs", "failures", "report")
_NAMED = re.compile(r"\+{0,2}paths\.results=([\w./-]+)")
_OVERRIDE = re.compile(r"~(?!hydra\b)\w|\+{0,2}(?!hydra\b)\w[\w.@/]*=|(--config-dir|-cd)=")
# of the environment: which shell or window asks
_WHO_ASKS = re.compile(r"_|SHLVL|PWD|OLDPWD|COLUMNS|LINES|TERM\w*|SSH_\w+|WINDOWID|PYTEST_\w+")
_OURS = Path(__file__).parents[1]
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # another one: perhaps another processor


@dataclass(frozen=True)
class Finished:
    """How a run ended that has nothing missing."""

    code: int
    said: tuple[str, ...]  # lines, in their order
    remarks: tuple[Remark, ...]
    conditions: Mapping[str, bool]
    objective: float | None


def watch_line(words: Sequence[str]) -> None:
    """From now on what this process looks at is noted, where its command line may be given again."""
    if _is_plain(words):
        watch(_asked((*words,)))


def said_again(words: Sequence[str]) -> int | None:
    """Says again what a command line came to, and its exit code; None where it has to be run."""
    if not _is_plain(words):
        return None
    named = [match[1] for word in words if (match := _NAMED.fullmatch(word))]
    root = Path(named[-1] if named else "results")
    known = unsealed(root / FILE) or {}
    seen = known.get("looks") or {}
    if seen.get("asked") != _asked((*words,)):
        return None
    looks = from_plain(Looks, seen)
    if not looks.hold() or known["results"] != results_stamp(root):
        return None
    ended = from_plain(Finished, known["ended"])
    with accounting():
        say_again(ended, root)
    keep(root, known["inputs"], ended, looks)
    return ended.code


def say_again(ended: Finished, root: Path) -> None:
    """Says what a run said, and writes what it leaves for programs; `root` = its results folder."""
    for text in ended.said:
        say(text)
    note_spent(root / "report", spent(), reused=True)
    publish([Checked("", ended.conditions, ended.remarks)], root / "report")


def keep(root: Path, inputs: str, ended: Finished, looks: Looks | None) -> None:
    """Notes how a run ended; `inputs` = digest of what it was made from, `looks` = what its command looked at."""
    how, seen = redacted(to_plain(ended)), looks and to_plain(looks)
    known = {"inputs": inputs, "results": results_stamp(root), "ended": how, "looks": seen}
    write_whole(root / FILE, sealed(known))


def results_stamp(root: Path) -> str:
    """Stamp of everything that was stored, and of the report."""
    return stamp(root / name for name in _RESULTS)


def _is_plain(words: Sequence[str]) -> bool:
    """Whether the words are those of one run that leaves nothing but its results: overrides, none of Hydra's own."""
    left = iter(words)
    for word in left:
        if word in ("--config-dir", "-cd"):
            next(left, "")
        elif not _OVERRIDE.match(word):
            return False
    return True


@cache
def _asked(words: tuple[str, ...]) -> str:
    """Digest of what a command is told; taken once, for it changes its own environment."""
    machine = (platform.node(), os.cpu_count(), _BOOT.read_text("utf-8") if _BOOT.is_file() else "")
    code = (sys.version, sys.executable, sorted(_installed()), stamp([_OURS]))
    return digest(words, os.getcwd(), sorted(_environment()), machine, code)


def _environment() -> Iterator[tuple[str, str]]:
    """What programs are told besides; of secrets the names alone."""
    for name, value in os.environ.items():
        if not _WHO_ASKS.fullmatch(name):
            yield name, "" if holds_key(name) else value


def _installed() -> Iterator[str]:
    """Names and versions of installed packages, as their folders spell them."""
    for folder in sys.path:
        if os.path.isdir(folder or "."):
            yield from (
                n for n in os.listdir(folder or ".") if n.endswith((".dist-info", ".egg-info"))
            )
