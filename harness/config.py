"""From Hydra's loose configuration to a typed run; nothing below this module sees a DictConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import harness
from harness.matrix import STAGES, Condition, Run, Stage
from harness.plugins import Paths, build, build_dataclass, unknown
from harness.types import Control, Decoding, DistillbenchError, Pair


@dataclass(frozen=True)
class _Options:
    """The plain keys of config.yaml, checked by type."""

    title: str
    stages: tuple[Stage, ...]
    limit: int | None
    seed: int
    workers: int
    comparability: Literal["refuse", "warn"]


def packaged(name: str) -> Path:
    """The folder `conf`, `tasks` or `reference`: inside the installed package, or beside it in a checkout."""
    inside = Path(harness.__file__).parent / name
    outside = Path(harness.__file__).parent.parent / ("results/reference" if name == "reference" else name)
    return inside if inside.is_dir() else outside


def typed_run(config: Mapping[str, Any], folders: Sequence[Path]) -> Run:
    """The run that a composed configuration describes; `folders` are searched for models, tasks and metrics.

    Raises DistillbenchError with every fault of the configuration, one a line.
    """
    faults: list[str] = []
    paths = _paths(config["paths"])
    library = _Library(folders, faults)
    tasks = library.expand_suites(_narrowed("tasks", config, faults))
    models = {n: library.plugin("backends", n, v) for n, v in _narrowed("models", config, faults).items()}
    built_tasks = {n: library.plugin("adapters", n, v) for n, v in tasks.items()}
    metrics = {n: library.plugin("metrics", n, v) for n, v in _narrowed("metrics", config, faults).items()}
    pairs = _records(Pair, "pairs", config["pairs"], faults)
    controls = _records(Control, "controls", config["controls"], faults)
    if (config["only"] or {}).get("models") is not None:
        pairs, controls = _kept_pairs(pairs, set(models)), _kept_controls(controls, set(models))
    conditions = _records(Condition, "gate.conditions", (config["gate"] or {}).get("conditions") or [], faults)
    decoding, samples = _decoding("decoding", {**config["decoding"]}, config["seed"], faults)
    task_decodings = {
        n: _decoding(f"decoding {t.decoding}", library.merged("decoding", t.decoding, {}), config["seed"], faults)[0]
        for n, t in built_tasks.items()
        if t is not None and t.decoding
    }
    keys = ("title", "stages", "limit", "seed", "workers", "comparability")
    try:
        options = build_dataclass(_Options, {k: config[k] for k in keys}, "configuration")
        _check_ranges(options)
    except DistillbenchError as error:
        faults.append(str(error))
    if faults:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))
    return Run(
        models=models, tasks=built_tasks, metrics=metrics, pairs=pairs, controls=controls, decoding=decoding,
        task_decodings=task_decodings, samples=samples, conditions=conditions, paths=paths,
        lock=bool(config["paths"]["lock"]), **vars(options),
    )  # fmt: skip


def whole_models(config: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Name -> fields of every model of a configuration, with those of its file in `folders`; faults are passed over."""
    library = _Library(folders, [])
    named = _named("models", config.get("models") or {}, [])
    return {n: dict(v) if "kind" in v else library.merged("model", n, v) for n, v in named.items()}


