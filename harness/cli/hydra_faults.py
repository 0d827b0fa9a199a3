"""What Hydra says of a command line that it cannot take, in one sentence with the nearest name."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf

from harness.cli import conffiles
from harness.cli.config import packaged
from harness.cli.exits import one_line
from harness.schema import unknown

# of launchers and sweepers that people have
_PACKAGES = {
    "joblib": "hydra-joblib-launcher", "ray": "hydra-ray-launcher", "ray_aws": "hydra-ray-launcher",
    "rq": "hydra-rq-launcher", "submitit_local": "hydra-submitit-launcher", "submitit_slurm": "hydra-submitit-launcher",
    "ax": "hydra-ax-sweeper", "nevergrad": "hydra-nevergrad-sweeper", "optuna": "hydra-optuna-sweeper",
}  # fmt: skip
_FOLDER_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp")


def fault_of_files() -> str:
    """The first fault of the files that the command line names; "" where they are in order."""
    folders = [*_own_folders(), packaged("conf")]
    named = (conffiles.first_fault(folders, group, name) for group, name in _named_files())
    return next((fault for fault in named if fault), "")


def fault_of_words() -> str:
    """What is wrong with the words that choose files: `matrix=null`, `gate=5`."""
    for group, name in _named_files():
        if name not in _options(group):
            return f"{group}={name}: expected the name of a file in conf/{group}, one of {', '.join(_options(group))}"
    return ""


def bare(error: Exception) -> str:
    return f"Hydra does not accept this command line or configuration: {one_line(error)}"


def gone() -> str:
    """A line if the current folder has been removed; "" if it exists."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the folder in which this was started is gone; change into one that exists"
    return ""


def _named_files() -> Iterator[tuple[str, str]]:
    """(group, name) of every file that the command line chooses; a sweep names several."""
    groups = {
        p.name
        for folder in [*_own_folders(), packaged("conf")]
        for p in folder.glob("*/")
        if p.is_dir()
    }
    for word in sys.argv[1:]:
        key, sign, value = word.lstrip("+").partition("=")
        if sign and key in groups:
            yield from ((key, name.strip(" []")) for name in value.split(","))


def plain_words(error: Exception) -> str:
    """Hydra's and OmegaConf's errors in one line, with the nearest name where a name is unknown."""
    text = one_line(error)
    file = re.search(r"Could not (?:find|load) '([\w/]+)/([^'/]*)'", text)
    if file:
        words = unknown(file[2], _options(file[1], error))
        package = _PACKAGES.get(file[2]) if file[1].startswith("hydra/") else None
        cure = f"; it comes with another package: pip install {package}" if package else ""
        return f"{file[1]}: {words}{cure}{conffiles.elsewhere(file[1], file[2])}"
    if merged := re.match(r"Error merging override \+*([\w.]+)=", text):
        kinds = ["a list", "a mapping"]
        wanted, got = kinds if "object_type=list" in str(error.__cause__) else kinds[::-1]
        return f"{merged[1]}: expected {wanted}, got {got}"
    key = re.search(r"(?:Key '([^']+)' is not in struct|Could not override '([^']+)')", text)
    told = f"{text}; {error.__cause__}"  # which names the key in a mapping
    full = re.search(r"full_key: ([^;\s]+)", told)
    if key:
        name = full[1] if full else key[1] or key[2]
        parent, _, last = name.rpartition(".")
        known = _keys(parent)
        words = unknown(last, known) if known else f"{last!r} is unknown"
        return f"{parent + '.' if parent else ''}{words}; a key that is new to a mapping is added with +{name}=..."
    return text


def _options(group: str, error: Exception | None = None) -> list[str]:
    """Names of the files of a group: those that Hydra found, else ours and those of the user's own folders."""
    if isinstance(error, MissingConfigException) and error.options:
        return sorted(error.options)
    return sorted(
        {
            p.stem
            for folder in [*_own_folders(), packaged("conf")]
            for p in (folder / group).glob("*.yaml")
        }
    )


def _own_folders() -> list[Path]:
    """Folders of configuration files on the command line."""
    folders = []
    for index, word in enumerate(sys.argv):
        flag, sign, value = word.partition("=")
        if flag in _FOLDER_FLAGS and sign:
            folders.append(Path(value))
        elif word in _FOLDER_FLAGS and index + 1 < len(sys.argv):
            folders.append(Path(sys.argv[index + 1]))
    return folders


def _keys(parent: str) -> list[str]:
    """Keys of config.yaml under a dotted name; empty where it has none."""
    node = OmegaConf.load(packaged("conf") / "config.yaml")
    section = OmegaConf.select(node, parent) if parent else node
    return (
        [str(k) for k in section if k not in ("defaults", "hydra")]
        if isinstance(section, DictConfig)
        else []
    )
