"""Checkpoints of one training: a pattern such as runs/checkpoint-* is one job for each, and a folder can be watched."""

from __future__ import annotations

import glob
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import MISSING

from harness.cli.config import whole_models
from harness.cli.words import MULTIRUN, Line
from harness.console.progress import say
from harness.plan.run import Watch
from harness.plugins import build, kinds, plugin_class
from harness.schema import build_dataclass
from harness.types import DistillbenchError, Paths

Configs = Sequence[tuple[Mapping[str, Any], Sequence[Path]]]


@dataclass(frozen=True)
class Series:
    """The checkpoints that a pattern in one model's fields stands for."""

    model: str
    field: str  # of the model: path, or adapter
    pattern: str
    fields: Mapping[str, Any]  # of the model, as far as they are known before it is built

    @property
    def key(self) -> str:
        """The key of the configuration that has the pattern."""
        return f"models.{self.model}.{self.field}"

    def folders(self) -> list[str]:
        """The folders that match, with the numbers in their names by size."""
        found = glob.glob(os.path.expanduser(self.pattern), recursive=True)
        return sorted(filter(os.path.isdir, found), key=_numbered)

    def fault(self, folder: str) -> str:
        """Why a folder is not a whole checkpoint (yet); "" where it is one."""
        try:
            model = build("models", self.model, {**self.fields, self.field: folder})
        except DistillbenchError:
            return ""  # the run says what is wrong with the model
        faults: list[str] = model.faults(Paths(Path(), Path()))
        return faults[0] if faults else ""

    def whole(self) -> list[str]:
        """The checkpoints that can be asked; says which others there are.

        Raises DistillbenchError where there is none.
        """
        faults = {folder: self.fault(folder) for folder in self.folders()}
        for fault in filter(None, faults.values()):
            say(f"{self.key}: left out: {fault}")
        whole = [folder for folder, fault in faults.items() if not fault]
        if not whole:
            raise DistillbenchError(
                f"{self.key}: {self.pattern}: expected folders of checkpoints, found "
                f"{'none that is whole' if faults else 'none'}; correct the pattern, or wait for them with watch=true"
            )
        return whole

    def line(self, line: Line, folders: Sequence[str]) -> Line:
        """The command line with these checkpoints as a sweep."""
        values = ",".join(
            str(QuotedString(f, Quote.double).with_quotes()) for f in map(str, folders)
        )
        others = [w for w in line.overrides if w.partition("=")[0].lstrip("+") != self.key]
        flags = line.flags if MULTIRUN & set(line.flags) else [*line.flags, "-m"]
        return Line(flags, [*others, f"++{self.key}={values}"])


def series_in(configs: Configs) -> Series | None:
    """The pattern in the models of a command line's configurations; None where there is none.

    Raises DistillbenchError where there are several: their checkpoints belong to one another in no known way.
    """
    found: dict[tuple[str, str], Series] = {}
    for config, folders in configs:
        for model, fields in whole_models(config, folders).items():
            kind = fields.get("kind")
            series = plugin_class("models", kind).series if kind in kinds("models") else ()
            for field in series:
                if _is_pattern(fields.get(field)):
                    found[field, fields[field]] = Series(model, field, fields[field], fields)
    if len({(s.key, s.pattern) for s in found.values()}) > 1:
        named = ", ".join(f"{s.key}={s.pattern}" for s in found.values())
        raise DistillbenchError(
            f"{named}: expected one pattern of checkpoints, got {len(found)}; write one that all of them match"
        )
    return next(iter(found.values()), None)


def watch_in(configs: Configs) -> Watch | None:
    """How the pattern of a command line is watched; None where it is not.

    Raises DistillbenchError where the key is at fault.
    """
    asked = next((c["watch"] for c, _ in configs if "watch" in c), None)
    if asked is None or asked is False:
        return None
    if asked is not True and not isinstance(asked, Mapping):
        raise DistillbenchError(
            f"watch: expected true, false or some of every, patience, until; got {asked!r}"
        )
    return build_dataclass(Watch, {} if asked is True else asked, "watch")  # type: ignore[no-any-return]


def watched(
    series: Series | None,
    settings: Watch,
    sleep: Callable[[float], None] = time.sleep,
    now_s: Callable[[], float] = time.monotonic,
) -> Iterator[list[str]]:
    """The new checkpoints, as they appear, until the watch ends. A caller works on them before it asks for more.

    A folder is taken once two looks in a row found it unchanged and the model finds nothing missing in it: every file
    of weights is as long as its own header says, and none that the index names is absent.
    """
    if series is None:
        raise DistillbenchError(
            "watch: expected a model whose path is a pattern, such as models.student.path=runs/checkpoint-*; got none"
        )
    say(f"watching {series.pattern}; Ctrl-C ends it")
    eye, last_s = _Eye(series), now_s()
    try:
        while True:
            if new := eye.look():
                yield new
                last_s = now_s()
                steps = [step for step in map(step_of, new) if step is not None]
                if settings.until is not None and max(steps, default=-1) >= settings.until:
                    return
                continue
            patience = math.inf if settings.patience is None else settings.patience
            if not eye.changing and now_s() - last_s >= patience:
                return
            sleep(settings.every)
    except KeyboardInterrupt:
        say("the watch ends")


def step_of(folder: str) -> int | None:
    """The last number in a checkpoint's name; None where it has none."""
    numbers = re.findall(r"\d+", Path(folder).name)
    return int(numbers[-1]) if numbers else None


class _Eye:
    """What was seen of a series of checkpoints."""

    def __init__(self, series: Series) -> None:
        self._series = series
        self._taken: set[str] = set()
        self._stamps: dict[str, object] = {}  # folder -> what its files looked like
        self._said: set[str] = set()
        self.changing = False  # whether the last look found a folder other than the look before

    def look(self) -> list[str]:
        """The whole checkpoints that were not taken before; they are from now on."""
        new, self.changing = [], False
        for folder in self._series.folders():
            if folder in self._taken:
                continue
            stamp = _stamp(folder)
            quiet = stamp is not None and self._stamps.get(folder) == stamp
            self._stamps[folder] = stamp
            if not quiet:
                self.changing = True
                continue
            fault = self._series.fault(folder)
            if not fault:
                new.append(folder)
            elif fault not in self._said:
                say(f"{self._series.key}: not taken yet: {fault}")
                self._said.add(fault)
        self._taken.update(new)
        return new


def _is_pattern(value: Any) -> bool:
    """Whether a text is a pattern and not the name of something that is there."""
    if not isinstance(value, str) or "${" in value or value == MISSING:
        return False
    return glob.has_magic(value) and not os.path.lexists(os.path.expanduser(value))


def _numbered(path: str) -> list[tuple[int, str]]:
    """What paths are put in order by: the numbers in them by size, the rest by letters."""
    pieces = re.split(r"(\d+)", path)
    return [(int(p), "") if i % 2 else (0, p) for i, p in enumerate(pieces)]


def _stamp(folder: str) -> object:
    """Names, sizes and times of change of all files in a folder; None where it changes under the look."""
    try:
        files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
        return [(str(p), s.st_size, s.st_mtime_ns) for p in files for s in [p.stat()]]
    except OSError:
        return None
