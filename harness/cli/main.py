"""The command `distillbench`: Hydra in, an exit code out."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.cli import streams, sweep
from harness.cli.again import open_page, report_again
from harness.cli.checkpoints import Series, series_in, watch_in, watched
from harness.cli.comparing import compare_results
from harness.cli.composition import (
    Composed,
    has_sweep,
    keep,
    looked_at,
    mode_known,
    refuse_credentials,
    refuse_credentials_in,
    refuse_words,
)
from harness.cli.config import packaged, typed_run
from harness.cli.exits import coded, ended, one_line
from harness.cli.hydra_faults import bare, fault_of_files, fault_of_words, gone, plain_words
from harness.cli.init import init
from harness.cli.listing import list_names
from harness.cli.storing import store
from harness.cli.verifying import verify
from harness.cli.words import (
    MULTIRUN,
    Line,
    check,
    console_settings,
    drop_marked,
    in_order,
    marked,
    planned,
)
from harness.console.foreign import VERBOSE
from harness.console.progress import say, settle
from harness.console.secrets import guard_logs
from harness.plan.run import Configuration, Watch
from harness.stages.again import watch_line
from harness.stages.run import CELLS_MISSING, DONE, OUR_FAULT, WRONG_INPUT, Outcome, execute, worst
from harness.store.looks import give_up, look_at
from harness.types import DistillbenchError

_codes: list[int] = []
_patterned: list[Composed] = []  # of a line that turned out to be a sweep
_COMMANDS = {
    "report": report_again,
    "open": open_page,
    "compare": compare_results,
    "list": list_names,
    "init": init,
    "verify": verify,
    "store": store,
}
_ONE_PAGE = "one_page"  # Hydra's callback of ours
_NO_LIST = "hydra.callbacks.one_page: a sweep needs it for its page and its exit code; leave it in"


@hydra.main(version_base="1.3", config_path=str(packaged("conf")), config_name="config")  # type: ignore[untyped-decorator]
def _job(config: DictConfig) -> float | None:
    """One job of Hydra: a whole run, or one point of a sweep, which is written into the list of the sweep.

    The code of the job; what its sweeper optimises where an objective is named, None where that has no value.
    """
    guard_logs()
    in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    outcomes: list[Outcome] = []
    ending = ended(lambda: _run(config, outcomes, alone=not in_sweep))
    outcome = outcomes[0] if outcomes else None
    _codes.append(ending.code)
    if in_sweep:
        _codes.append(coded(lambda: sweep.leave_job(config, ending, outcome)))
    if config.get("objective"):
        return outcome.objective if outcome else None
    return ending.code


def main() -> None:
    """Runs the command and exits: 0 done, 1 gate failed, 2 wrong input, 3 cells missing, 70 our own fault."""
    streams.make_lasting()
    os.environ["HYDRA_FULL_ERROR"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _accept_lazy_help()
    if code := coded(_settle):
        sys.exit(code)
    if command := _COMMANDS.get("".join(sys.argv[1:2])):
        sys.exit(coded(lambda: _commanded(command, sys.argv[2:])))
    guard_logs()
    try:
        code = coded(_command)
    except KeyboardInterrupt:
        say("stopped; what is collected stays, the same command goes on from here")
        code = 130
    sys.exit(code)


def _settle() -> int:
    """Takes the words about the console out of the command line; 0."""
    sys.argv[1:], settings, verbose = console_settings(sys.argv[1:])
    settle(settings)
    if verbose:
        os.environ[VERBOSE] = "1"
    return DONE


def _commanded(command: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    """The exit code of a command beside a run; one that was asked for its help has shown it."""
    try:
        return command(words)
    except SystemExit as end:
        return OUR_FAULT if end.code else DONE


def _accept_lazy_help() -> None:
    """Python 3.14 checks the help of every flag as it is added; Hydra gives one as an object, spelt out when shown."""
    check = getattr(argparse.ArgumentParser, "_check_help", None)
    if check is None:
        return

    def check_texts(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        """Checks a help that is text already; Hydra hands over an object."""
        if isinstance(action.help, str):
            check(parser, action)

    setattr(argparse.ArgumentParser, "_check_help", check_texts)  # noqa: B010 - unknown to the types of older Pythons


def _command() -> int:
    """The exit code of the whole command. What leaves _job comes from Hydra: it refuses words, files or folders."""
    line = in_order(planned(sys.argv[1:]))
    words = [*line.flags, *line.overrides]
    refuse_words(words)
    watch_line(sys.argv[1:])
    seen = refuse_credentials_in(words) if has_sweep(words) else None
    check(line)
    if seen is None:
        _patterned.clear()
        code = _launched(line, looked_at(words, _end_at_pattern))
        if not _patterned:
            return code
        seen = _patterned.pop()
    series, settings = series_in(seen.configs), watch_in(seen.configs)
    if settings:
        return _watching(line, seen, series, settings)
    whole = line if series is None else series.line(line, series.whole())
    return _launched(whole, mode_known(seen.modes))


class _Patterned(Exception):
    """A line without a sweep that stands for several checkpoints, or watches for them."""


def _end_at_pattern(seen: Composed) -> None:
    """Ends Hydra's work on a line that has to become a sweep first."""
    if series_in(seen.configs) is not None or watch_in(seen.configs):
        _patterned.append(seen._replace(modes=frozenset({None})))  # its flags say it
        raise _Patterned


