"""The composed configuration, looked at before Hydra writes anything, and the one file of it that a run keeps."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from harness.cli.config import packaged, whole_matrix, whole_models
from harness.cli.words import drop_marked
from harness.console.credentials import configuration_faults, override_faults
from harness.console.secrets import redacted, remember
from harness.plan.run import Configuration
from harness.types import DistillbenchError

_ELSEWHERE = (
    HydraException,
    OmegaConfBaseException,
    yaml.YAMLError,
    OSError,
    ValueError,
    RecursionError,
)
_SHOWN = ("--help", "-h", "--hydra-help", "--version", "--shell-completion", "-sc")


Folders = Sequence[Path]  # of configuration files


class Composed(NamedTuple):
    """What a command line composes; nothing where it cannot be composed."""

    modes: frozenset[RunMode | None] = frozenset()  # what the configurations say of `hydra.mode`
    # each with the folders that it was composed from; one of them may hold models alone
    configs: Sequence[tuple[Mapping[str, Any], Folders]] = ()

    @classmethod
    def of(cls, configs: Sequence[tuple[Mapping[str, Any], Folders]]) -> Composed:
        """What these configurations say."""
        return cls(frozenset(c["hydra"].get("mode") for c, _ in configs if "hydra" in c), configs)


def refuse_credentials_in(words: Sequence[str]) -> Composed:
    """Looks at a command line, and at every configuration that it composes, before anything is written.

    Raises DistillbenchError with one line for every credential. Any other fault is left to those who run the words.
    """
    _raise(override_faults(words))
    if not set(words) & set(_SHOWN):
        with contextlib.suppress(*_ELSEWHERE):
            composed = list(_composed(words))
            _raise([fault for config, folders in composed for fault in _faults(config, folders)])
            return Composed.of(composed)
    return Composed()


@contextlib.contextmanager
def mode_known(modes: Collection[RunMode | None]) -> Iterator[None]:
    """Hydra composes a command line once more only to learn its mode: where that is known it is told."""
    if len(modes) != 1:
        yield
        return
    (mode,), asked = modes, Hydra.get_mode
    setattr(Hydra, "get_mode", lambda *_, **__: mode)  # noqa: B010 - unknown to the types of Hydra
    try:
        yield
    finally:
        setattr(Hydra, "get_mode", asked)  # noqa: B010


@contextlib.contextmanager
def looked_at(words: Sequence[str], look: Callable[[Composed], None]) -> Iterator[None]:
    """Inside, Hydra's one composition of a command line is looked at before it writes anything.

    Hydra composes a line without a sweep twice, only to learn its mode first: the second time it gets what it has made.
    What is only shown (--cfg) has the models, tasks and metrics with the fields of their files. `look` is told what was
    composed, and may raise to end it there.
    Raises DistillbenchError with one line for every credential.
    """
    if set(words) & set(_SHOWN):
        yield
        return
    made: dict[tuple[str, ...], DictConfig] = {}
    compose_anew, shown = ConfigLoaderImpl.load_configuration, bool({*words} & {"--cfg", "-c"})

    def load(
        self: Any, config_name: str | None, overrides: list[str], *more: Any, **how: Any
    ) -> Any:
        """What Hydra composes, made once."""
        # of the second time it says what it has learned from the first
        key = (str(config_name), *(o for o in overrides if not o.startswith("hydra.mode=")))
        if key not in made:
            config = compose_anew(self, config_name, overrides, *more, **how)
            folders = _folders(config)
            configs = [(version, folders) for version in _versions(config)]
            _raise([fault for version, _ in configs for fault in _faults(version, folders)])
            look(Composed.of(configs))
            made[key] = _filled_in(config, folders) if shown else config
        return copy.deepcopy(made[key])  # Hydra changes what it gets

    setattr(ConfigLoaderImpl, "load_configuration", load)  # noqa: B010 - unknown to the types of Hydra
    try:
        yield
    finally:
        setattr(ConfigLoaderImpl, "load_configuration", compose_anew)  # noqa: B010


def has_sweep(words: Sequence[str]) -> bool:
    """Whether a command line may be a sweep, by its own words; one that cannot be parsed is none."""
    if any(word in ("-m", "--multirun") or word.startswith("hydra.mode") for word in words):
        return True
    plain = [word for word in words if not word.startswith("-")]
    with contextlib.suppress(HydraException):
        return any(o.is_sweep_override() for o in OverridesParser.create().parse_overrides(plain))
    return False


def _filled_in(config: DictConfig, folders: Sequence[Path]) -> DictConfig:
    """The configuration with the fields of the files that it names; raises DistillbenchError where one is missing."""
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    whole = whole_matrix({str(k): v for k, v in plain.items()}, folders)
    with read_write(config), open_dict(config):
        for key, named in whole.items():
            config[key] = OmegaConf.create(named)
    return config


def refuse_credentials(config: Mapping[str, Any], folders: Sequence[Path]) -> None:
    """The same for one configuration, with the model files that it names.

    Raises DistillbenchError with one line for every credential.
    """
    _raise(_faults(config, folders))


def keep(config: Mapping[str, Any], folder: Path) -> None:
    """Writes the redacted configuration of a run into its folder, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    text = OmegaConf.to_yaml(OmegaConf.create(redacted(dict(config))))
    handle = os.open(folder / "config.yaml", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, 0o600)
        file.write(text)


