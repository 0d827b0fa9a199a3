"""Grading of stored answers, once per model and task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product, Reason
from harness.plan.collections import Plan
from harness.stages.ask import loaded
from harness.stages.loop import Lacks
from harness.store.tables import grades_to_table, outputs_from_table, requests_from_table
from harness.types import Unavailable

_BUNDLE = 40  # cells that one start of a program elsewhere is worth


@final
@dataclass(frozen=True)
class GradeJob(Job):
    """Grades the answers of one model to one task."""

    doing = "grading"
    foreign = True

    def make(self, desk: Desk) -> Iterator[Product]:
        """The grades, or the reason why there are none."""
        collection = desk.plan.by_key[self.needs[0]]
        requests = requests_from_table(desk.store.table(collection.requests_key))
        outputs = outputs_from_table(desk.store.table(collection.key))
        setting = loaded(collection.setting, desk.plan, desk.store)
        task = desk.plan.run.tasks[collection.task]
        try:
            grades = task.grade(requests, outputs, setting)
        except Unavailable as error:
            yield Reason(self.keys[0], str(error))
            return
        if grades is not None:
            spec = {"model": collection.model, "task": collection.task, "outputs": collection.key}
            yield Entry(self.keys[0], grades_to_table(grades), spec)


def grade_jobs(plan: Plan, lacks: Lacks) -> list[Job]:
    """Grades answers that are not graded yet."""
    return [
        GradeJob(
            (c.grades_key,),
            f"grades of {c.model} x {c.task}",
            f"grades of {c.model}",
            {Sort("grade", c.task): float(c.summary.n_requests)},
            needs=(c.key, c.requests_key),
            bundle=_BUNDLE,
        )
        for c in {c.grades_key: c for c in plan.collections}.values()
        if c.grades_key is not None and lacks(c.grades_key)
    ]
