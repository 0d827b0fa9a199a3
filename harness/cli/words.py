"""The words of a command line before Hydra sees them: flags first, and one sentence for what it would stumble over."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict, read_write

from harness.console.progress import Settings
from harness.schema import unknown
from harness.types import DistillbenchError

MULTIRUN = frozenset({"-m", "--multirun"})
_DELETED = "~deleted~"
_GROUPS = ("decoding", "gate", "matrix")
_PATH_FLAGS = ("--config-path", "-cp")
_FOLDER_FLAGS = ("--config-dir", "-cd", *_PATH_FLAGS)


class Line(NamedTuple):
    """A command line, in the order in which argparse takes it: a flag between two overrides is rejected."""

    flags: list[str]  # with their values
    overrides: list[str]


def in_order(words: Sequence[str]) -> Line:
    """The words with every flag, and its value, in front.

    Raises DistillbenchError where a flag is unknown, lacks its value or leads away from our configuration.
    """
    flags = _flags()
    first: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, sign, value = word.partition("=")
        if not word.startswith("-"):
            rest.append(word)
            continue
        if name not in flags:
            raise DistillbenchError(f"{name}: {unknown(name, sorted(flags))}")
        if word in MULTIRUN & set(first):
            continue
        first.append(word)
        if flags[name].nargs is None and not sign:
            if not left or left[0].startswith("-"):
                raise DistillbenchError(f"{name}: expected a value behind it, got none")
            value = left.pop(0)
            first.append(value)
        elif flags[name].nargs == "?" and left and left[0] in (flags[name].choices or ()):
            first.append(left.pop(0))
        _check_path(name, value)
    return Line(first, rest)


def console_settings(words: Sequence[str]) -> tuple[list[str], Settings, bool]:
    """The words without -q, -v and --log FILE, what these say, and whether libraries are to be heard.

    Raises DistillbenchError where --log has no file that can be written.
    """
    left: list[str] = []
    quiet = verbose = False
    log: str | None = None
    rest = iter(words)
    for word in rest:
        name, sign, value = word.partition("=")
        if word in ("-q", "--quiet"):
            quiet = True
        elif word in ("-v", "--verbose"):
            verbose = True
        elif name == "--log":
            log = value if sign else next(rest, "")
        else:
            left.append(word)
    if quiet and verbose:
        raise DistillbenchError("-q and -v: expected one of them, got both")
    return left, Settings(quiet, None if log is None else _log_file(log)), verbose


def _log_file(name: str) -> Path:
    if not name or name.startswith("-"):
        raise DistillbenchError("--log: expected a file behind it, got none")
    path = Path(name).absolute()
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise DistillbenchError(
            f"--log: {name}: expected a file that can be written: {error.strerror}"
        ) from None
    return path


def planned(words: Sequence[str]) -> list[str]:
    """The words of a run, those of `distillbench plan ...` as the stages that only say what a run would do.

    Raises DistillbenchError where `load` is neither true nor false, or stages are chosen.
    """
    if "".join(words[:1]) != "plan":
        return list(words)
    rest = [word for word in words[1:] if word.partition("=")[0] not in ("load", "+load")]
    stages = "[plan]"
    for key, _, value in (word.partition("=") for word in words[1:] if word not in rest):
        if value.lower() not in ("true", "false"):
            raise DistillbenchError(f"plan: {key}: expected true or false, got {value!r}")
        stages = "[build,plan]" if value.lower() == "true" else "[plan]"
    if any(word.partition("=")[0] == "stages" for word in rest):
        raise DistillbenchError(
            "plan: stages: expected none, since it says what a whole run would do; leave the word out"
        )
    return [*rest, f"stages={stages}"]


def check(line: Line) -> None:
    """Raises DistillbenchError with a line for every override that Hydra cannot take, and how to write it."""
    sweeping = bool(MULTIRUN & set(line.flags)) or "hydra.mode=MULTIRUN" in line.overrides
    faults = [fault for word in line.overrides for fault in _faults(word, sweeping)]
    if faults:
        raise DistillbenchError("\n".join(faults))


def marked(words: Sequence[str]) -> list[str]:
    """The words with `~KEY` as a value that marks the key: Hydra itself deletes no key that is null."""
    return [_marked(word) for word in words]


def _marked(word: str) -> str:
    if not re.fullmatch(r"~\w[\w.]*", word) or word.startswith("~hydra.") or word[1:] in _GROUPS:
        return word
    return f"{word[1:]}={_in_quotes(_DELETED)}"


def drop_marked(config: DictConfig) -> None:
    """Takes the marked keys out of a composed configuration."""
    with read_write(config), open_dict(config):
        for key in [k for k in config if k != "hydra"]:
            node = config._get_node(key)
            if (
                isinstance(node, DictConfig)
                and not node._is_none()
                and not node._is_interpolation()
            ):
                drop_marked(node)
            elif node._value() == _DELETED:
                del config[key]


def _faults(word: str, sweeping: bool) -> Iterator[str]:
    key, sign, value = word.partition("=")
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        yield _cure(word, key, sign, value)
        return
    if override.is_sweep_override() and not sweeping and not override.is_hydra_override():
        listed = shlex.quote(f"{key}=[{value}]")
        text = shlex.quote(f"{key}={_in_quotes(value)}")
        yield f"{word}: several values are a sweep, which needs -m; a list is {listed}, a text {text}"


def _cure(word: str, key: str, sign: str, value: str) -> str:
    """The sentence about an override that cannot be parsed."""
    if not sign and not word.startswith("~"):
        return f"{word}: expected KEY=VALUE"
    quoted = f"{key}={_in_quotes(value)}"
    try:
        OverridesParser.create().parse_override(quoted)
    except HydraException:
        return (
            f"{word}: the key {key!r} cannot stand on a command line; set it in a file of your own"
        )
    return f"{word}: this value needs quotes inside the shell's: {shlex.quote(quoted)}"


def _in_quotes(value: str) -> str:
    return str(QuotedString(value, Quote.double).with_quotes())


def _flags() -> dict[str, argparse.Action]:
    """Flag -> what Hydra's parser does with it."""
    actions = get_args_parser()._actions
    return {name: action for action in actions for name in action.option_strings}


def _check_path(flag: str, value: str) -> None:
    if flag in _FOLDER_FLAGS and not Path(value).is_dir():
        raise DistillbenchError(f"{flag}: {value}: expected a folder, found none")
    files = (
        [*Path(value).glob("*.yaml"), *Path(value).glob("*/*.yaml")]
        if flag in _FOLDER_FLAGS
        else []
    )
    if odd := next((path for path in files if path.exists() and not path.is_file()), None):
        raise DistillbenchError(
            f"{flag}: {odd}: expected a file, found a folder, a pipe or a device; take it out of there"
        )
    if flag in _PATH_FLAGS and not (Path(value) / "config.yaml").is_file():
        raise DistillbenchError(
            f"{flag}: {value} would stand in for distillbench's own configuration and has no config.yaml; to add files "
            f"of your own write --config-dir {shlex.quote(value)}"
        )
