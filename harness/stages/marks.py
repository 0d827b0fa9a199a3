"""Marks in replies, and how these ended, counted once per collection and stored: what the page warns about."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import numpy as np
import pyarrow as pa

from harness.board.answers import right_or_wrong
from harness.board.plain import from_plain, to_plain
from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product
from harness.keys import code_digest, digest
from harness.panel.side import Side
from harness.panel.texts import Reply, in_brief, remember_brief, replies_of
from harness.plan.collections import Collection, Plan
from harness.stages.features import WORTH_READING, requests_of
from harness.stages.loop import Lacks, Made, make_all
from harness.store.store import Store
from harness.store.tables import (
    SCHEMA,
    grades_from_table,
    outputs_from_table,
)
from harness.text.cut import Endings
from harness.text.marks import Marks, read_marks


@final
@dataclass(frozen=True)
class MarksJob(Job):
    """Counts the marks in one collection's replies, and those that were cut."""

    doing = "looking at replies"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row: the marks, and how the replies ended, as JSON; and the replies in brief."""
        answers, requests_key, *graded = self.needs
        asked = requests_of(desk, requests_key)
        outputs = outputs_from_table(desk.store.table(answers))
        grades = grades_from_table(desk.store.table(graded[0])) if graded else None
        given = replies_of(asked, outputs)
        prompts = {p.id: p.text for p in asked.prompts}
        stored = [r.stored for r in given.values()]
        marks = read_marks(stored, [prompts[i] for i in given], asked.think)
        right = right_or_wrong(Side("", "", asked, outputs, grades, self.needs))
        row = {"marks": marks, "endings": endings_of(given, right)}
        columns: dict[str, list[Any]] = {n: [json.dumps(to_plain(made))] for n, made in row.items()}
        table = pa.table({**columns, "brief": [in_brief(given).tobytes()]})
        yield Entry(self.keys[0], table, {"feature": "marks", "answers": answers})


def endings_of(given: Mapping[str, Reply], right: Mapping[str, bool]) -> Endings:
    """How replies ended; `right`: prompt id -> whether a graded one is right, empty where none is graded so."""
    kinds = Counter(r.ending for r in given.values())
    wrong = [i for i in given if right.get(i) is False]
    n_wrong, n_cut = (len(wrong), sum(given[i].is_cut for i in wrong)) if right else (None, None)
    guessed = kinds["looks cut"], n_wrong, n_cut, kinds["no full stop"]
    return Endings(len(given), kinds["cut"], *guessed)


def count_marks(plan: Plan, store: Store) -> Made:
    """Counts the marks in all replies that are stored and not counted yet."""
    return make_all(plan, store, _jobs, plan.run.executor.suited(plan.run.workers))


class Counts(NamedTuple):
    """What is counted of the replies of one collection."""

    marks: Marks
    endings: Endings


def counts_of(collection: Collection, store: Store) -> Counts | None:
    """The counts of a collection's replies; None where there are no replies, or they are not counted."""
    key = _key_of(collection, _graded(collection, lambda k: not store.has(k)))
    if not (_has_replies(collection) and store.has(key)):
        return None
    (row,) = store.table(key).to_pylist()
    return Counts(
        from_plain(Marks, json.loads(row["marks"])), from_plain(Endings, json.loads(row["endings"]))
    )


def recall_brief(side: Side, store: Store, answers: str, requests: str, graded: str | None) -> None:
    """Gives a side what was found out of its replies, which are stored under `answers`, as far as it is there."""
    key = _marks_key(answers, requests, [graded] if graded else [])
    if store.has(key):
        (brief,) = store.table(key)["brief"].to_pylist()
        remember_brief(side, np.frombuffer(brief, dtype=np.uint8))


def keys_of(collection: Collection) -> set[str]:
    """The keys of what is counted of a collection's replies, before and after they are graded."""
    graded = [collection.grades_key] if collection.grades_key else []
    return {_key_of(collection, own) for own in ([], graded)}


def _key_of(collection: Collection, graded: Sequence[str]) -> str:
    return _marks_key(collection.key, collection.requests_key, graded)


def _marks_key(answers: str, requests: str, graded: Sequence[str]) -> str:
    """The key of what is counted of a collection's replies, with its grades where they are there."""
    alone = ("harness.panel.texts", "harness.board.answers", __name__)
    used = ("harness.text.marks", "harness.text.cut", "harness.text.clean")
    return digest("marks", SCHEMA, code_digest(*used, alone=alone), answers, requests, *graded)


def _graded(collection: Collection, lacks: Lacks) -> list[str]:
    key = collection.grades_key
    return [] if key is None or lacks(key) else [key]


def _jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    jobs: dict[str, Job] = {}
    for c in plan.collections:
        graded = _graded(c, lacks)
        key = _key_of(c, graded)
        if _has_replies(c) and lacks(key):
            jobs[key] = MarksJob(
                (key,),
                f"replies of {c.model} x {c.task}",
                f"replies of {c.model}",
                {Sort("marks"): float(c.summary.n_requests)},
                needs=(c.key, c.requests_key, *graded),
            )
    apart = sum(n for j in jobs.values() for n in j.amounts.values()) >= WORTH_READING
    return [replace(job, apart=apart) for job in jobs.values()]


def _has_replies(collection: Collection) -> bool:
    return "generate" in collection.summary.kinds and collection.decoding.sample == 0
