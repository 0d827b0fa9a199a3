"""The first half of a plan: the keys of everything, before anything is read from the store or made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from harness.console.progress import stage
from harness.files.hashes import file_sha256
from harness.files.texts import training_file
from harness.keys import digest
from harness.models import AbstractModel
from harness.plan.faults import matrix_faults, reading_faults, training_faults, twin_faults
from harness.plan.run import Run
from harness.store.tables import SCHEMA
from harness.tasks import AbstractTask, Setting
from harness.types import DistillbenchError

T = TypeVar("T")


@dataclass(frozen=True)
class Identities:
    """Keys of models, request sets and training data; and what is wrong with the configuration, each one line."""

    models: Mapping[str, str]  # model -> key for its answers; models with faults are absent
    requests: Mapping[
        tuple[str, bool], str
    ]  # (task, in chat) -> key; not of tasks that read answers
    training: Mapping[str, str]  # model -> digest of the texts that it was trained on, where named
    faults: tuple[str, ...]


def identify(run: Run) -> Identities:
    """The identities of a run; reads files of models and tasks, or their memoised digests, and loads nothing."""
    faults = [*matrix_faults(run), *_unheard_systems(run)]
    models = {name: _model_key(run, name, faults) for name in run.models}
    faults.extend(twin_faults(run.models, models))
    requests = {
        (name, chat): _requests_key(task, setting_of(run, task, chat), faults)
        for name, task in run.tasks.items()
        if task.reads() is None
        for chat in chats_of(run, name)
    }
    faults.extend(reading_faults(run))
    return Identities(
        {name: key for name, key in models.items() if key is not None},
        {place: key for place, key in requests.items() if key is not None},
        {
            name: _training_key(run, m)
            for name, m in run.models.items()
            if m.training_data and models[name]
        },
        tuple(faults),
    )


def setting_of(run: Run, task: AbstractTask, chat: bool) -> Setting:
    """The setting that a task depends on in this run."""
    limits = [n for n in (run.limit, task.limit) if n is not None]
    return Setting(run.paths, chat, None, min(limits, default=None), run.seed)


def requests_key(task: AbstractTask, setting: Setting) -> str:
    """Key of the requests of a task."""
    return digest("requests", SCHEMA, task.key(setting))


def chat_of(model: AbstractModel, task: AbstractTask) -> bool:
    """Whether this model is asked this task in conversations."""
    return model.chat if task.chat is None else task.chat


def asked(run: Run, model: str, task: str) -> bool:
    """Whether a model is asked a task: a judge alone judges, and a model that only judges is asked nothing else.

    Whose answers are read need not be able to read: recorded answers of a teacher are enough.
    """
    readers = run.tasks[task].readers()
    if readers is not None:
        return model in readers
    writes_only = (
        model in (run.tasks[task].authors() or ()) and "read" not in run.models[model].offers()
    )
    return model not in run.judges_alone and not writes_only


def chats_of(run: Run, task: str) -> list[bool]:
    """Whether models are asked a task in conversations: [False], [True], or both where they differ."""
    return sorted(
        {chat_of(m, run.tasks[task]) for n, m in run.models.items() if asked(run, n, task)}
    )


def _unheard_systems(run: Run) -> list[str]:
    """System messages of models that are asked in plain text, where nobody would hear them."""
    return [
        f"model {model.name}: key system: expected `chat: true` beside it, got chat: false; task {task.name} asks in "
        "plain text, where there is no system message: set chat: true, or delete system"
        for name, model in run.models.items()
        for task in list(plainly_asked(run, name))[:1]
        if model.system
    ]


def plainly_asked(run: Run, model: str) -> Iterator[AbstractTask]:
    """Tasks that a model is asked in plain text because of its own `chat: false`."""
    for name, task in run.tasks.items():
        if asked(run, model, name) and task.chat is None and not run.models[model].chat:
            yield task


def _model_key(run: Run, name: str, faults: list[str]) -> str | None:
    model = run.models[name]
    with stage(f"looking at model {name}"):
        own = model.faults(run.paths)
        faults.extend([*own, *training_faults(model, run.paths)])
        return None if own else _attempt(faults, partial(model.key, run.paths))


def _requests_key(task: AbstractTask, setting: Setting, faults: list[str]) -> str | None:
    with stage(f"looking at task {task.name}"):
        own = task.faults(setting)
        faults.extend(own)
        return None if own else _attempt(faults, partial(requests_key, task, setting))


def _training_key(run: Run, model: AbstractModel) -> str:
    try:
        path = training_file(str(model.training_data), run.paths)
    except DistillbenchError:
        return ""  # a fault that is named among the others
    return digest(file_sha256(path, run.paths.cache), sorted(model.training_columns))


def _attempt(faults: list[str], step: Callable[[], T]) -> T | None:
    try:
        return step()
    except DistillbenchError as error:
        faults.append(str(error))
        return None
