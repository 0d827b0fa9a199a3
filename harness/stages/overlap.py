"""Which prompts each model was trained on: its training data is read once, and the matches are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import pyarrow as pa

from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product
from harness.files.texts import training_file, training_texts
from harness.plan.collections import Collection, Plan
from harness.stages.loop import Lacks
from harness.store.store import Store
from harness.store.tables import requests_from_table
from harness.text.overlap import seen_texts
from harness.types import Prompt, Seen

_ROWS = pa.schema([("prompt", pa.string()), ("exact", pa.bool_()), ("ngrams", pa.float64())])


@final
@dataclass(frozen=True)
class OverlapJob(Job):
    """Searches one model's training data for the prompts of all its tasks at once, because the data may be long."""

    doing = "looking for prompts in training data"

    def make(self, desk: Desk) -> Iterator[Product]:
        """For every set of prompts, those that occur in the data."""
        model = desk.plan.run.models[self.part.removeprefix(_PART)]
        path = training_file(str(model.training_data), desk.plan.run.paths)
        sets = {
            key: self._prompts(c, desk.store) for key, c in self._collections(desk.plan).items()
        }
        texts = [p.text for prompts in sets.values() for p in prompts]
        seen = iter(seen_texts(training_texts(path, model.training_columns), texts))
        for key, prompts in sets.items():
            rows = [
                {"prompt": p.id, "exact": s.exact, "ngrams": s.ngrams}
                for p, s in zip(prompts, seen, strict=False)
                if s is not None
            ]
            yield Entry(key, pa.Table.from_pylist(rows, schema=_ROWS), {"file": path.name})

    def _collections(self, plan: Plan) -> dict[str, Collection]:
        """One collection for every key."""
        return {c.training_key: c for c in plan.collections if c.training_key in self.keys}

    @staticmethod
    def _prompts(collection: Collection, store: Store) -> tuple[Prompt, ...]:
        return requests_from_table(store.table(collection.requests_key)).prompts


_PART = "training data of "


def overlap_jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    """Looks for the prompts of tasks in the training data of models that name it."""
    wanted: dict[str, Collection] = {}
    missing: dict[str, dict[str, Collection]] = {}
    for c in plan.collections:
        key = c.training_key
        if key is not None and lacks(key) and wanted.setdefault(key, c) is c:
            missing.setdefault(c.model, {})[key] = c
    return [
        OverlapJob(
            tuple(sets),
            f"what {model} was trained on",
            f"{_PART}{model}",
            {Sort("training text"): float(sum(c.summary.n_prompts for c in sets.values()))},
            needs=tuple(dict.fromkeys(c.requests_key for c in sets.values())),
        )
        for model, sets in missing.items()
    ]


@dataclass(frozen=True)
class Training:
    """The prompts of one task that occur in a model's training data."""

    key: str  # in the store
    prompts: Mapping[str, Seen]  # prompt id -> how it occurs; prompts that do not occur are absent


def training_of(collection: Collection, store: Store) -> Training | None:
    """The collection's prompts that occur in its model's training data; None where that is unknown."""
    key = collection.training_key
    if key is None or not store.has(key):
        return None
    rows = store.table(key).to_pylist()
    return Training(key, {r["prompt"]: Seen(r["exact"], r["ngrams"]) for r in rows})
