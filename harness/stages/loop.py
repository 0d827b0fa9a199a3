"""The loop of a run: plan, make what is missing, plan again, until nothing more can be made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.console.forecast import Forecast
from harness.console.progress import stage
from harness.executors import AbstractExecutor, Desk, Ended, Job
from harness.plan.collections import Plan, SummaryOf, make_plan
from harness.plan.summary import Summary, summary_from_json
from harness.store.damage import Damaged
from harness.store.store import Store

Lacks = Callable[[str], bool]  # whether a key is missing and was not tried yet
JobsOf = Callable[[Plan, Lacks], Sequence[Job]]  # jobs that make what a plan lacks


@dataclass(frozen=True)
class Made:
    """A plan, and the keys that were made for it."""

    plan: Plan
    keys: frozenset[str] = frozenset()  # made by this run, not read from the store
    ended: tuple[Ended, ...] = field(default=(), repr=False)

    def and_then(self, later: Made) -> Made:
        """What was made here and later."""
        return Made(later.plan, self.keys | later.keys, (*self.ended, *later.ended))

    @property
    def our_fault(self) -> bool:
        """Whether a job failed for a fault of ours."""
        return any(e.our_fault for e in self.ended)


def make_all(plan: Plan, store: Store, jobs_of: JobsOf, executor: AbstractExecutor) -> Made:
    """Makes what the plan, and every plan after it, lacks; each thing is tried once."""
    tried: set[str] = set()
    ended: list[Ended] = []

    def lacks(key: str) -> bool:
        """Whether a key is missing and nobody has tried to make it in this run."""
        return key not in tried and not store.has(key)

    while jobs := jobs_of(plan, lacks):
        done = carry_out_all(jobs, plan, store, executor)
        if not done:
            break
        tried |= {key for e in done for key in e.job.keys}
        ended += done
        plan = planned_again(plan, store)
    made = {k for e in ended for k in e.job.keys if e.job.is_done(k, store)}
    return Made(plan, frozenset(made), tuple(ended))


def carry_out_all(
    jobs: Sequence[Job], plan: Plan, store: Store, executor: AbstractExecutor
) -> list[Ended]:
    """How each job that could start ended; progress is shown meanwhile.

    Raises Damaged where one of them needs what turned out to be damaged.
    """
    title = " and ".join(dict.fromkeys(j.doing for j in jobs))
    with stage(title, Forecast(((j.part, j.amounts) for j in jobs), executor.at_once)) as shown:
        ended = executor.run(jobs, Desk(store, plan, shown.hear), shown)
    damaged = next((e.error for e in ended if e.damaged), "")
    if damaged:
        raise Damaged(damaged)
    return ended


def planned_again(plan: Plan, store: Store) -> Plan:
    """The plan, updated with what the store has now."""
    return make_plan(plan.run, plan.identities, summaries_in(store))


def summaries_in(store: Store) -> SummaryOf:
    """Looks up summaries of request sets, each read once."""
    read: dict[str, Summary | None] = {}

    def summary_of(key: str) -> Summary | None:
        """The summary of a request set that is stored, read once; None where it is not there yet."""
        if read.get(key) is None:
            read[key] = summary_from_json(store.spec(key)["summary"]) if store.has(key) else None
        return read[key]

    return summary_of
