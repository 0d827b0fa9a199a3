"""The command `distillbench`: Hydra in, an exit code out."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness import sweep
from harness.composition import keep, refuse_credentials, refuse_credentials_in
from harness.config import packaged, typed_run
from harness.plugins import unknown
from harness.progress import say
from harness.run import DONE, OUR_FAULT, WRONG_INPUT, execute
from harness.secrets import guard_logs
from harness.types import DistillbenchError

_codes: list[int] = []
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


@hydra.main(version_base="1.3", config_path=str(packaged("conf")), config_name="config")  # type: ignore[untyped-decorator]
def _job(config: DictConfig) -> int:
    """One job of Hydra: a whole run, or one point of a sweep, whose code lies in its job.json."""
    guard_logs()
    in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    code = _guarded({str(k): v for k, v in container.items()}, in_sweep)
    _codes.append(code)
    return code


def main() -> None:
    """Runs the command and exits: 0 done, 1 gate failed, 2 wrong input, 3 cells missing, 70 our own fault."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _accept_lazy_help()
    # argparse takes a flag between two overrides for a mistake; wherever it stands, it means the same.
    flags = [word for word in sys.argv[1:] if word in ("-m", "--multirun")]
    sys.argv[1:] = flags[:1] + [word for word in sys.argv[1:] if word not in flags]
    guard_logs()
    try:
        refuse_credentials_in(sys.argv[1:])
        _job()
    except DistillbenchError as error:
        sys.exit(_wrong(str(error)))
    except (HydraException, OmegaConfBaseException) as error:
        sys.exit(_wrong(_plain_words(error)))
    except yaml.YAMLError as error:
        sys.exit(_wrong(_damaged(error)))
    except KeyboardInterrupt:
        say("stopped; what is collected stays, the same command goes on from here")
        sys.exit(130)
    sys.exit(sweep.code() if sweep.happened() else (_codes[-1] if _codes else DONE))


def _accept_lazy_help() -> None:
    """Python 3.14 checks the help of every flag as it is added; Hydra gives one as an object, spelt out when shown."""
    check = getattr(argparse.ArgumentParser, "_check_help", None)
    if check is None:
        return

    def check_texts(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
        if isinstance(action.help, str):
            check(parser, action)

    setattr(argparse.ArgumentParser, "_check_help", check_texts)  # noqa: B010 - unknown to the types of older Pythons


def _guarded(config: Mapping[str, Any], in_sweep: bool) -> int:
    """Runs, and turns every way of ending into an exit code."""
    code, record = OUR_FAULT, None
    try:
        refuse_credentials(config, config_folders())
        keep(config, Path(HydraConfig.get().runtime.output_dir))
        run = typed_run(config, config_folders())
        outcome = execute(run, packaged("reference") / "scores.csv", alone=not in_sweep)
        code, record = outcome.code, outcome.record
    except DistillbenchError as error:
        code = _wrong(str(error))
    except yaml.YAMLError as error:
        code = _wrong(_damaged(error))
    except OSError as error:
        code = _wrong(_disk(error)) if error.errno in _DISK_ERRORS else _our_fault()
    except Exception:  # noqa: BLE001 - the outermost frame: an uncaught bug would exit 1, which means "gate failed"
        code = _our_fault()
    if in_sweep:
        sweep.leave_job(code, record)
    return code


def _damaged(error: yaml.YAMLError) -> str:
    """A file that is no YAML, in one line."""
    return f"expected YAML, got a damaged file: {'; '.join(line.strip() for line in str(error).splitlines())}"


def _disk(error: OSError) -> str:
    return f"{error.filename or 'disk'}: {error.strerror}; make room or name another paths.results, then run again"


def config_folders() -> list[Path]:
    """Folders that Hydra composed from, in their order: the user's --config-dir, then ours."""
    sources = HydraConfig.get().runtime.config_sources
    return [Path(s.path) for s in sources if s.schema == "file"]


def _wrong(text: str) -> int:
    for line in text.splitlines():
        say(f"error: {line}")
    return WRONG_INPUT


def _our_fault() -> int:
    say(traceback.format_exc().rstrip())
    say("error: this is a fault of distillbench, not of the input; please report it with the lines above")
    return OUR_FAULT


def _plain_words(error: Exception) -> str:
    """Hydra's and OmegaConf's complaints in one line, with the nearest name where a name is unknown."""
    text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    file = re.search(r"Could not find '([\w/]+)/([^'/]+)'", text)
    if file:
        return f"{file[1]}: {unknown(file[2], _options(file[1]))}"
    key = re.search(r"(?:Key '([^']+)' is not in struct|Could not override '([^']+)')", text)
    full = re.search(r"full_key: ([^;\s]+)", text)
    if key:
        name = full[1] if full else key[1] or key[2]
        parent, _, last = name.rpartition(".")
        known = _keys(parent)
        words = unknown(last, known) if known else f"{last!r} is unknown"
        return f"{parent + '.' if parent else ''}{words}; a key that is new to a mapping is added with +{name}=..."
    return text


def _options(group: str) -> list[str]:
    """Names of the files of a group, ours and those of the --config-dir on the command line."""
    folders = [packaged("conf")]
    for index, word in enumerate(sys.argv):
        if word in ("--config-dir", "-cd") and index + 1 < len(sys.argv):
            folders.append(Path(sys.argv[index + 1]))
        elif word.startswith("--config-dir="):
            folders.append(Path(word.split("=", 1)[1]))
    return sorted({p.stem for folder in folders for p in (folder / group).glob("*.yaml")})


def _keys(parent: str) -> list[str]:
    """Keys of config.yaml under a dotted name; empty where it says nothing about them."""
    node = OmegaConf.load(packaged("conf") / "config.yaml")
    found = OmegaConf.select(node, parent) if parent else node
    return [str(k) for k in found if k not in ("defaults", "hydra")] if isinstance(found, DictConfig) else []


if __name__ == "__main__":
    main()