def _watching(line: Line, seen: Composed, series: Series | None, settings: Watch) -> int:
    """The worst exit code of all rounds; a first one whose input is wrong is the last."""
    codes: list[int] = []
    for new in watched(series, settings):
        assert series is not None
        words = sweep.onward()
        _codes.clear()
        codes.append(
            _launched(
                series.line(Line(line.flags, [*line.overrides, *words]), new),
                mode_known(seen.modes),
            )
        )
        if codes == [WRONG_INPUT]:
            break
    return worst(codes)


def _launched(line: Line, how: contextlib.AbstractContextManager[None]) -> int:
    """The exit code of one run or sweep; `how` = how Hydra composes it."""
    sys.argv[1:] = [*line.flags, *marked(line.overrides)]
    with how:
        ending = ended(_hydra)
    begun = sweep.begun()
    return ending.code if begun is None else sweep.finish(begun, ending)


def _hydra() -> int:
    """The worst code of the jobs that ran in this process."""
    try:
        _job()
        sys.stdout.flush()
    except _Patterned:
        return DONE
    except SystemExit as end:  # argparse, and Hydra where it has said why itself
        return OUR_FAULT if end.code == OUR_FAULT else WRONG_INPUT if end.code else DONE
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise DistillbenchError(fault_of_files() or plain_words(error)) from error
    except (ValueError, AssertionError, RuntimeError) as error:
        if "launch" in (frame.name for frame in traceback.extract_tb(error.__traceback__)):
            return _stopped(error)
        raise DistillbenchError(fault_of_files() or fault_of_words() or bare(error)) from error
    except OSError as error:
        words = (gone() or fault_of_files()) if error.filename is None else ""
        if not words and error.errno is not None:
            raise
        raise DistillbenchError(words or one_line(error)) from error
    if not _codes and sweep.begun() is None and MULTIRUN & set(sys.argv):
        raise DistillbenchError(_NO_LIST)
    return worst(_codes)


def _stopped(error: Exception) -> int:
    """The code of a sweep whose launcher or sweeper gave up."""
    why = str(error).strip().splitlines() or [""]
    say(
        f"the sweep stopped: {type(error).__name__}: {why[0]}; what is collected stays, the same command goes on from "
        "here"
    )
    return CELLS_MISSING


def _run(config: DictConfig, outcomes: list[Outcome], *, alone: bool) -> int:
    """The code of one run, whose outcome is added to `outcomes`."""
    drop_marked(config)
    # paths are those of the command, whatever hydra.job.chdir says
    os.chdir(HydraConfig.get().runtime.cwd)
    if not alone and sweep.list_folder() is None:
        raise DistillbenchError(_NO_LIST)
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    refuse_credentials(container, config_folders())
    place = Path(HydraConfig.get().runtime.output_dir)
    if "plan" in (container.get("stages") or ()):
        _leave(place)
    else:
        keep(container, place)
    look_at(*config_folders())
    if {*(HydraConfig.get().callbacks or {})} - {_ONE_PAGE}:
        give_up()
    choices = {str(k): str(v) for k, v in HydraConfig.get().runtime.choices.items()}
    helpers = _helper_keys(config)
    asked = {str(k): v for k, v in container.items() if k not in helpers}
    run = typed_run(asked, config_folders(), choices, sweep.settings_of(config)[1])
    outcomes.append(execute(run, packaged("reference") / "scores.csv", alone=alone))
    return outcomes[0].code


def _leave(place: Path) -> None:
    """Takes away the empty folder that was made for a run which is only planned."""
    with contextlib.suppress(OSError):  # not empty
        place.rmdir()
        place.parent.rmdir()


def _helper_keys(config: DictConfig) -> set[str]:
    """Keys of the user's own that other values are made from: `+size=small,large` for `${size}`."""
    named = set(re.findall(r"\$\{(\w+)", OmegaConf.to_yaml(config, resolve=False)))
    return named - {f.name for f in dataclasses.fields(Configuration)}


def config_folders() -> list[Path]:
    """Folders that Hydra composed from, in their order: the user's --config-dir, then ours."""
    sources = HydraConfig.get().runtime.config_sources
    return [Path(s.path) for s in sources if s.schema == "file"]


if __name__ == "__main__":
    main()
