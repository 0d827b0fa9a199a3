"""From Hydra's loose configuration to a typed run; nothing below this module sees a DictConfig."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import harness
from harness.cli import conffiles
from harness.cli.cases import case_of, data_of, documented, read_calibration
from harness.cli.executor import executor_of
from harness.cli.places import located
from harness.models import AbstractModel, Collecting
from harness.panel.evidence import Origin
from harness.plan.run import STAGES, Configuration, Draws, Gate, Name, Only, Recipe, Run
from harness.plugins import build, check_outside, kinds, use_folders
from harness.schema import build_dataclass, half_characters, sound_fields, unknown
from harness.stages.gate import gate_from, name_faults
from harness.types import Control, Decoding, DistillbenchError, Pair, Paths

# replace faulty keys, so that the others are checked too
_STAND_INS: dict[str, Any] = {
    "title": "", "stages": STAGES, "limit": None, "seed": 0, "workers": 1, "comparability": "refuse",
    "paths": Paths(Path(), Path()),
}  # fmt: skip


def packaged(name: str) -> Path:
    """The folder `conf`, `tasks` or `reference`: inside the installed package, or beside it in a checkout."""
    inside = Path(harness.__file__).parent / "data" / name
    outside = "results/reference" if name == "reference" else name
    return inside if inside.is_dir() else Path(harness.__file__).parent.parent / outside


def typed_run(
    config: Mapping[str, Any],
    folders: Sequence[Path],
    choices: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Run:
    """The run that a composed configuration describes; `folders` are searched for models, tasks and metrics.

    `choices` = group -> name of the file that was chosen; `settings` = keys of the command line with their values,
    which a gate may name. A key that is missing means its empty value.
    Raises DistillbenchError with every fault of the configuration, one a line.
    """
    _check_places(config, folders, choices or {})
    faults: list[str] = []
    asked = _configuration(config, faults)
    paths = located(asked.paths, packaged("tasks"), faults)
    _use_plugins(paths, faults)
    library = _Library(folders, faults)
    only = asked.only or Only()
    tables = documented(asked, paths.data, faults)
    matrix = _everyone(asked, tables, library)
    models = _chosen(matrix, only.models)
    faults += [f"only: key models: {unknown(n, list(matrix))}" for n in models if n not in matrix]
    models = {n: v for n, v in models.items() if n in matrix}
    tasks = library.plugins("tasks", library.expand_suites(_chosen(asked.tasks, only.tasks)))
    built = library.models(models, asked.collect)
    controls = _with_lineages(asked.controls, built)
    gate = _gate_of(asked, _gate(choices or {}), settings or {}, faults)
    origins = [o for o in tables if o.model in models]
    run = Run(
        title=asked.title, stages=asked.stages, models=built, tasks=tasks, paths=paths, figures=asked.figures,
        metrics=library.plugins("metrics", _chosen(asked.metrics, only.metrics)), skip_missing=asked.skip_missing,
        pairs=_kept_pairs(asked.pairs, only), controls=_kept_controls(controls, only), seed=asked.seed,
        decoding=_drawn(asked.decoding), task_decodings=_task_decodings(library, tasks, asked.seed), limit=asked.limit,
        samples=asked.decoding.samples, executor=executor_of(asked.executor, faults), comparability=asked.comparability,
        conditions=gate.conditions or (), baseline=_place(gate.baseline), workers=asked.workers,
        interactive=asked.report.interactive == "plotly", objective=asked.objective, settings=settings or {},
        exports=library.named("exports", asked.report.exports), trackers=library.named("trackers", asked.track),
        verdicts=library.plugins("verdicts", library.calibrated(_changes(asked.verdicts), paths.data)),
        case=case_of(asked, origins, controls, matrix, faults), recipe=_recipe(config, folders, choices, settings),
        data=data_of(asked, paths, faults), exhibit=_place(asked.exhibit), budget=asked.budget, columns=asked.columns,
    )  # fmt: skip
    if faults:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))
    return run


def _recipe(
    config: Mapping[str, Any],
    folders: Sequence[Path],
    choices: Mapping[str, str] | None,
    settings: Mapping[str, str] | None,
) -> Recipe:
    absolute = tuple(os.path.abspath(folder) for folder in folders)
    return Recipe(config, absolute, choices or {}, settings or {}, os.getcwd())


def _everyone(
    asked: Configuration, tables: Mapping[Origin, Mapping[str, Any]], library: _Library
) -> dict[str, dict[str, Any]]:
    """Name -> fields of the models of the matrix, of its tables, and those of a case that have a file of their own."""
    named = {o.model: dict(answers) for o, answers in tables.items()}
    for name, changes in _changes(asked.models).items():
        named[name] = changes if "kind" in changes else named.get(name, {}) | changes
    controls = [c.model if isinstance(c, Control) else c for c in asked.controls]
    of_case = (
        map(str, (asked.suspect, *asked.candidates, *controls))
        if asked.lineages or asked.verdicts
        else ()
    )
    described = [n for n in of_case if n not in named and library.has_file("model", n)]
    return {**named, **{name: {} for name in described}}


def whole_models(config: Mapping[str, Any], folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Name -> fields of every model of a configuration, with those of its file in `folders`; faults are passed over."""
    library = _Library(folders, [])
    named = _changes(config.get("models"))
    return {n: {**library.fields("models", n, v), **v} for n, v in named.items()}


