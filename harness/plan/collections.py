"""The collections of a run and their keys, indexed. Pure.

A plan reads keys and summaries of request sets, never rows. Request sets that are not built yet have no summary, and
their collections come with the next plan; those of tasks that read answers are known from what the task declares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.keys import digest, key_parts
from harness.models import AbstractModel
from harness.plan.faults import offer_faults
from harness.plan.identities import Identities, asked, chat_of, chats_of, requests_key, setting_of
from harness.plan.run import Run
from harness.plan.summary import Summary, declared
from harness.store.tables import SCHEMA
from harness.tasks import Author, Setting
from harness.text.clean import VERSION as CLEANING
from harness.text.overlap import VERSION
from harness.types import Decoding, Pair

# Part of an answer's key, the only version of ours in it: raised when requests, decoding or
# stored answers come to mean something else, so that every model is asked again.
_FORM = 1
SummaryOf = Callable[[str], Summary | None]  # key of a request set -> its summary, None = not built


@dataclass(frozen=True)
class Asked:
    """A request set: what a task asks of models that are asked alike."""

    task: str
    setting: Setting
    key: str
    summary: Summary | None  # None = to be built before anything is known of it
    needs: tuple[str, ...] = ()  # keys of the answers that it is made from


@dataclass(frozen=True)
class Collection:
    """One model's answers to one task, one sample, with the keys under which they are stored."""

    model: str
    task: str
    decoding: Decoding  # only what changes this task's answers
    setting: Setting
    summary: Summary
    requests_key: str
    key: str  # of the outputs
    grades_key: str | None  # None where the task has no right answers
    training_key: str | None  # of prompts that occur in training data; None = unknown


@dataclass(frozen=True)
class Plan:
    """All request sets and collections of a run, one model's after another's."""

    run: Run
    identities: Identities
    sets: tuple[Asked, ...]
    collections: tuple[Collection, ...]

    @cached_property
    def _places(self) -> dict[tuple[str, str], tuple[Collection, ...]]:
        """(model, task) -> samples in their order."""
        places: dict[tuple[str, str], list[Collection]] = {}
        for c in self.collections:
            places.setdefault((c.model, c.task), []).append(c)
        return {k: tuple(sorted(v, key=lambda c: c.decoding.sample)) for k, v in places.items()}

    @cached_property
    def yields(self) -> dict[str, frozenset[str]]:
        """task -> the views that it supports: "tokens" where some model stores alternatives, "replies" for texts."""
        yields: dict[str, set[str]] = {}
        for c in self.collections:
            tokens = ["tokens"] if c.decoding.top_logprobs else []
            replies = ["replies"] if "generate" in c.summary.kinds else []
            yields.setdefault(c.task, set()).update([*c.summary.yields, *tokens, *replies])
        return {task: frozenset(names) for task, names in yields.items()}

    @cached_property
    def by_key(self) -> dict[str, Collection]:
        """Key of the outputs -> the collection."""
        return {c.key: c for c in self.collections}

    def fits(self, task: str, wanted: frozenset[str]) -> bool:
        """Whether a task yields what a metric looks at."""
        return wanted <= self.yields.get(task, frozenset())

    def find(self, model: str, task: str, sample: int = 0) -> Collection | None:
        """The collection of a sample; greedy or scored answers have only sample 0."""
        samples = self._places.get((model, task), ())
        return next((c for c in samples if c.decoding.sample == sample), None)

    def samples(self, model: str, task: str) -> tuple[Collection, ...]:
        """All samples of a model's answers to a task, in their order."""
        return self._places.get((model, task), ())

    def of_task(self, task: str) -> list[Collection]:
        """All collections of a task."""
        return [c for c in self.collections if c.task == task]

    @property
    def pending(self) -> tuple[str, ...]:
        """Tasks whose requests are not built: they read answers that are missing."""
        unbuilt = [s.task for s in self.sets if s.summary is not None and not s.summary.built]
        return tuple(dict.fromkeys(unbuilt))


def make_plan(run: Run, identities: Identities, summary_of: SummaryOf) -> Plan:
    """The plan of a run as far as its request sets are known. Pure except for `summary_of`."""
    asking = [
        Asked(task, setting_of(run, run.tasks[task], chat), key, summary_of(key))
        for (task, chat), key in identities.requests.items()
    ]
    first = Plan(run, identities, tuple(asking), _collections(run, identities, asking))
    reading = _reading_sets(first, summary_of)
    collections = (*first.collections, *_collections(run, identities, reading))
    return Plan(run, identities, (*asking, *reading), collections)


def faults_of(plan: Plan) -> list[str]:
    """Requests that models of a plan cannot answer, and samples that would all be alike, one line each."""
    models = plan.run.models
    lines = [
        offer_faults(models[c.model], c.task, c.decoding, c.summary.kinds) for c in plan.collections
    ]
    lines += [_alike(plan.run, c) for c in plan.collections]
    return list(dict.fromkeys(line for some in lines for line in some))


