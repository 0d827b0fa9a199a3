"""What is wrong with a run, as far as it can be known before any model loads: each fault one line with its cure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.board.leaderboard import OTHER_COLUMNS
from harness.files.sources import read_answers
from harness.files.texts import training_file, training_texts
from harness.models import AbstractModel
from harness.panel.panel import View
from harness.plan.run import Run
from harness.plugins import kinds, plugin_class
from harness.schema import unknown
from harness.types import Decoding, DistillbenchError, Kind, Pair, Paths


def matrix_faults(run: Run) -> list[str]:
    """Empty matrices, and roles of models that are missing or contradict one another."""
    models = list(run.models)
    empty = [
        f"{key}: expected at least one {key[:-1]}, got none"
        for key, named in (("models", run.models), ("tasks", run.tasks))
        if not named
    ]
    pairs = [
        line
        for i, pair in enumerate(run.pairs)
        for line in _pair_faults(f"pairs[{i}]", pair, models)
    ]
    controls = [
        f"controls[{i}]: {unknown(name, models)}; every control must stand in `models`"
        for i, control in enumerate(run.controls)
        for name in (control.model, *control.teachers)
        if name not in models
    ]
    triples = [(p.teacher, p.student, p.base) for p in run.pairs]
    repeated = [
        f"pairs[{i}]: the same teacher, student and base stand twice; delete one"
        for i, triple in enumerate(triples)
        if triple in triples[:i]
    ]
    return [
        *empty,
        *_count_faults(run),
        *pairs,
        *controls,
        *_lineage_faults(run),
        *repeated,
        *_objective_faults(run),
        *_column_faults(run),
        *_figure_faults(run),
        *_export_faults(run),
        *(line for tracker in run.trackers.values() if tracker for line in tracker.faults()),
        *_data_faults(run),
        *_verdict_faults(run),
        *_budget_faults(run),
    ]


def _verdict_faults(run: Run) -> list[str]:
    """Models that a verdict names and that are not in the matrix, or cannot do what it needs."""
    known, faults = list(run.models), []
    for method, verdict in run.verdicts.items():
        reads = verdict.looks_at is View.ANSWERS
        if reads and not any(t.reads() and not t.readers() for t in run.tasks.values()):
            faults.append(
                f"verdicts.{method}: no task of this matrix {View.ANSWERS.words}; add one, such as "
                "`reads: {kind: reading, answers_to: TASK, by: [MODELS]}`"
            )
        for key, name in verdict.named_models().items():
            where = f"verdicts.{method}.{key}"
            if name not in known:
                faults.append(f"{where}: {unknown(name, known)}; it must stand in `models`")
            elif reads and "read" not in run.models[name].offers():
                faults.append(
                    f"{where}: {name} (kind {run.models[name].kind}) cannot read; name a model that gives "
                    "log-probabilities of texts"
                )
    return faults


def _data_faults(run: Run) -> list[str]:
    """What is wrong with a file of training answers; it is read whole."""
    if run.data is None:
        return []
    try:
        answers = read_answers(run.data.source(run.paths)).answers
    except DistillbenchError as error:
        shown = f"'data={{file: {run.data.file}, columns: {{prompt: NAME, answer: NAME}}}}'"
        return [f"data: {error}{f': {shown}' if str(error).endswith('`columns`') else ''}"]
    if any(a.kind == "generate" and not a.missing for a in answers):
        return []
    return [f"data: {run.data.file}: expected answers in words, got none"]


def _budget_faults(run: Run) -> list[str]:
    """Models with which a budget cannot be kept."""
    models = run.models.values() if run.budget.is_limited else ()
    return [line for model in models for line in model.budget_faults(run.budget)]


def twin_faults(models: Mapping[str, AbstractModel], keys: Mapping[str, str | None]) -> list[str]:
    """Models with one key, which would share their answers, unless they are declared the same.

    keys: model -> its key, None where it has a fault of its own.
    """
    faults, first = [], dict[str, str]()
    for name, key in keys.items():
        same = models[name].same_as
        if same is not None and same not in models:
            faults.append(f"model {name}: key same_as: {unknown(same, list(models))}")
        elif same is not None and None not in (key, keys.get(same)) and keys[same] != key:
            faults.append(
                f"model {name}: key same_as: {same} has other answers than {name}; make their other keys equal, or "
                "delete same_as"
            )
        elif key is not None and same is None:
            other = first.setdefault(key, name)
            if name not in (other, models[other].same_as):
                faults.append(_twins(other, name))
    return [*faults, *_seed_faults(models, keys)]


def _seed_faults(models: Mapping[str, AbstractModel], keys: Mapping[str, str | None]) -> list[str]:
    """Recipes without a name, and seeds that are one checkpoint under two names, which would count as two."""
    faults, first = [], dict[tuple[str, str], str]()
    for name, key in keys.items():
        recipe = models[name].recipe
        if recipe is not None and not recipe.strip():
            faults.append(f"model {name}: key recipe: expected the name of a recipe, got none")
        elif recipe is not None and key is not None:
            other = first.setdefault((recipe, key), name)
            if other != name:
                faults.append(
                    f"model {name}: key recipe: {other} is the same model, so both are one seed of {recipe}; "
                    "expected models that were trained with different seeds"
                )
    return faults


def _twins(first: str, second: str) -> str:
    return (
        f"models {first} and {second} are described alike and would share their answers: expected another `url`, "
        "`model` or `snapshot` of servers, another file or `where` of recorded answers, another checkpoint; where they "
        f"are the same model, say `same_as: {first}` in {second}"
    )


def _objective_faults(run: Run) -> list[str]:
    """Names of the objective that are not in the matrix."""
    asked = run.objective
    if asked is None:
        return []
    places: list[tuple[str, object, Sequence[str]]] = [
        ("metric", str(asked.metric).split("/")[0], list(run.metrics)),
        ("student", asked.student, list(run.models)),
        ("teacher", asked.teacher, list(run.models)),
        ("task", asked.task, list(run.tasks)),
    ]
    return [
        f"objective: {key}: {unknown(str(name), known)}"
        for key, name, known in places
        if name is not None and str(name) not in known
    ]


def _column_faults(run: Run) -> list[str]:
    """Columns of the leaderboard that neither a measure nor a task of the matrix fills, nor any model."""
    parts = [
        f"{name}/{column.part}"
        for name, metric in run.metrics.items()
        for column in metric.on_page()[0]
        if column.part
    ]
    known = [*run.metrics, *parts, *run.tasks, *OTHER_COLUMNS]
    return [
        f"columns: {unknown(name, known)}; name measures, tasks or facts of models"
        for name in run.columns
        if name not in known
    ]


def _count_faults(run: Run) -> list[str]:
    """Numbers of tasks that are too small."""
    counts = [
        (task.name, key, n, least)
        for task in run.tasks.values()
        for key, n, least in (
            ("samples", task.samples, "null or 1"),
            ("limit", task.limit, "null or 1"),
            ("minimum", task.minimum, "0"),
        )
    ]
    return [
        f"task {name}: key {key}: expected {least} or more, got {n}"
        for name, key, n, least in counts
        if n is not None and n < int(least[-1])
    ]


def _lineage_faults(run: Run) -> list[str]:
    """Controls that would count as several: of more than one lineage, or listed twice."""
    lineages: dict[str, list[str]] = {}
    for control in run.controls:
        lineages.setdefault(control.model, []).append(control.lineage)
    faults = [
        f"controls: {model} stands under the lineages {', '.join(dict.fromkeys(own))}; a model is of one: keep one"
        for model, own in lineages.items()
        if len(set(own)) > 1
    ]
    twice = [c.model for i, c in enumerate(run.controls) if c in run.controls[:i]]
    return faults + [
        f"controls: {model} stands twice; delete one" for model in dict.fromkeys(twice)
    ]


def _figure_faults(run: Run) -> list[str]:
    """Figures of the page that nobody draws."""
    known = kinds("figures")
    return [f"figures: {unknown(name, known)}" for name in run.figures if name not in known]


def _export_faults(run: Run) -> list[str]:
    """Exporters that are named and run with every report, under names that are no folder's."""
    fixed = [name for name, exporter in run.exports.items() if exporter and exporter.always]
    odd = [name for name in run.exports if not re.fullmatch(r"\w[\w-]*", name)]
    further = ", ".join(k for k in kinds("exports") if not plugin_class("exports", k).always)
    return [
        *(
            f"report.exports: {n} is written with every report; expected some of {further}"
            for n in fixed
        ),
        *(
            f"report.exports.{n}: {line}"
            for n, exporter in run.exports.items()
            if exporter
            for line in exporter.faults(list(run.tasks))
        ),
        *(f"report.exports: {n!r}: expected a name of letters, digits, - and _" for n in odd),
    ]


