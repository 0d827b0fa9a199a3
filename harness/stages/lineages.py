"""The tree of all models of a case by their function words: made once, where nobody in particular is the suspect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import pyarrow as pa

from harness.board.plain import from_plain, to_plain
from harness.board.record import LikenessTree
from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product, Reason
from harness.keys import code_digest, digest
from harness.plan.collections import Collection, Plan
from harness.stages.crowds import answered, crowd_of, sides_of, tokens_key_of
from harness.stages.features import tokens_job
from harness.stages.library import Library
from harness.stages.loop import Lacks
from harness.store.store import Store
from harness.store.tables import SCHEMA
from harness.text.corpus import gather
from harness.text.likeness_tree import likeness_tree
from harness.types import Unavailable


@final
@dataclass(frozen=True)
class TreeJob(Job):
    """Joins the models that answered a task, the most alike first."""

    task: str = ""

    doing: ClassVar[str] = "growing the tree of models"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row per branch; a reason where there are too few models."""
        run = desk.plan.run
        sides = sides_of(desk, Library(desk.plan, desk.store), self.task)
        crowd = crowd_of(run.case, sides, self.task)
        corpus = gather({m: crowd.replies(m) for m in crowd.sides}, crowd.asked())
        background = corpus.place(list(crowd.background))
        try:
            branches = likeness_tree(corpus, background, np.random.default_rng(run.seed))
        except Unavailable as error:
            yield Reason(self.keys[0], str(error))
            return
        tree = LikenessTree(self.task, tuple(branches))
        table = pa.table({"tree": [json.dumps(to_plain(tree), ensure_ascii=False)]})
        yield Entry(self.keys[0], table, {"tree": self.task})


def trees_of(plan: Plan, store: Store) -> tuple[LikenessTree, ...]:
    """The stored trees of a run, task by task."""
    keys = (_key(plan, task, there) for task, there in _tasks(plan, store))
    rows = (store.table(key)["tree"].to_pylist() for key in keys if store.has(key))
    return tuple(from_plain(LikenessTree, json.loads(row)) for (row,) in rows)


def tree_keys(plan: Plan, store: Store) -> set[str]:
    """The keys of all trees of a run."""
    return {_key(plan, task, there) for task, there in _tasks(plan, store)}


def _tasks(plan: Plan, store: Store) -> Iterator[tuple[str, list[Collection]]]:
    """Tasks with answers, where everybody is weighed."""
    if not plan.run.verdicts or plan.run.case.suspect:
        return
    looks = frozenset(v.looks_at for v in plan.run.verdicts.values())
    for task in plan.run.tasks:
        there = answered(plan, task, store)
        if there and plan.fits(task, looks):
            yield task, there


def _tokens(plan: Plan, there: list[Collection]) -> Mapping[str, Collection]:
    return {tokens_key_of(plan, c): c for c in there}


def _key(plan: Plan, task: str, there: list[Collection]) -> str:
    """Digest of what determines a tree: its code, the answers, and who is of the background."""
    code = code_digest(
        "harness.text.likeness_tree", alone=("harness.stages.lineages", "harness.stages.crowds")
    )
    case, seed = plan.run.case, plan.run.seed
    known = (sorted(case.origins, key=lambda o: o.model), case.families)
    models = [c.model for c in there]
    return digest("tree", SCHEMA, code, seed, task, models, sorted(_tokens(plan, there)), known)


def tree_jobs(store: Store, plan: Plan, lacks: Lacks) -> list[Job]:
    """One job for each task, and before it one for the tokens of each model."""
    jobs: dict[str, Job] = {}
    for task, there in _tasks(plan, store):
        key, needs = _key(plan, task, there), _tokens(plan, there)
        if not lacks(key):
            continue
        jobs |= {k: tokens_job(k, c) for k, c in needs.items() if lacks(k)}
        title, amounts = f"tree of {task}", {Sort("tree"): float(len(there))}
        job = TreeJob((key,), title, "tree", amounts, needs=tuple(needs), apart=True)
        jobs[key] = replace(job, task=task)
    return list(jobs.values())
