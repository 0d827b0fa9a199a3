"""Marks in replies, counted once per collection and stored: what the page warns about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import pyarrow as pa

from harness.board.plain import from_plain, to_plain
from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product
from harness.executors.local import LocalExecutor
from harness.keys import code_digest, digest
from harness.panel.texts import replies_of
from harness.plan.collections import Collection, Plan
from harness.stages.loop import Lacks, Made, make_all
from harness.store.store import Store
from harness.store.tables import SCHEMA, outputs_from_table, requests_from_table
from harness.text.marks import Marks, read_marks


@final
@dataclass(frozen=True)
class MarksJob(Job):
    """Counts the marks in one collection's replies."""

    doing: ClassVar[str] = "looking at replies"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row: the marks as JSON."""
        answers, requests_key = self.needs
        asked = requests_from_table(desk.store.table(requests_key))
        given = replies_of(asked, outputs_from_table(desk.store.table(answers)))
        prompts = {p.id: p.text for p in asked.prompts}
        marks = read_marks([r.stored for r in given.values()], [prompts[i] for i in given])
        table = pa.table({"marks": [json.dumps(to_plain(marks))]})
        yield Entry(self.keys[0], table, {"feature": "marks", "answers": answers})


def count_marks(plan: Plan, store: Store) -> Made:
    """Counts the marks in all replies that are stored and not counted yet."""
    return make_all(plan, store, _jobs, LocalExecutor(plan.run.workers))


def marks_in(collection: Collection, store: Store) -> Marks | None:
    """The marks in a collection's replies; None where there are no replies, or they are not counted."""
    key = marks_key(collection)
    if not (_has_replies(collection) and store.has(key)):
        return None
    return from_plain(Marks, json.loads(store.table(key)["marks"][0].as_py()))


def marks_key(collection: Collection) -> str:
    """The key of the marks in a collection's replies."""
    code = code_digest("harness.text.marks", alone=("harness.panel.texts", __name__))
    return digest("marks", SCHEMA, code, collection.key, collection.requests_key)


def _jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    return [
        MarksJob(
            (key,),
            f"replies of {c.model} x {c.task}",
            f"replies of {c.model}",
            {Sort("marks"): float(c.summary.n_requests)},
            needs=(c.key, c.requests_key),
        )
        for key, c in {marks_key(c): c for c in plan.collections if _has_replies(c)}.items()
        if lacks(key)
    ]


def _has_replies(collection: Collection) -> bool:
    return "generate" in collection.summary.kinds and collection.decoding.sample == 0
