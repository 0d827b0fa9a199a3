"""From Hydra's loose configuration to a typed run; nothing below this module sees a DictConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import harness
from harness.cli import conffiles
from harness.plan.run import STAGES, Condition, Run, Stage
from harness.plugins import build
from harness.schema import build_dataclass, unknown
from harness.stages.gate import conditions_from
from harness.types import Control, Decoding, DistillbenchError, Pair, Paths


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
    inside = Path(harness.__file__).parent / "data" / name
    outside = "results/reference" if name == "reference" else name
    return inside if inside.is_dir() else Path(harness.__file__).parent.parent / outside


def typed_run(
    config: Mapping[str, Any], folders: Sequence[Path], choices: Mapping[str, str] | None = None
) -> Run:
    """The run that a composed configuration describes; `folders` are searched for models, tasks and metrics.

    `choices` = group -> name of the file that was chosen. A key that is missing means its empty value.
    Raises DistillbenchError with every fault of the configuration, one a line.
    """
    _check_places(config, folders, choices or {})
    faults: list[str] = []
    only = _only(config.get("only"), faults)
    library = _Library(folders, faults)
    tasks = library.expand_suites(_narrowed("tasks", config, only, faults))
    models = {
        n: library.plugin("models", n, v)
        for n, v in _narrowed("models", config, only, faults).items()
    }
    built_tasks = {n: library.plugin("tasks", n, v) for n, v in tasks.items()}
    metrics = {
        n: library.plugin("metrics", n, v)
        for n, v in _narrowed("metrics", config, only, faults).items()
    }
    pairs = _records(Pair, "pairs", config.get("pairs", []), faults)
    controls = _records(Control, "controls", config.get("controls", []), faults)
    if only["models"] is not None:
        pairs, controls = _kept_pairs(pairs, set(models)), _kept_controls(controls, set(models))
    decoding, samples = _decoding("decoding", config.get("decoding"), config.get("seed"), faults)
    task_decodings = {
        n: _decoding(
            f"decoding {t.decoding}",
            library.merged("decoding", t.decoding, {}),
            config.get("seed"),
            faults,
        )[0]
        for n, t in built_tasks.items()
        if t is not None and t.decoding
    }
    conditions = _conditions(config, (choices or {}).get("gate", "none"), faults)
    options = _options(config, faults)
    paths = _paths(config.get("paths"), faults)
    if faults or options is None or paths is None:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))
    return Run(
        models=models, tasks=built_tasks, metrics=metrics, pairs=pairs, controls=controls, decoding=decoding,
        task_decodings=task_decodings, samples=samples, conditions=conditions, paths=paths,
        lock=bool(config["paths"].get("lock", True)), **vars(options),
    )  # fmt: skip


def whole_models(config: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Name -> fields of every model of a configuration, with those of its file in `folders`; faults are passed over."""
    library = _Library(folders, [])
    named = _named("models", config.get("models") or {}, [])
    return {n: dict(v) if "kind" in v else library.merged("model", n, v) for n, v in named.items()}


def _check_places(
    config: Mapping[str, Any], folders: Sequence[Path], choices: Mapping[str, str]
) -> None:
    """Raises DistillbenchError where a file that was chosen put its keys somewhere else than a run looks."""
    path = conffiles.find(folders, "matrix", choices.get("matrix", ""))
    lost = isinstance(config.get("matrix"), Mapping) or not config.get("models")
    if path is not None and lost and not conffiles.is_global(path):
        raise DistillbenchError(conffiles.not_global(path))
    if "decoding" in choices and "decoding" not in config:
        raise DistillbenchError(
            f"conf/decoding/{choices['decoding']}.yaml: its keys do not stand under `decoding`; remove its line "
            "`# @package ...`"
        )


def _conditions(config: Mapping[str, Any], name: str, faults: list[str]) -> tuple[Condition, ...]:
    """The gate's conditions; a gate that would not be looked at is a fault."""
    chosen = "" if name == "none" else name
    try:
        conditions = conditions_from(config.get("gate"), chosen)
    except DistillbenchError as error:
        faults.append(str(error))
        return ()
    stages = config.get("stages")
    if conditions and isinstance(stages, (list, tuple)) and "gate" not in stages:
        faults.append(
            f"gate{' ' + chosen if chosen else ''}: no condition was looked at: `gate` is not among the stages; "
            "add it, or run with gate=none"
        )
    return conditions


def _options(config: Mapping[str, Any], faults: list[str]) -> _Options | None:
    keys = ("title", "stages", "limit", "seed", "workers", "comparability")
    try:
        options: _Options = build_dataclass(
            _Options, {k: config[k] for k in keys if k in config}, "configuration"
        )
        _check_ranges(options)
    except DistillbenchError as error:
        faults.append(str(error))
        return None
    return options


