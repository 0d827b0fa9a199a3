"""Who is weighed on a task, with their stored answers: the crowd that verdicts, trees and audits look at."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Mapping
from typing import NamedTuple

from harness.executors import Desk
from harness.panel.evidence import Bystander, Crowd
from harness.panel.reads import read_authors
from harness.panel.side import Side
from harness.plan.collections import Collection, Plan
from harness.plan.run import Case
from harness.stages.features import recall_tokens, tokens_key
from harness.stages.library import Library
from harness.store.store import Store


class Seen(NamedTuple):
    """Who a suspect is seen beside."""

    families: Mapping[str, tuple[str, ...]]  # candidate family -> its versions
    background: Mapping[str, Bystander]  # sorted by name


def answered(plan: Plan, task: str, store: Store) -> list[Collection]:
    """Stored first samples of a task, sorted by model: everybody who is weighed on it."""
    own = (c for c in plan.of_task(task) if c.decoding.sample == 0)
    return sorted((c for c in own if store.has(c.key)), key=lambda c: c.model)


def tokens_key_of(plan: Plan, collection: Collection) -> str:
    """The key of the tokens of a collection's replies."""
    return tokens_key(collection.key, plan.run.tasks[collection.task].think)


def sides_of(
    desk: Desk, library: Library, task: str, only: Names[str] | None = None
) -> dict[str, Side]:
    """Everybody's answers, or those of some, with their tokens as far as these are stored."""
    sides = {}
    for c in answered(desk.plan, task, desk.store):
        if only is None or c.model in only:
            sides[c.model] = library.side(c.model, task)
            recall_tokens(sides[c.model], desk.store, tokens_key_of(desk.plan, c))
    return sides


def seen_of(case: Case, there: Names[str]) -> Seen:
    """Candidates and bystanders of a case among those that answered, or whose answers are read."""
    families = {f: tuple(m for m in own if m in there) for f, own in case.families.items()}
    families = {f: own for f, own in families.items() if own}
    candidates = {m for own in families.values() for m in own}
    background = {
        o.model: Bystander(o.lineage, frozenset({*o.also, *([o.family] if o.family else [])}))
        for o in sorted(case.origins, key=lambda o: o.model)
        if o.standing in ("student", "control") and o.model in there and o.model not in candidates
    }
    return Seen(families, background)


def crowd_of(case: Case, sides: Mapping[str, Side], task: str) -> Crowd:
    """The crowd of a case: those of its models that answered the task, or whose answers are read in it."""
    seen = seen_of(case, {*sides, *(a for side in sides.values() for a in read_authors(side))})
    return Crowd(task, {m: sides[m] for m in sorted(sides)}, seen.families, seen.background)