def _alike(run: Run, collection: Collection) -> list[str]:
    """The fault of a graded task that wants several samples, all of which would be the same greedy answer."""
    name, summary = collection.task, collection.summary
    wanted, drawn = run.tasks[name].samples or 1, _drawn(run, name, run.models[collection.model])
    varies = summary.effective(replace(drawn, sample=1)).sample
    if wanted < 2 or "grades" not in summary.yields or varies:
        return []
    return [
        f"task {name}: key samples: expected null or 1, got {wanted}: it is asked greedily or for log-probabilities "
        "alone, so all its answers are alike; where it generates text, or answers are recorded, name a decoding "
        "with a temperature above 0 for it (`decoding: sampled`)"
    ]


def ceiling_of(pair: Pair) -> tuple[str, int] | None:
    """(model, sample) of a pair's ceiling, or None."""
    if pair.ceiling is None:
        return None
    return (pair.teacher, 1) if pair.ceiling == "second_sample" else (pair.ceiling, 0)


def _collections(run: Run, identities: Identities, sets: Sequence[Asked]) -> tuple[Collection, ...]:
    known = {(s.task, s.setting.chat): s for s in sets if s.summary is not None}
    prompts = _training_keys(run, identities, sets)
    return tuple(
        collection
        for model in identities.models
        for task in dict.fromkeys(s.task for s in sets)
        if asked(run, model, task)
        and (chosen := known.get((task, chat_of(run.models[model], run.tasks[task]))))
        for collection in _samples(run, identities.models[model], model, chosen, prompts)
    )


def _training_keys(
    run: Run, identities: Identities, sets: Sequence[Asked]
) -> dict[tuple[str, str], str]:
    """(model, key of requests) -> key of their prompts that occur in its training data.

    Tasks made of models' answers are left out: no model can have been trained on their prompts.
    """
    tests = [s for s in sets if run.tasks[s.task].reads() is None]
    return {
        (model, s.key): digest("seen", SCHEMA, VERSION, training, s.key)
        for model, training in identities.training.items()
        for s in tests
    }


def _samples(
    run: Run, model_key: str, name: str, asking: Asked, training: Mapping[tuple[str, str], str]
) -> list[Collection]:
    summary, model = asking.summary, run.models[name]
    assert summary is not None
    base = _drawn(run, asking.task, model)
    samples: dict[str, Collection] = {}
    for sample in range(_wanted(run, name, base, asking.task, summary)):
        decoding = summary.effective(replace(base, sample=sample))
        key = digest("outputs", _FORM, model_key, summary.asks, key_parts(decoding))
        graded = "grades" in summary.yields
        collection = Collection(
            name,
            asking.task,
            decoding,
            asking.setting,
            summary,
            asking.key,
            key,
            digest("grades", SCHEMA, CLEANING, key, asking.key) if graded else None,
            training.get((name, asking.key)),
        )
        samples.setdefault(key, collection)
    return list(samples.values())


def _reading_sets(plan: Plan, summary_of: SummaryOf) -> list[Asked]:
    """Request sets of tasks that read answers; their keys are made from those of the answers."""
    run = plan.run
    sets = []
    for name, task in run.tasks.items():
        read = task.reads()
        if read is None or read not in run.tasks:
            continue
        names = task.authors() or _default_authors(run)
        collections = [c for m in names if (c := plan.find(m, read)) is not None]
        authors = tuple(Author(c.model, (c.key, c.requests_key)) for c in collections)
        for chat in chats_of(run, name):
            setting = replace(setting_of(run, task, chat), authors=authors)
            key = requests_key(task, setting)
            asks = task.asks_key(setting)
            known = summary_of(key)
            summary = (
                replace(known, asks=asks)
                if known
                else declared(task.forms(), task.declared_yields(), chat, asks)
            )
            needs = tuple(c.key for c in collections)
            sets.append(Asked(name, setting, key, summary, needs))
    return sets


def _default_authors(run: Run) -> list[str]:
    pairs = {m for p in run.pairs for m in (p.teacher, p.base)}
    return [m for m in run.models if m in pairs | {c.model for c in run.controls}]


def _drawn(run: Run, task: str, model: AbstractModel) -> Decoding:
    """The decoding that a task asks for; alternatives only if the model has them or the user asks for them."""
    wished = run.task_decodings.get(task, run.decoding)
    drawn = run.tasks[task].drawn(wished)
    dropped = not wished.top_logprobs and "tokens" not in model.offers()
    return replace(drawn, top_logprobs=0) if dropped else drawn


def _wanted(run: Run, model: str, decoding: Decoding, task: str, summary: Summary) -> int:
    """How many samples a model is asked for."""
    if not {"text", "grades"} & set(summary.yields):
        return 1
    wanted = run.tasks[task].samples or run.samples
    twice = decoding.temperature > 0 and model in run.sampled_twice
    likened = "text" in summary.yields and twice
    return max(wanted, 2 if likened else 1)
