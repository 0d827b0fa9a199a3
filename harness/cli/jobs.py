"""The list of a sweep: which jobs it has and how each of them ended. Only this list makes page and exit code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, Transformer
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.board.plain import from_plain, to_plain
from harness.board.record import RunRecord, Variant
from harness.board.saved import read_record, write_record
from harness.console.secrets import redacted
from harness.keys import parse_json
from harness.stages.checks import Remark
from harness.stages.run import Outcome
from harness.types import DistillbenchError

_LIST, _JOB = "sweep.json", "job.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    number: int
    overrides: Mapping[str, str]  # key -> what was asked; equal values have equal text
    values: Mapping[
        str, str
    ]  # key -> the value as the program saw it, or as asked where it did not come so far
    folder: str = ""  # the job's own folder
    code: int | None = None  # exit code; None = it did not end
    scored: bool = False  # whether it left a record
    reason: str = ""  # the error that ended it
    remarks: tuple[Remark, ...] = ()
    conditions: Mapping[str, bool] = field(default_factory=dict)  # of its gate -> looked at
    results: str = ""  # paths.results, absolute
    plugins: tuple[str, ...] = ()  # paths.plugins, absolute
    report: bool = False  # whether it asks for a page
    place: Path | None = None  # where its record lies

    @property
    def missing(self) -> str:
        """Why there is no record; "" where there is one."""
        if self.scored:
            return ""
        return self.reason.replace("\n", "; ") if self.code is not None else "it did not end"

    def record(self) -> RunRecord | None:
        """What it left; None where it left nothing."""
        return read_record(self.place) if self.scored and self.place else None


def planned(config: DictConfig, parser: OverridesParser) -> list[Job] | None:
    """The jobs that Hydra's own sweeper will run; None where another one chooses them as it goes.

    Equal values are one job: `1, 1.0, 1e0`; the configuration's overrides are rewritten accordingly.
    """
    if not is_grid(config):
        return None
    params = config.hydra.sweeper.get("params") or {}
    words = [f"{k}={v}" for k, v in params.items()]
    words_asked = unresolved(config.hydra.overrides.task)
    asked = [_without_repeats(o) for o in parser.parse_overrides(words_asked)]
    config.hydra.overrides.task = asked
    overrides = parser.parse_overrides([*words, *asked])
    (batch,) = BasicSweeper.split_arguments(overrides, None)
    jobs = []
    for number, point in enumerate(batch):
        own = asked_values(parser.parse_overrides(point))
        jobs.append(Job(number, own, own))
    return jobs


def is_grid(config: DictConfig) -> bool:
    """Whether Hydra's own sweeper runs, which tries every combination."""
    basic = f"{BasicSweeper.__module__}.{BasicSweeper.__name__}"
    return str(config.hydra.sweeper.get("_target_", "")) == basic


def unresolved(words: ListConfig) -> list[str]:
    """Words of a command line as they are: OmegaConf would fill in their ${...}."""
    plain = OmegaConf.to_container(words, resolve=False)
    assert isinstance(plain, list)
    return [str(word) for word in plain]


def asked_values(overrides: Iterable[Override]) -> dict[str, str]:
    """Key -> value of every override, without quotes and with one text for equal numbers.

    Without `watch`, which says when jobs run and not what they are.
    """
    return {
        f"~{o.key_or_group}" if o.is_delete() else _key(o): (
            "deleted" if o.is_delete() else shown(_one_number(o.value()))
        )
        for o in overrides
        if _key(o) != "watch"
    }


def seen_values(
    config: DictConfig, choices: Mapping[str, Any], asked: Mapping[str, str]
) -> dict[str, str]:
    """Key -> value in a composed configuration; what cannot be read there as it was asked for."""
    return {key: _seen(config, choices, key, text) for key, text in asked.items()}


def shown(value: Any) -> str:
    """A value in the words of a command line, without quotes."""
    if isinstance(value, QuotedString):
        return str(value.text)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{shown(k)}:{shown(v)}' for k, v in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(shown, value))}]"
    return str(value)