def refuse_words(words: Sequence[str]) -> None:
    """Raises DistillbenchError with one line for every credential among the words of a command line."""
    _raise(override_faults(words))


def _raise(faults: Sequence[str]) -> None:
    if faults:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))


def _faults(config: Mapping[str, Any], folders: Sequence[Path]) -> list[str]:
    whole = {**config, "models": whole_models(config, folders)}
    for fields in whole["models"].values():
        if isinstance(fields.get("api_key_env"), str):
            remember(fields["api_key_env"])
    return configuration_faults(whole)


def _composed(words: Sequence[str]) -> Iterator[tuple[dict[str, Any], list[Path]]]:
    """Every configuration of a command line with the folders that it was composed from.

    A sweep's values are tried one at a time, not in all combinations.
    """
    with _composer(words) as (compose_with, parsed):
        swept = [point for o in parsed if o.is_sweep_override() for point in _values(o)]
        for point in [[value] for value in swept] or [[]]:
            config = compose_with(point)
            folders = _folders(config)
            yield from ((version, folders) for version in _versions(config))


def composed_points(words: Sequence[str]) -> Iterator[Point]:
    """Every point of a command line, whose lists of values are tried in all combinations."""
    with _composer(words) as (compose_with, parsed):
        swept = [_values(o) for o in parsed if o.is_sweep_override()]
        for point in itertools.product(*swept):
            config = compose_with(point)
            folders, choices = _folders(config), dict(config.hydra.runtime.choices)
            drop_marked(config)
            own = OmegaConf.to_container(
                OmegaConf.masked_copy(config, _own_keys(config)), resolve=True
            )
            assert isinstance(own, dict)
            yield Point({str(k): v for k, v in own.items()}, folders, choices)


class Point(NamedTuple):
    """One configuration that a command line describes."""

    config: dict[str, Any]
    folders: list[Path]  # of configuration files, in their order
    choices: dict[str, str]  # group -> name of the file that was chosen


def _own_keys(config: DictConfig) -> list[str]:
    """The keys of a run, without Hydra's and those that only other values are made from."""
    known = {f.name for f in dataclasses.fields(Configuration)}
    named = set(re.findall(r"\$\{(\w+)", OmegaConf.to_yaml(config, resolve=False)))
    return [str(k) for k in config if k != "hydra" and (k in known or k not in named)]


@contextlib.contextmanager
def _composer(
    words: Sequence[str],
) -> Iterator[tuple[Callable[[Sequence[str]], DictConfig], list[Override]]]:
    """What composes the command line with values for what it sweeps, and its overrides."""
    from hydra._internal.utils import get_args_parser

    args, left = get_args_parser().parse_known_args(list(words))
    overrides = [*args.overrides, *(word for word in left if not word.startswith("-"))]
    folder = Path(args.config_path).absolute() if args.config_path else packaged("conf")
    with _initialized(folder):
        parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(
            overrides
        )
        fixed = [
            o.input_line
            for o in parsed
            if not o.is_sweep_override() and o.get_key_element() != "hydra.searchpath"
        ]
        plain = [*fixed, _searchpath(args.config_dir, parsed)]
        yield lambda point: compose(args.config_name or "config", [*plain, *point], True), parsed


def _folders(config: DictConfig) -> list[Path]:
    return [Path(s.path) for s in config.hydra.runtime.config_sources if s.schema == "file"]


@contextlib.contextmanager
def _initialized(folder: Path) -> Iterator[None]:
    with initialize_config_dir(str(folder), job_name="distillbench", version_base="1.3"):
        setup_globals()
        yield


def _searchpath(config_dir: str | None, parsed: Sequence[Override]) -> str:
    """The override that puts the user's --config-dir where Hydra's own command line puts it."""
    asked = next((o.value() for o in parsed if o.get_key_element() == "hydra.searchpath"), None)
    named = [f"file://{Path(config_dir).absolute()}"] if config_dir else []
    return f"hydra.searchpath={[*named, *(asked if isinstance(asked, list) else [])]}"


def _values(override: Override) -> list[str]:
    """The overrides that set a swept key to each of its values."""
    values = override.sweep_string_iterator() if override.is_discrete_sweep() else ()
    return [f"{override.get_key_element()}={value}" for value in values]


def _versions(config: DictConfig) -> Iterator[dict[str, Any]]:
    """The configuration with unresolved interpolations; then, where that is possible, with resolved models."""
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    yield {str(k): v for k, v in plain.items()}
    with contextlib.suppress(OmegaConfBaseException):
        yield {"models": OmegaConf.to_container(config.models, resolve=True)}


def drop_multirun_file(folder: Path) -> None:
    """Removes the whole configuration that Hydra's sweeper writes into the folder of a sweep."""
    (folder / "multirun.yaml").unlink(missing_ok=True)