def _pair_faults(where: str, pair: Pair, models: Sequence[str]) -> list[str]:
    """Roles of a pair that nobody can take, or that one model takes twice."""
    named = {"teacher": pair.teacher, "student": pair.student, "base": pair.base}
    if pair.ceiling != "second_sample":
        named["ceiling"] = pair.ceiling
    faults = [
        f"{where}.{role}: {unknown(name, models)}; every model of a pair must stand in `models`"
        for role, name in named.items()
        if name is not None and name not in models
    ]
    if pair.teacher == pair.student:
        faults.append(
            f"{where}: {pair.teacher!r} is both teacher and student; name two different models"
        )
    if pair.base in (pair.teacher, pair.student):
        faults.append(
            f"{where}.base: {pair.base!r} is also the pair's teacher or student; name a third model or null"
        )
    return faults


def training_faults(backend: AbstractModel, paths: Paths) -> list[str]:
    """What is wrong with the training data that a model names; reads no further than the first text."""
    if backend.training_data is None:
        columns = backend.training_columns
        return (
            [f"model {backend.name}: key training_columns without training_data; name the file"]
            if columns
            else []
        )
    try:
        path = training_file(backend.training_data, paths)
        if (
            next((t for t in training_texts(path, backend.training_columns) if t.strip()), None)
            is None
        ):
            raise DistillbenchError(
                f"{path}: expected at least one text, got none; is it the right file?"
            )
    except DistillbenchError as error:
        return [f"model {backend.name}: key training_data: {error}"]
    return []