def begin(folder: Path, jobs: Sequence[Job]) -> None:
    """Writes the list of a sweep, before its first job."""
    folder.mkdir(parents=True)
    _write(folder / _LIST, {"schema": _SCHEMA, "jobs": [to_plain(job) for job in jobs]})


def leave(folder: Path, job: Job, outcome: Outcome | None) -> None:
    """Writes how a job ended, with its record where it has one; the job's own line comes last."""
    own = folder / str(job.number)
    own.mkdir(parents=True, exist_ok=True)
    record = outcome.record if outcome else None
    if record is not None:
        write_record(redacted(record), own)
    ended = replace(job, scored=record is not None)
    if outcome is not None:
        ended = replace(ended, remarks=outcome.remarks, conditions=outcome.conditions)
    _write(own / _JOB, to_plain(ended))


def read(folder: Path) -> list[Job]:
    """The jobs of a list, by number: those that ended as they ended, the others as they were planned."""
    listed = _read(folder / _LIST)
    if listed.get("schema") != _SCHEMA:
        raise DistillbenchError(
            f"{folder / _LIST}: expected schema {_SCHEMA}, got {listed.get('schema')!r}: run the sweep again with "
            "this version"
        )
    jobs = {job["number"]: from_plain(Job, job) for job in listed["jobs"]}
    for path in folder.glob(f"*/{_JOB}"):
        ended = replace(from_plain(Job, _read(path)), place=path.parent)
        jobs[ended.number] = ended
    return [jobs[number] for number in sorted(jobs)]


def lists_in(folder: Path) -> list[Path]:
    """The lists of all sweeps into a folder, in the order in which they began."""
    return sorted(path.parent for path in folder.glob(f"jobs/*/{_LIST}"))


def joined(listed: Sequence[Job]) -> list[Job]:
    """The jobs of several sweeps in order, each once: of equal ones the last with a record."""
    once: dict[frozenset[tuple[str, str]], Job] = {}
    for job in listed:
        key = frozenset(job.overrides.items())
        if job.scored or key not in once or not once[key].scored:
            once[key] = job
    return [replace(job, number=i) for i, job in enumerate(once.values())]


def is_list(folder: Path) -> bool:
    """Whether a folder is that of a list."""
    return (folder / _LIST).is_file()


def variants(jobs: Sequence[Job]) -> list[Variant]:
    """Per job, the keys that were asked for differently in different jobs, with its own values."""
    keys = sorted({key for job in jobs for key in job.overrides})
    swept = [k for k in keys if len({job.overrides.get(k, "") for job in jobs}) > 1]
    return [tuple((k, job.values.get(k, "")) for k in swept) for job in jobs]


def _seen(config: DictConfig, choices: Mapping[str, Any], key: str, text: str) -> str:
    if key in choices:
        return str(choices[key])
    try:
        value = OmegaConf.select(config, key, default=text)
        return shown(
            OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        )
    except OmegaConfBaseException:
        return text


def _key(override: Override) -> str:
    return str(override.get_key_element()).lstrip("+")


def _one_number(value: Any) -> Any:
    """A number that is whole as a whole number; anything else as it is."""
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _without_repeats(override: Override) -> str:
    """An override's words; those of a sweep with its values one by one, equal ones once."""
    if not override.is_discrete_sweep():
        return str(override.input_line)
    once: dict[tuple[bool, str], str] = {}
    for value in override.sweep_iterator(transformer=Transformer.identity):
        is_text = isinstance(value, (str, QuotedString))
        word = Override._get_value_element_as_str(value)
        once.setdefault((is_text, shown(_one_number(value))), word)
    if not once:
        raise DistillbenchError("the sweep has no job: one of its keys has no value to take")
    return f"{override.get_key_element()}={','.join(once.values())}"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(redacted(content), ensure_ascii=False, sort_keys=True, indent=1)
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(text.encode("utf-8", "replace"))
    fresh.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text("utf-8"))
        assert isinstance(content, dict)
    except (OSError, ValueError, AssertionError):
        raise DistillbenchError(f"{path}: expected what a sweep left, got something else") from None
    return content
