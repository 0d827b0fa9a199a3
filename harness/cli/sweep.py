"""Sweeps: a list of their jobs, written when they start and by each job, from which one page and one exit code come."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from harness.cli import jobs
from harness.cli.composition import drop_multirun_file
from harness.cli.exits import Ending, ended
from harness.cli.gathering import conclude, results_of
from harness.cli.jobs import Job, asked_values, is_grid, seen_values, unresolved
from harness.cli.words import drop_marked
from harness.console.progress import say
from harness.stages.run import DONE, Outcome, worst
from harness.types import DistillbenchError


@dataclass(frozen=True)
class Begun:
    """A sweep that this process started."""

    folder: Path  # of its list
    results: Path  # paths.results of the command line
    report: bool  # whether it is to make a page
    watched: bool = False  # whether its page shows the sweeps before it in the same folder too


_begun: list[Begun] = []  # at most one: Hydra makes the callback itself and hands nothing back


def begun() -> Begun | None:
    """The sweep that this process started; None where it did not start one."""
    return _begun[0] if _begun else None


def onward() -> list[str]:
    """The words that send the next sweep of this process into the folder of the last one; none before the first."""
    if not _begun:
        return []
    place = _begun.pop().folder.parent.parent
    n = len(jobs.lists_in(place))
    return [
        f"hydra.sweep.dir={_quoted(str(place))}",
        f"hydra.sweep.subdir={_quoted(f'{n}.' + '${hydra.job.num}')}",
    ]


def finish(sweep: Begun, ending: Ending) -> int:
    """The exit code of a sweep, after its page and its lines; `ending` = how Hydra ended."""
    codes = [ending.code]

    def concluded() -> int:
        """The exit code of the sweep, from the list that its jobs have filled in."""
        listed, place = jobs.read(sweep.folder), sweep.folder.parent.parent
        older = [f for f in jobs.lists_in(place) if f != sweep.folder] if sweep.watched else []
        earlier = [job for folder in older for job in jobs.read(folder)]
        reports = [place, *(results_of([*earlier, *listed]) or [sweep.results])]
        return conclude(
            listed,
            [r / "report" for r in reports],
            wanted=sweep.report,
            earlier=earlier,
            tracked=True,
        )

    codes.append(ended(concluded).code)
    return worst(codes)


def list_folder() -> Path | None:
    """Where the list of the sweep lies that a job belongs to; None where the callback that tells it is missing."""
    own = f"{OnePage.__module__}.{OnePage.__name__}"
    for callback in (HydraConfig.get().callbacks or {}).values():
        if callback.get("_target_") == own and callback.get("folder"):
            return Path(callback.folder)
    return None


def settings_of(config: DictConfig) -> tuple[dict[str, str], dict[str, str]]:
    """What the command line asks of a run, key by key, and the values that the program sees."""
    hydra = HydraConfig.get()
    words = unresolved(hydra.overrides.task)
    asked = asked_values(OverridesParser.create().parse_overrides(words))
    return asked, seen_values(config, hydra.runtime.choices, asked)


def leave_job(config: DictConfig, ending: Ending, outcome: Outcome | None) -> int:
    """Writes how one job ended into the list of its sweep, where there is one."""
    folder = list_folder()
    if folder is None:
        return DONE
    hydra = HydraConfig.get()
    asked, seen = settings_of(config)
    job = Job(
        number=int(hydra.job.num),
        overrides=asked,
        values=seen,
        folder=str(hydra.runtime.output_dir),
        code=ending.code,
        reason=ending.words,
    )
    if outcome is not None:
        named = config.paths.plugins
        plugins = [named] if isinstance(named, str) else named
        job = replace(
            job,
            results=_absolute(config.paths.results),
            plugins=tuple(map(_absolute, plugins)),
            report="report" in config.stages,
        )
    jobs.leave(folder, job, outcome)
    return DONE


class OnePage(Callback):  # type: ignore[misc]
    """Hydra's callback: writes the list of a sweep before its first job.

    Hydra turns an exception of a callback into a warning and goes on: what is wrong here ends the command.
    """

    def __init__(self, folder: str = "") -> None:
        self.folder = folder  # of the list: jobs have it from the command that started them

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Writes the list; raises SystemExit where there cannot be one."""
        code = ended(lambda: _begin(config)).code
        if code != DONE:
            raise SystemExit(code)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """The sweeper has just written the whole configuration; every job keeps a redacted one of its own."""
        drop_multirun_file(Path(config.hydra.sweep.dir))


def _begin(config: DictConfig) -> int:
    """Plans the jobs of a sweep and tells each where its list is."""
    drop_marked(config)
    _refuse_sweeper(config)
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    place = Path(config.hydra.sweep.dir).absolute()
    older = jobs.lists_in(place)
    began = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"
    folder = place / "jobs" / began
    # the folder as it is here: swept paths and dates must not send a job elsewhere
    fixed = {"hydra.sweep.dir": place, "++hydra.callbacks.one_page.folder": folder}
    with read_write(config.hydra), open_dict(config.hydra):
        listed = jobs.planned(config, parser)
        config.hydra.sweep.dir = str(place)
        config.hydra.overrides.hydra += [f"{k}={_quoted(str(v))}" for k, v in fixed.items()]
    jobs.begin(folder, listed or [])
    results = Path(_absolute(config.paths.results))
    watched = bool(config.get("watch"))
    _begun.append(Begun(folder, results, "report" in config.stages, watched))
    if older and not watched:
        say(
            f"{place} holds {len(older)} earlier sweep{'s' * (len(older) > 1)}: this page is of the new jobs only; "
            f"distillbench report {place} makes one of all"
        )
    return DONE


def _refuse_sweeper(config: DictConfig) -> None:
    """Raises DistillbenchError where a sweeper would optimise the exit code."""
    if not is_grid(config) and not config.get("objective"):
        raise DistillbenchError(
            f"hydra/sweeper={config.hydra.runtime.choices.get('hydra/sweeper')}: it optimises what a job returns; "
            "name it: objective={metric: METRIC, student: MODEL}"
        )


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _quoted(text: str) -> str:
    return str(QuotedString(text, Quote.single).with_quotes())