def whole_matrix(
    config: Mapping[str, Any], folders: Sequence[Path]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Models, tasks and metrics of a configuration with the fields of their files; suites as their members.

    Raises DistillbenchError with a line for every name without a file.
    """
    faults: list[str] = []
    library = _Library(folders, faults)
    whole = {
        "models": {n: library.fields("models", n, v) for n, v in _changes(config.get("models")).items()},
        "tasks": library.expand_suites(_changes(config.get("tasks"))),
        "metrics": {n: library.fields("metrics", n, v) for n, v in _changes(config.get("metrics")).items()},
    }  # fmt: skip
    if faults:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))
    return whole


def _configuration(config: Mapping[str, Any], faults: list[str]) -> Configuration:
    """The keys of a composed configuration, typed; what is wrong with them is added to `faults`."""
    keys = dict(config)
    keys["decoding"] = _seeded(config.get("decoding"), config.get("seed"))
    return Configuration(**{**_STAND_INS, **sound_fields(Configuration, keys, "", faults)})


def _seeded(fields: Any, seed: Any) -> Any:
    """The keys of a decoding with the run's seed where they name none; anything but keys as it is."""
    fields = {} if fields is None else fields
    if not isinstance(fields, Mapping) or fields.get("seed") is not None:
        return fields
    return {**fields, "seed": seed if type(seed) is int else 0}


def _drawn(draws: Draws) -> Decoding:
    return Decoding(**{k: v for k, v in vars(draws).items() if k != "samples"})


def _task_decodings(library: _Library, tasks: Mapping[str, Any], seed: int) -> dict[str, Decoding]:
    """Task -> the decoding of the file that it names, where it names one."""
    named = {n: t.decoding for n, t in tasks.items() if t is not None and t.decoding}
    return {n: library.decoding(file, seed) for n, file in named.items()}


def _check_places(
    config: Mapping[str, Any], folders: Sequence[Path], choices: Mapping[str, str]
) -> None:
    """Raises DistillbenchError where a value is missing, keys stand elsewhere, or a text has half a character."""
    if halves := half_characters(config, "configuration"):
        raise DistillbenchError("\n".join(halves))
    conffiles.refuse_missing(config)
    path = conffiles.find(folders, "matrix", choices.get("matrix", ""))
    lost = isinstance(config.get("matrix"), Mapping) or not config.get("models")
    if path is not None and lost and not conffiles.is_global(path):
        raise DistillbenchError(conffiles.not_global(path))
    if "decoding" in choices and "decoding" not in config:
        raise DistillbenchError(
            f"conf/decoding/{choices['decoding']}.yaml: its keys do not stand under `decoding`; remove its line "
            "`# @package ...`"
        )
    if config.get("gate") is None:
        gate_from(None, _gate(choices))


def _gate(choices: Mapping[str, str]) -> str:
    """The name of the gate that was asked for; "" where there is none."""
    name = choices.get("gate", "none")
    return "" if name == "none" else name


def _gate_of(
    asked: Configuration, chosen: str, settings: Mapping[str, str], faults: list[str]
) -> Gate:
    """The gate; one that would not be looked at, and a stage `gate` without any, are faults."""
    try:
        gate = gate_from(asked.gate, chosen)
    except DistillbenchError as error:
        faults.append(str(error))
        return Gate()
    faults += name_faults(gate, chosen, settings)
    if "plan" in asked.stages:
        return gate
    if gate.conditions and "gate" not in asked.stages:
        faults.append(
            f"gate{' ' + chosen if chosen else ''}: no condition was looked at: `gate` is not among the stages; "
            "add it, or run with gate=none"
        )
    if not gate.conditions and "gate" in asked.stages and asked.stages != STAGES:
        faults.append(
            "gate: no condition was looked at: `gate` is among the stages and no gate is named; add gate=NAME, or take "
            "it out of the stages"
        )
    return gate


def _place(path: str | None) -> Path | None:
    return None if path is None else Path(os.path.abspath(os.path.expanduser(path)))


@dataclass(frozen=True)
class _Library:
    """YAML files by group and name, the first folder that has one wins."""

    folders: Sequence[Path]
    faults: list[str]

    def fields(self, package: str, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of one model, task or metric: its file's, or the kind of that name, with changes.

        Empty where there is neither; that is recorded as a fault.
        """
        if "kind" in changes:
            return dict(changes)
        group, known = package[:-1], kinds(package)
        if self._path(group, name) is None and name in known:
            return {"kind": name, **changes}
        return self._merged(group, name, changes, known)

    def decoding(self, name: str, seed: int) -> Decoding:
        """The decoding of a file; a fault is recorded, and greedy is used instead."""
        fields = self._merged("decoding", name, {}, ())
        try:
            return _drawn(build_dataclass(Draws, _seeded(fields, seed), f"decoding {name}"))
        except DistillbenchError as error:
            self.faults.append(str(error))
            return Decoding()

    def plugins(self, package: str, named: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Name -> what it describes, None where that is at fault."""
        return {name: self._plugin(package, name, changes) for name, changes in named.items()}

    def named(self, package: str, names: Any) -> dict[str, Any]:
        """The same of names as a configuration has them."""
        return self.plugins(package, _changes(names))

    def models(self, named: Mapping[str, Mapping[str, Any]], collect: Collecting) -> dict[str, Any]:
        """The models, asked in the way that the run wants where they do not say it themselves."""
        built = self.plugins("models", named)
        return {name: model and model.collected(collect) for name, model in built.items()}

    def calibrated(
        self, verdicts: dict[str, dict[str, Any]], data: Path | None
    ) -> dict[str, dict[str, Any]]:
        """Verdicts with the contents of the calibrations that they name: of conf/calibration, or a file in `data`."""
        filled = {}
        for name, fields in verdicts.items():
            file = fields.get("calibration")
            if isinstance(file, str):
                paths = [folder / "calibration" / f"{file}.json" for folder in self.folders]
                path = next((p for p in paths if p.exists()), (data or Path()) / file)
                fields = {**fields, "calibration": read_calibration(path, self.faults)}
            filled[name] = fields
        return filled

    def has_file(self, group: str, name: str) -> bool:
        """Whether a folder has conf/<group>/<name>.yaml."""
        return self._path(group, name) is not None

    def _path(self, group: str, name: str) -> Path | None:
        paths = (folder / group / f"{name}.yaml" for folder in self.folders)
        return next((p for p in paths if p.exists()), None)

    def _merged(
        self, group: str, name: str, changes: Mapping[str, Any], others: Sequence[str]
    ) -> dict[str, Any]:
        """Fields of conf/<group>/<name>.yaml with changes; `others` = names that need no file."""
        path = self._path(group, name)
        if path is not None:
            try:
                return {**conffiles.read(path, resolve=True), **changes}
            except DistillbenchError as error:
                self.faults.append(str(error))
                return {}
        files = {p.stem for folder in self.folders for p in (folder / group).glob("*.yaml")}
        self.faults.append(
            f"{group}: {unknown(name, [*files.union(others)])}; expected a file conf/{group}/{name}.yaml"
            f"{conffiles.elsewhere(group, name)}"
        )
        return {}

    def expand_suites(
        self, tasks: Mapping[str, Mapping[str, Any]], inside: tuple[str, ...] = ()
    ) -> dict[str, dict[str, Any]]:
        """Tasks with every suite replaced by its members; a member keeps the first place it has."""
        expanded: dict[str, dict[str, Any]] = {}
        for name, changes in tasks.items():
            fields = self.fields("tasks", name, changes)
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

    def _plugin(self, package: str, name: str, changes: Mapping[str, Any]) -> Any:
        fields = self.fields(package, name, changes)
        if not fields:
            return None
        try:
            return build(package, name, fields)
        except DistillbenchError as error:
            self.faults.append(str(error))
            return None


def _changes(named: Any) -> dict[str, dict[str, Any]]:
    """Name -> changes to its file, from a mapping or from names alone; what is neither is passed over."""
    if isinstance(named, (list, tuple)):
        named = dict.fromkeys(named)
    if not isinstance(named, Mapping):
        return {}
    return {str(n): dict(v) if isinstance(v, Mapping) else {} for n, v in named.items()}


def _kept(name: str, only: Sequence[str | int] | None) -> bool:
    return only is None or name in map(str, only)


def _chosen(named: Any, only: Sequence[str | int] | None) -> dict[str, dict[str, Any]]:
    """The matrix's entries, or exactly those that `only` names: they may come from outside it."""
    changes = _changes(named)
    return changes if only is None else {str(n): changes.get(str(n), {}) for n in only}


def _kept_pairs(pairs: Sequence[Pair], only: Only) -> tuple[Pair, ...]:
    """Pairs whose teacher and student are kept; a base or ceiling that is not must still be named."""
    return tuple(
        p for p in pairs if _kept(p.teacher, only.models) and _kept(p.student, only.models)
    )


def _with_lineages(
    controls: Sequence[Control | Name], models: Mapping[str, AbstractModel]
) -> list[Control]:
    """Controls with the lineage that the matrix states, else that of the model's YAML, its recipe, or its name."""
    named = [c if isinstance(c, Control) else Control(str(c)) for c in controls]
    lineages = {name: model.lineage or model.recipe for name, model in models.items() if model}
    return [replace(c, lineage=c.lineage or lineages.get(c.model) or c.model) for c in named]


def _kept_controls(controls: Sequence[Control], only: Only) -> tuple[Control, ...]:
    """Controls that are kept, for those of their teachers that are; one whose teachers are all gone goes too."""
    chosen = [
        (c, tuple(t for t in c.teachers if _kept(t, only.models)))
        for c in controls
        if _kept(c.model, only.models)
    ]
    return tuple(replace(c, teachers=left) for c, left in chosen if left or not c.teachers)


def _use_plugins(paths: Paths, faults: list[str]) -> None:
    """Makes the run's own plug-ins known, before names are looked up; raises DistillbenchError for unusable ones."""
    try:
        use_folders(paths.plugins)
        check_outside("figures", "exports", "trackers")
    except DistillbenchError as error:
        raise DistillbenchError("\n".join([*faults, str(error)])) from None
