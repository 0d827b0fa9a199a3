"""Matrix -> cells, and every fault of a run in one error before any model loads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from harness.console.progress import stage
from harness.keys import digest, key_parts
from harness.models import AbstractModel
from harness.panel.side import Side
from harness.plan.faults import matrix_faults, offer_faults, training_faults
from harness.plan.run import Run
from harness.schema import unknown
from harness.store.store import Store
from harness.store.tables import SCHEMA, outputs_from_table, requests_from_table, requests_to_table
from harness.tasks import AbstractTask, Setting, asks
from harness.types import Decoding, DistillbenchError, Pair, RequestSet

# Part of an answer's key, in which there is no other version of ours: raised when requests, decoding or
# stored answers come to mean something else, which asks every model again.
_FORM = 1
Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Cell:
    """One collection: a model answers a task once."""

    model: str
    task: str
    decoding: Decoding


@dataclass(frozen=True)
class BuiltRequests:
    """A request set and what it depended on."""

    key: str
    asks: str  # digest of what a model is asked
    requests: RequestSet
    setting: Setting


@dataclass(frozen=True)
class PlannedCell:
    """One collection with the keys under which its results lie."""

    cell: Cell  # with the effective decoding: only what changes this task's answers
    requests: RequestSet
    setting: Setting
    requests_key: str
    asks: str  # digest of what the model is asked
    key: str  # of the outputs
    grades_key: str | None  # None where the task has no right answers


@dataclass(frozen=True)
class Plan:
    """All collections of a run, one model's after another's."""

    run: Run
    model_keys: Mapping[str, str]  # model -> key of what it would answer
    cells: tuple[PlannedCell, ...]
    # reading tasks whose authors have not answered yet: plan again after collecting
    pending: tuple[str, ...] = ()

    def find(self, model: str, task: str, sample: int = 0) -> PlannedCell | None:
        """The collection of a sample; greedy or scored answers have only sample 0."""
        for planned in self.cells:
            cell = planned.cell
            if (cell.model, cell.task, cell.decoding.sample) == (model, task, sample):
                return planned
        return None

    def fits(self, task: str, wanted: frozenset[str]) -> bool:
        """Whether a task yields what a metric looks at."""
        yields = {y for c in self.cells if c.cell.task == task for y in c.requests.yields}
        if any(c.cell.decoding.top_logprobs for c in self.cells if c.cell.task == task):
            yields.add("tokens")
        return wanted <= yields


def make_plan(run: Run, store: Store, say: Say) -> Plan:
    """The plan of a run; builds and stores request sets that are missing, loads no model.

    Raises DistillbenchError with every fault that can be known now, one a line.
    """
    faults = matrix_faults(run)
    keys: dict[str, str] = {}
    for name, backend in run.models.items():
        with stage(f"looking at model {name}"):
            found = backend.faults(run.paths)
            faults.extend([*found, *training_faults(backend, run.paths)])
            key = None if found else _attempt(faults, partial(backend.key, run.paths))
        if key is not None:
            keys[name] = key
    sets = _request_sets(run, store, say, faults)
    cells = [cell for n in keys for t in run.tasks for cell in _cells(run, n, t, sets, keys[n])]
    reading, pending = _reading_sets(Plan(run, keys, tuple(cells)), store, say, faults)
    cells += [cell for n in keys for t in run.tasks for cell in _cells(run, n, t, reading, keys[n])]
    for planned in cells:
        cell = planned.cell
        model = run.models[cell.model]
        faults.extend(offer_faults(model, cell.task, cell.decoding, planned.requests))
    if faults:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))
    return Plan(run, keys, tuple(cells), tuple(pending))


def effective_decoding(decoding: Decoding, requests: RequestSet) -> Decoding:
    """`decoding` with every field that cannot change the answers to these requests set to its default."""
    generate = [r for r in requests.requests if r.kind == "generate"]
    free = [r for r in generate if r.temperature is None]
    hottest = max(
        [decoding.temperature if r.temperature is None else r.temperature for r in generate],
        default=0.0,
    )
    none = Decoding()
    sampled = hottest > 0
    return dataclasses.replace(
        decoding,
        temperature=decoding.temperature if free else none.temperature,
        top_p=decoding.top_p if sampled and any(r.top_p is None for r in generate) else none.top_p,
        max_new_tokens=decoding.max_new_tokens
        if any(r.max_new_tokens is None for r in generate)
        else none.max_new_tokens,
        seed=decoding.seed if sampled else none.seed,
        sample=decoding.sample if sampled else none.sample,
    )


def chat_of(backend: AbstractModel, task: AbstractTask) -> bool:
    """Whether this model is asked this task in conversations."""
    return backend.chat if task.chat is None else task.chat


def asked(run: Run, model: str, task: str) -> bool:
    """Whether a model is asked a task: a judge alone judges, and a model that only judges is asked nothing else."""
    readers = run.tasks[task].readers()
    if readers is not None:
        return model in readers
    judges = {m for t in run.tasks.values() for m in t.readers() or ()}
    roles = {m for p in run.pairs for m in (p.teacher, p.student, p.base, p.ceiling)}
    return model not in judges - roles - {c.model for c in run.controls}


def _chats(run: Run, task: str) -> list[bool]:
    """Whether those who are asked a task are asked in conversations; both where they differ."""
    return sorted(
        {chat_of(b, run.tasks[task]) for n, b in run.models.items() if asked(run, n, task)}
    )


def _request_sets(
    run: Run, store: Store, say: Say, faults: list[str]
) -> dict[tuple[str, bool], BuiltRequests]:
    """(task, chat) -> key, requests and setting, for every combination that some model needs."""
    sets: dict[tuple[str, bool], BuiltRequests] = {}
    for name, task in run.tasks.items():
        if task.reads() is not None:
            continue
        for chat in _chats(run, name):
            setting = Setting(run.paths, chat, None, run.limit, run.seed)
            with stage(f"looking at task {name}"):
                found = task.faults(setting)
                faults.extend(found)
                built = (
                    None
                    if found
                    else _attempt(faults, partial(_built, run, name, setting, store, say))
                )
            if built is not None:
                sets[name, chat] = built
    return sets


@stage("looking at what is to be read")
def _reading_sets(
    plan: Plan, store: Store, say: Say, faults: list[str]
) -> tuple[dict[tuple[str, bool], BuiltRequests], list[str]]:
    """The same for reading tasks, and the names of those whose authors have not answered yet."""
    run = plan.run
    sets: dict[tuple[str, bool], BuiltRequests] = {}
    pending = []
    for name, task in run.tasks.items():
        read = task.reads()
        if read is None:
            continue
        named = task.authors()
        others = dict.fromkeys([*(named or ()), *(task.readers() or ())])
        unknown_names = (
            [read] if read not in run.tasks else [m for m in others if m not in run.models]
        )
        faults.extend(
            f"task {name}: {unknown(n, [*run.tasks, *run.models])}; it must stand in the matrix"
            for n in unknown_names
        )
        authors = [
            c for m in (named or _default_authors(run)) if (c := plan.find(m, read)) is not None
        ]
        if not unknown_names and not all(store.has(c.key) for c in authors):
            pending.append(name)
            continue
        sides = tuple(_author(c, store) for c in authors)
        for chat in _chats(run, name):
            setting = Setting(run.paths, chat, None, run.limit, run.seed, sides)
            built = _attempt(faults, partial(_built, run, name, setting, store, say))
            if built is not None:
                sets[name, chat] = built
    return sets, pending


def _default_authors(run: Run) -> list[str]:
    named = (
        {p.teacher for p in run.pairs}
        | {p.base for p in run.pairs}
        | {c.model for c in run.controls}
    )
    return [m for m in run.models if m in named]


def _author(planned: PlannedCell, store: Store) -> Side:
    outputs = outputs_from_table(store.table(planned.key))
    model = planned.cell.model
    return Side(model, model, planned.requests, outputs, None, (planned.key, planned.requests_key))


def _built(run: Run, name: str, setting: Setting, store: Store, say: Say) -> BuiltRequests:
    task = run.tasks[name]
    key = digest("requests", SCHEMA, task.key(setting))
    if store.has(key):
        requests = requests_from_table(store.table(key))
        return BuiltRequests(key, store.spec(key)["asks"], requests, setting)
    say(f"building the requests of {name}")
    with stage(f"building the requests of {name}"):
        requests = task.requests(setting)
    built = BuiltRequests(key, asks(requests), requests, setting)
    spec = {"task": name, "chat": setting.chat, "asks": built.asks}
    store.put(key, requests_to_table(requests), spec, {})
    return built


def _cells(
    run: Run,
    model: str,
    task: str,
    sets: Mapping[tuple[str, bool], BuiltRequests],
    model_key: str,
) -> list[PlannedCell]:
    backend = run.models[model]
    entry = sets.get((task, chat_of(backend, run.tasks[task])))
    if entry is None or not asked(run, model, task):
        return []
    requests, setting = entry.requests, entry.setting
    base = _drawn(run, task, backend)
    cells: dict[str, PlannedCell] = {}
    for sample in range(_samples(run, model, base, requests)):
        decoding = effective_decoding(dataclasses.replace(base, sample=sample), requests)
        key = digest("outputs", _FORM, model_key, entry.asks, key_parts(decoding))
        grades_key = (
            digest("grades", SCHEMA, key, entry.key) if "grades" in requests.yields else None
        )
        cell = Cell(model, task, decoding)
        planned = PlannedCell(cell, requests, setting, entry.key, entry.asks, key, grades_key)
        cells.setdefault(key, planned)
    return list(cells.values())


def _drawn(run: Run, task: str, backend: AbstractModel) -> Decoding:
    """The decoding that a task asks for; alternatives only where the back end has them, unless the user asks too."""
    asked = run.task_decodings.get(task, run.decoding)
    drawn = run.tasks[task].drawn(asked)
    dropped = not asked.top_logprobs and "tokens" not in backend.offers()
    return dataclasses.replace(drawn, top_logprobs=0) if dropped else drawn


def _samples(run: Run, model: str, decoding: Decoding, requests: RequestSet) -> int:
    if "text" not in requests.yields:
        return 1
    sampled_twice = any(p.teacher == model and p.ceiling == "second_sample" for p in run.pairs)
    wanted = run.tasks[requests.task].samples or run.samples
    return max(wanted, 2 if sampled_twice and decoding.temperature > 0 else 1)


def ceiling_of(pair: Pair) -> tuple[str, int] | None:
    """(model, sample) of a pair's ceiling, or None."""
    if pair.ceiling is None:
        return None
    return (pair.teacher, 1) if pair.ceiling == "second_sample" else (pair.ceiling, 0)


def _attempt(faults: list[str], step: Callable[[], T]) -> T | None:
    try:
        return step()
    except DistillbenchError as error:
        faults.append(str(error))
        return None