@dataclass(frozen=True)
class _Library:
    """YAML files by group and name, the first folder that has one wins."""

    folders: Sequence[Path]
    faults: list[str]

    def names(self, group: str) -> list[str]:
        return sorted({p.stem for folder in self.folders for p in (folder / group).glob("*.yaml")})

    def merged(self, group: str, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of conf/<group>/<name>.yaml with changes; records a fault where there is no such file."""
        path = next(
            (p for folder in self.folders if (p := folder / group / f"{name}.yaml").exists()), None
        )
        if path is not None:
            try:
                return {**conffiles.read(path, resolve=True), **changes}
            except DistillbenchError as error:
                self.faults.append(str(error))
                return {}
        self.faults.append(
            f"{group}: {unknown(name, self.names(group))}; expected a file conf/{group}/{name}.yaml"
        )
        return {}

    def expand_suites(
        self, tasks: Mapping[str, Mapping[str, Any]], inside: tuple[str, ...] = ()
    ) -> dict[str, dict[str, Any]]:
        """Tasks with every suite replaced by its members; a member keeps the first place it has."""
        expanded: dict[str, dict[str, Any]] = {}
        for name, changes in tasks.items():
            fields = dict(changes) if "kind" in changes else self.merged("task", name, changes)
            if fields.get("kind") != "suite":
                expanded.setdefault(name, fields)
                continue
            for member, inner in self.expand_suites(
                self._members(name, fields, inside), (*inside, name)
            ).items():
                expanded.setdefault(member, inner)
        return expanded

    def _members(
        self, suite: str, fields: Mapping[str, Any], inside: tuple[str, ...]
    ) -> dict[str, dict[str, Any]]:
        """The tasks of a suite, none of them changed."""
        listed = fields.get("tasks") or []
        if suite in inside:
            self.faults.append(
                f"task {suite}: a suite that holds itself: {' -> '.join((*inside, suite))}"
            )
            return {}
        if not isinstance(listed, list) or not all(isinstance(n, str) for n in listed):
            self.faults.append(f"task {suite}: tasks: expected a list of names, got {listed!r}")
            return {}
        return {name: {} for name in listed}

    def plugin(self, package: str, name: str, changes: Mapping[str, Any]) -> Any:
        group = package[:-1]
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
    if isinstance(value, (list, tuple)) and all(isinstance(name, (str, int)) for name in value):
        value = dict.fromkeys(value)
    if not isinstance(value, Mapping):
        faults.append(f"{key}: expected a mapping of names or a list of names, got {value!r}")
        return {}
    wrong = [n for n, v in value.items() if not (v is None or isinstance(v, Mapping))]
    faults.extend(
        f"{key}.{n}: expected nothing or a mapping of fields, got {value[n]!r}" for n in wrong
    )
    return {str(n): dict(v or {}) for n, v in value.items() if n not in wrong}


def _only(value: Any, faults: list[str]) -> dict[str, list[str] | None]:
    """What `only` names of models, tasks and metrics; None = everything."""
    fields = {} if value is None else value
    if not isinstance(fields, Mapping):
        faults.append(f"only: expected a mapping of models, tasks, metrics, got {value!r}")
        fields = {}
    known = ("models", "tasks", "metrics")
    faults.extend(f"only: {unknown(str(k), known)}" for k in fields if k not in known)
    wanted: dict[str, list[str] | None] = {}
    for key in known:
        names = fields.get(key)
        if names is not None and not isinstance(names, (str, list, tuple)):
            faults.append(f"only.{key}: expected a list of names, got {names!r}")
            names = None
        wanted[key] = (
            None
            if names is None
            else [names]
            if isinstance(names, str)
            else [str(n) for n in names]
        )
    return wanted


def _narrowed(
    key: str, config: Mapping[str, Any], only: Mapping[str, list[str] | None], faults: list[str]
) -> dict[str, dict[str, Any]]:
    """The matrix's entries, or exactly those that `only` names: tasks and metrics may then come from outside it."""
    named = _named(key, config.get(key, {}), faults)
    names = only[key]
    if names is None:
        return named
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


def _decoding(where: str, value: Any, seed: Any, faults: list[str]) -> tuple[Decoding, int]:
    if value is not None and not isinstance(value, Mapping):
        faults.append(f"{where}: expected a mapping of fields, got {value!r}")
    fields = {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}
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


def _paths(value: Any, faults: list[str]) -> Paths | None:
    """The folders of a run, absolute; None where they are at fault."""
    if not isinstance(value, Mapping):
        faults.append(f"paths: expected a mapping of folders, got {value!r}")
        return None
    before = len(faults)
    named: dict[str, Any] = {k: value.get(k) for k in ("results", "cache", "data", "datasets")}
    tasks = value.get("tasks") or []
    for key, folder in named.items():
        optional = key in ("data", "datasets") and folder is None
        if not optional and not (isinstance(folder, str) and folder.strip()):
            faults.append(f"paths.{key}: expected a folder, got {folder!r}")
    if not isinstance(tasks, (list, tuple)) or not all(isinstance(t, str) for t in tasks):
        faults.append(f"paths.tasks: expected a list of folders, got {tasks!r}")
    if len(faults) > before:
        return None
    places = {k: _absolute(v) for k, v in named.items() if v is not None}
    own = tuple(_absolute(folder) for folder in tasks)
    return Paths(
        places["results"],
        places["cache"],
        (*own, packaged("tasks")),
        places.get("data"),
        places.get("datasets"),
    )


def _absolute(folder: str) -> Path:
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError:
        raise DistillbenchError(
            f"paths: {folder}: expected a folder, got the home of somebody unknown here"
        ) from None


def _check_ranges(options: _Options) -> None:
    if options.limit is not None and options.limit < 1:
        raise DistillbenchError(f"limit: expected null or 1 or more, got {options.limit}")
    if options.workers < 1:
        raise DistillbenchError(f"workers: expected 1 or more, got {options.workers}")
    if not options.stages:
        raise DistillbenchError(f"stages: expected some of {', '.join(STAGES)}, got none")
