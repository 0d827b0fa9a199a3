"""Faults of a run that can be detected before any model loads: each one line with its cure."""

from __future__ import annotations

from harness.files.texts import training_file, training_texts
from harness.models import AbstractModel
from harness.plan.run import Run
from harness.schema import unknown
from harness.types import Decoding, DistillbenchError, Kind, Paths


def matrix_faults(run: Run) -> list[str]:
    """Empty matrices, and roles of models that are missing or contradict one another."""
    faults = []
    models = list(run.models)
    if not models:
        faults.append("models: expected at least one model, got none")
    if not run.tasks:
        faults.append("tasks: expected at least one task, got none")
    for task in run.tasks.values():
        if task.samples is not None and task.samples < 1:
            faults.append(
                f"task {task.name}: key samples: expected null or 1 or more, got {task.samples}"
            )
    for index, pair in enumerate(run.pairs):
        where = f"pairs[{index}]"
        named = {
            "teacher": pair.teacher,
            "student": pair.student,
            "base": pair.base,
            "ceiling": pair.ceiling,
        }
        for role, name in named.items():
            if (
                name is not None
                and name not in models
                and (role, name) != ("ceiling", "second_sample")
            ):
                faults.append(
                    f"{where}.{role}: {unknown(name, models)}; every model of a pair must stand in `models`"
                )
        if pair.teacher == pair.student:
            faults.append(
                f"{where}: {pair.teacher!r} is both teacher and student; name two different models"
            )
        if pair.base in (pair.teacher, pair.student):
            faults.append(
                f"{where}.base: {pair.base!r} is also the pair's teacher or student; name a third model or null"
            )
    for index, control in enumerate(run.controls):
        for name in (control.model, *control.teachers):
            if name not in models:
                faults.append(
                    f"controls[{index}]: {unknown(name, models)}; every control must stand in `models`"
                )
    seen: set[tuple[str, str, str | None]] = set()
    for index, pair in enumerate(run.pairs):
        key = (pair.teacher, pair.student, pair.base)
        if key in seen:
            faults.append(
                f"pairs[{index}]: the same teacher, student and base stand twice; delete one"
            )
        seen.add(key)
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
    """Tasks and models that a task reads but that are missing from the matrix."""
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
    "read": "log-probabilities of a whole text",
    "choose": "recorded choices",
}