@dataclass(frozen=True)
class _Library:
    """YAML files by group and name, the first folder that has one wins."""

    folders: Sequence[Path]
    faults: list[str]

    def names(self, group: str) -> list[str]:
        return sorted({p.stem for folder in self.folders for p in (folder / group).glob("*.yaml")})

    def merged(self, group: str, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of conf/<group>/<name>.yaml with changes; records a fault where there is no such file."""
        from omegaconf import OmegaConf

        for folder in self.folders:
            path = folder / group / f"{name}.yaml"
            if path.is_file():
                loaded = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
                if not isinstance(loaded, dict):
                    self.faults.append(f"{path}: expected a mapping of fields, got {type(loaded).__name__}")
                    return {}
                return {**{str(k): v for k, v in loaded.items()}, **changes}
        self.faults.append(f"{group}: {unknown(name, self.names(group))}; expected a file conf/{group}/{name}.yaml")
        return {}

    def expand_suites(self, tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Tasks with every suite replaced by its members; a member keeps the first place it has."""
        expanded: dict[str, dict[str, Any]] = {}
        for name, changes in tasks.items():
            fields = dict(changes) if "kind" in changes else self.merged("task", name, changes)
            if fields.get("kind") != "suite":
                expanded.setdefault(name, fields)
                continue
            members = fields.get("tasks") or []
            for member, inner in self.expand_suites({m: {} for m in members}).items():
                expanded.setdefault(member, inner)
        return expanded

    def plugin(self, package: str, name: str, changes: Mapping[str, Any]) -> Any:
        group = {"backends": "model", "adapters": "task", "metrics": "metric"}[package]
        fields = dict(changes) if "kind" in changes else self.merged(group, name, changes)
        if not fields:
            return None
        try:
            return build(package, name, fields)
        except DistillbenchError as error:
            self.faults.append(str(error))
            return None


def _named(key: str, value: Any, faults: list[str]) -> dict[str, dict[str, Any]]:
    """A mapping name -> changes, from a mapping or from a plain list of names."""
    if isinstance(value, (list, tuple)):
        value = dict.fromkeys(value)
    if not isinstance(value, Mapping):
        faults.append(f"{key}: expected a mapping of names or a list of names, got {value!r}")
        return {}
    wrong = [n for n, v in value.items() if not (v is None or isinstance(v, Mapping))]
    faults.extend(f"{key}.{n}: expected nothing or a mapping of fields, got {value[n]!r}" for n in wrong)
    return {str(n): dict(v or {}) for n, v in value.items() if n not in wrong}


def _narrowed(key: str, config: Mapping[str, Any], faults: list[str]) -> dict[str, dict[str, Any]]:
    """The matrix's entries, or exactly those that `only` names: tasks and metrics may then come from outside it."""
    named = _named(key, config[key], faults)
    wanted = (config["only"] or {}).get(key)
    if wanted is None:
        return named
    names = [wanted] if isinstance(wanted, str) else [str(n) for n in wanted]
    if key == "models":
        faults.extend(f"only.models: {unknown(n, list(named))}" for n in names if n not in named)
        names = [n for n in names if n in named]
    return {n: named.get(n, {}) for n in names}


def _kept_pairs(pairs: Sequence[Pair], models: set[str]) -> tuple[Pair, ...]:
    """Pairs whose teacher and student are among `models`; a base or ceiling that is not must still be named."""
    return tuple(p for p in pairs if {p.teacher, p.student} <= models)


def _kept_controls(controls: Sequence[Control], models: set[str]) -> tuple[Control, ...]:
    """Controls among `models`, for those of their teachers that are; one whose teachers are all gone goes too."""
    kept = [(c, tuple(t for t in c.teachers if t in models)) for c in controls if c.model in models]
    return tuple(replace(c, teachers=left) for c, left in kept if left or not c.teachers)


def _records(cls: type[Any], key: str, value: Any, faults: list[str]) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        faults.append(f"{key}: expected a list, got {value!r}")
        return ()
    records = []
    for index, fields in enumerate(value):
        if not isinstance(fields, Mapping):
            faults.append(f"{key}[{index}]: expected a mapping, got {fields!r}")
            continue
        try:
            records.append(build_dataclass(cls, fields, f"{key}[{index}]"))
        except DistillbenchError as error:
            faults.append(str(error))
    return tuple(records)


def _decoding(where: str, fields: dict[str, Any], seed: Any, faults: list[str]) -> tuple[Decoding, int]:
    samples = fields.pop("samples", 1)
    if fields.get("seed") is None:
        fields["seed"] = seed
    if not isinstance(samples, int) or samples < 1:
        faults.append(f"{where}.samples: expected a whole number of 1 or more, got {samples!r}")
        samples = 1
    try:
        return build_dataclass(Decoding, fields, where), samples
    except DistillbenchError as error:
        faults.append(str(error))
        return Decoding(), samples


def _paths(fields: Mapping[str, Any]) -> Paths:
    def absolute(value: str | None) -> Path | None:
        return Path(value).expanduser().absolute() if value is not None else None

    results, cache = absolute(fields["results"]), absolute(fields["cache"])
    assert results is not None
    assert cache is not None
    own = tuple(Path(p).expanduser().absolute() for p in fields["tasks"] or ())
    return Paths(results, cache, (*own, packaged("tasks")), absolute(fields["data"]), absolute(fields["datasets"]))


def _check_ranges(options: _Options) -> None:
    if options.limit is not None and options.limit < 1:
        raise DistillbenchError(f"limit: expected null or 1 or more, got {options.limit}")
    if options.workers < 1:
        raise DistillbenchError(f"workers: expected 1 or more, got {options.workers}")
    if not options.stages:
        raise DistillbenchError(f"stages: expected some of {', '.join(STAGES)}, got none")
