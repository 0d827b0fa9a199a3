"""What of a store runs need, the removal of everything else, and the packing of what stays."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence

from harness.plan.collections import Plan
from harness.stages.audit import audit_keys
from harness.stages.features import reading_key, tokens_key
from harness.stages.lineages import tree_keys
from harness.stages.marks import keys_of
from harness.stages.score import questions_of
from harness.stages.weigh import cells
from harness.store.inventory import Holding
from harness.store.store import Store
from harness.types import DistillbenchError


def needed_keys(plan: Plan, store: Store) -> set[str]:
    """Every key that a run of this plan reads, or would make.

    Raises DistillbenchError where that cannot be known: what is asked decides which answers are needed.
    """
    if unbuilt := dict.fromkeys(s.task for s in plan.sets if s.summary is None):
        raise DistillbenchError(
            f"{plan.run.title}: the requests of {', '.join(unbuilt)} are not stored, so it is unknown which answers it "
            "needs; `distillbench plan load=true` with the same words builds them, and asks no model"
        )
    keys: set[str | None] = {s.key for s in plan.sets}
    for c in plan.collections:
        think = plan.run.tasks[c.task].think
        keys |= {c.key, c.requests_key, c.grades_key, c.training_key, *keys_of(c)}
        keys |= {reading_key(c.key, think), tokens_key(c.key, think)}
    keys |= {key for _, _, key in cells(plan, store)}
    keys |= {*questions_of(plan, store), *audit_keys(plan, store), *tree_keys(plan, store)}
    return {key for key in keys if key is not None}


def remove(held: Iterable[Holding], store: Store) -> list[Holding]:
    """Removes holdings from a store that nobody else uses; those that a process holds all the same are returned."""
    busy, packed, archived = [], set[str](), set[str]()
    for one in held:
        if one.place == "store":
            store.drop(one.key)
        elif one.place == "packs":
            packed.add(one.key)
        elif one.place == "archives":
            archived.add(one.key)
        elif not _removed(one, store):
            busy.append(one)
    if packed:
        store.packs.drop(packed)
    if archived:
        store.archives.drop(archived)
    return busy


def pack(store: Store) -> tuple[int, int]:
    """Moves finished entries from their folders into archives; how many, and into how many files.

    Only while no run uses these results. Damaged entries are set aside first, and not packed.
    """
    close, counts = dataclasses.replace(store, closely=True), list[int]()
    whole = filter(close.has, store.loose())
    for keys in store.archives.put((key, store.files(key)) for key in whole):
        counts.append(len(keys))
        for key in keys:
            store.drop(key)
    for prefix in (store.root / "store").glob("??"):
        with contextlib.suppress(OSError):  # something is left in it
            prefix.rmdir()
    return sum(counts), len(counts)


def _removed(unfinished: Holding, store: Store) -> bool:
    """Whether work that was begun could be removed: nobody goes on with it."""
    with store.work(unfinished.key) as work:
        if work is None:
            return False
        work.drop()
    return True


def unneeded(
    held: Sequence[Holding], needed: set[str], *, paid: bool
) -> tuple[list[Holding], list[Holding]]:
    """What may go, and what would but stays because it cost money, or may have."""
    left = [one for one in held if one.key not in needed]
    return [one for one in left if paid or not one.paid], [
        one for one in left if one.paid and not paid
    ]