def reading_faults(run: Run) -> list[str]:
    """Tasks and models that a task reads and that do not stand in the matrix."""
    faults: list[str] = []
    for name, task in run.tasks.items():
        read = task.reads()
        if read is None:
            continue
        others = dict.fromkeys([*(task.authors() or ()), *(task.readers() or ())])
        missing = [read] if read not in run.tasks else [m for m in others if m not in run.models]
        faults.extend(
            f"task {name}: {unknown(n, [*run.tasks, *run.models])}; it must stand in the matrix"
            for n in missing
        )
    return faults


def offer_faults(
    model: AbstractModel, task: str, decoding: Decoding, kinds: frozenset[Kind]
) -> list[str]:
    """Kinds of request of a task that the model cannot answer."""
    offers = model.offers()
    faults = [
        f"task {task} needs {_NEED[kind]}, which model {model.name} (kind {model.kind}) cannot give; "
        f"take the task or the model out of the matrix"
        for kind in sorted(kinds - offers)
    ]
    if decoding.top_logprobs and "tokens" not in offers:
        faults.append(
            f"decoding.top_logprobs: model {model.name} (kind {model.kind}) gives no per-token "
            "log-probabilities"
        )
    return faults


_NEED = {
    "generate": "generated text",
    "score": "log-probabilities of given continuations",
    "read": "log-probabilities of texts",
    "choose": "recorded choices",
}
