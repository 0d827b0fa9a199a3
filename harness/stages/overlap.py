"""Which prompts each model was trained on: looked up in the store, or found by reading its training data once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from harness.console.progress import say, stage
from harness.files.hashes import file_sha256
from harness.files.texts import training_file, training_texts
from harness.keys import digest
from harness.plan.collections import Plan, PlannedCell
from harness.store.store import Store
from harness.store.tables import SCHEMA
from harness.text.overlap import VERSION, seen_texts
from harness.types import Seen

_ROWS = pa.schema([("prompt", pa.string()), ("exact", pa.bool_()), ("ngrams", pa.float64())])


@dataclass(frozen=True)
class Training:
    """What a model's training data has of the prompts of one task."""

    key: str  # in the store
    prompts: Mapping[str, Seen]  # Prompt.id -> how it stands there; those only that do


def training_key(plan: Plan, planned: PlannedCell) -> str | None:
    """The key of what a cell's model has seen of its prompts; None where the model names no training data.

    Tasks made of models' answers have no prompts that anybody could have been trained on.
    """
    backend = plan.run.models[planned.cell.model]
    if backend.training_data is None or not _is_test(plan, planned):
        return None
    contents = file_sha256(
        training_file(backend.training_data, plan.run.paths), plan.run.paths.cache
    )
    prompts = [[p.id, p.text] for p in planned.requests.prompts]
    return digest("seen", SCHEMA, VERSION, contents, sorted(backend.training_columns), prompts)


def seen_in_training(plan: Plan, store: Store, planned: PlannedCell) -> Training | None:
    """What the training data of a cell's model has of its prompts; None where the model names no such data.

    What is missing is looked for in all tasks of the model at once, because the data may be long.
    """
    here = training_key(plan, planned)
    if here is None:
        return None
    if not store.has(here):
        tests = [c for c in plan.cells if c.cell.model == planned.cell.model and _is_test(plan, c)]
        cells = {str(training_key(plan, c)): c for c in tests}
        _find(plan, store, {k: c for k, c in cells.items() if not store.has(k)})
    rows = store.table(here).to_pylist()
    return Training(here, {r["prompt"]: Seen(r["exact"], r["ngrams"]) for r in rows})


def _is_test(plan: Plan, planned: PlannedCell) -> bool:
    return plan.run.tasks[planned.cell.task].reads() is None


def _find(plan: Plan, store: Store, missing: Mapping[str, PlannedCell]) -> None:
    """Reads one model's training data and stores what it has of the prompts of each of these cells."""
    backend = plan.run.models[next(iter(missing.values())).cell.model]
    say(
        f"looking for {sum(len(c.requests.prompts) for c in missing.values())} prompts in {backend.training_data}"
    )
    path = training_file(str(backend.training_data), plan.run.paths)
    prompts = [(key, p) for key, cell in missing.items() for p in cell.requests.prompts]
    with stage(f"reading {path.name}"):
        found = seen_texts(
            training_texts(path, backend.training_columns), [p.text for _, p in prompts]
        )
    for key, cell in missing.items():
        rows = [
            {"prompt": p.id, "exact": seen.exact, "ngrams": seen.ngrams}
            for (k, p), seen in zip(prompts, found, strict=True)
            if k == key and seen is not None
        ]
        store.put(
            key,
            pa.Table.from_pylist(rows, schema=_ROWS),
            {"task": cell.cell.task, "file": path.name},
            {},
        )
