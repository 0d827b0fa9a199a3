"""What a method makes of each suspect alone, stored by itself: one model more costs its own likeness, no other's."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import pyarrow as pa

from harness.board.plain import from_plain, to_plain
from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product, Reason
from harness.keys import code_digest, digest
from harness.plan.collections import Collection, Plan
from harness.stages.crowds import answered, crowd_of, seen_of, sides_of, tokens_key_of
from harness.stages.features import COST
from harness.stages.library import Library
from harness.stages.loop import Lacks
from harness.store.store import Store
from harness.store.tables import SCHEMA
from harness.types import Unavailable
from harness.verdicts import AbstractVerdict

_WORTH_A_PROCESS = 24  # suspects: every process counts the background's words once more
_MOST_PROCESSES = 4  # each holds the words of all that a suspect is seen beside


@final
@dataclass(frozen=True)
class LikenJob(Job):
    """Compares suspects with the candidates, beside those of documented training."""

    method: str = ""
    task: str = ""
    suspects: tuple[str, ...] = ()  # of each key, in their order

    doing: ClassVar[str] = "comparing with candidates"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row per family of each suspect; the same reason for all where there is nothing to compare with."""
        began, run = time.process_time(), desk.plan.run
        read = _looked_at(desk.plan, answered(desk.plan, self.task, desk.store), self.suspects)
        sides = sides_of(desk, Library(desk.plan, desk.store), self.task, read)
        crowd = crowd_of(run.case, sides, self.task)
        try:
            made = run.verdicts[self.method].liken(crowd, self.suspects)
        except Unavailable as error:
            yield from (Reason(key, str(error)) for key in self.keys)
            return
        cost = {COST: (time.process_time() - began) / len(self.keys)}
        for key, suspect in zip(self.keys, self.suspects, strict=True):
            rows = [json.dumps(to_plain(one), allow_nan=False) for one in made[suspect]]
            yield Entry(key, pa.table({"likeness": rows}), {"likeness": suspect}, cost)


def liken_keys(verdict: AbstractVerdict, plan: Plan, task: str, store: Store) -> dict[str, str]:
    """Suspect -> the key of what the method makes of it alone; empty where it makes no such thing.

    A likeness depends on the suspect, its lineage, the candidates, the background and the prompts, and on no one else.
    """
    if verdict.likeness is None:
        return {}
    there = answered(plan, task, store)
    seen = seen_of(plan.run.case, {c.model for c in there})
    answers = {c.model: (c.key, c.requests_key) for c in there}
    families = {f: [(m, answers[m]) for m in own] for f, own in seen.families.items()}
    background = [(m, answers[m], b.lineage, sorted(b.kin)) for m, b in seen.background.items()]
    prompts = sorted({c.requests_key for c in there})
    think = plan.run.tasks[task].think
    beside = digest(code_of(verdict), vars(verdict), families, background, prompts, *think)
    lineages = {m: b.lineage for m, b in seen.background.items()}
    return {
        c.model: digest("likeness", SCHEMA, beside, c.model, c.key, lineages.get(c.model, ""))
        for c in there
    }


def code_of(verdict: AbstractVerdict) -> str:
    """Digest of the code that decides a likeness."""
    alone = ("harness.stages.liken", "harness.stages.crowds", "harness.panel.texts")
    used = (type(verdict).__module__, "harness.text.clean")
    return code_digest(*used, alone=(*alone, "harness.panel.evidence"))


def liken_jobs(method: str, plan: Plan, task: str, store: Store, lacks: Lacks) -> list[Job]:
    """Jobs for the suspects without a likeness: one, or one for each processor where there are many."""
    keys = liken_keys(plan.run.verdicts[method], plan, task, store)
    missing = [m for m, key in keys.items() if lacks(key)]
    there = answered(plan, task, store)
    tokens = {c.model: tokens_key_of(plan, c) for c in there}
    processes = min(os.cpu_count() or 1, _MOST_PROCESSES, len(missing) // _WORTH_A_PROCESS)
    size = max(-(-len(missing) // max(processes, 1)), 1)
    made: list[Job] = []
    for own in (tuple(missing[i : i + size]) for i in range(0, len(missing), size)):
        title = f"likenesses of {own[0]}" + (f" to {own[-1]}" if len(own) > 1 else "")
        amounts = {Sort(f"likeness by {method}"): float(len(own))}
        needs = tuple(tokens[m] for m in sorted(_looked_at(plan, there, own)))
        job = LikenJob(tuple(keys[m] for m in own), title, title, amounts, needs, apart=True)
        made.append(replace(job, method=method, task=task, suspects=own))
    return made


def recalled(keys: Mapping[str, str], verdict: AbstractVerdict, store: Store) -> dict[str, Any]:
    """Suspect -> its stored likeness, one value per family."""
    made: dict[str, Any] = {}
    for suspect, key in keys.items():
        if verdict.likeness is not None and store.has(key):
            rows = store.table(key)["likeness"].to_pylist()
            made[suspect] = [from_plain(verdict.likeness, json.loads(row)) for row in rows]
    return made


def _looked_at(plan: Plan, there: Sequence[Collection], suspects: Sequence[str]) -> frozenset[str]:
    """Models whose answers matter: suspects, candidates, background, and one for each set of prompts."""
    seen = seen_of(plan.run.case, {c.model for c in there})
    versions = {m for own in seen.families.values() for m in own}
    prompts = {c.requests_key: c.model for c in reversed(there)}
    return frozenset({*suspects, *versions, *seen.background, *prompts.values()})
