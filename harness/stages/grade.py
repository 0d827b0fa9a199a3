"""What lm-eval says of stored answers, once per model and task."""

from __future__ import annotations

import time

from harness.console.forecast import Forecast, Sort
from harness.console.progress import News, stage
from harness.plan.collections import Plan, PlannedCell
from harness.stages.answering import name_of
from harness.store.store import Store
from harness.store.tables import grades_to_table, outputs_from_table
from harness.types import Unavailable


def grade(plan: Plan, store: Store) -> None:
    todo = [
        c for c in plan.cells if c.grades_key and not store.has(c.grades_key) and store.has(c.key)
    ]
    if not todo:
        return
    pieces = [(c, {Sort(c.cell.task): float(len(c.requests.requests))}) for c in todo]
    with stage("grading", Forecast((c.cell.model, piece) for c, piece in pieces)) as shown:
        for planned, piece in pieces:
            started = time.perf_counter()
            shown.hear(News(planned.cell.model, doing=name_of(planned), begun=piece))
            _grade_cell(plan, planned, store)
            shown.hear(News(planned.cell.model, ended=piece, seconds=time.perf_counter() - started))


def _grade_cell(plan: Plan, planned: PlannedCell, store: Store) -> None:
    assert planned.grades_key is not None
    outputs = outputs_from_table(store.table(planned.key))
    try:
        grades = plan.run.tasks[planned.cell.task].grade(planned.requests, outputs, planned.setting)
    except Unavailable as error:
        store.note_failure(planned.grades_key, str(error))
        return
    if grades is not None:
        spec = {"model": planned.cell.model, "task": planned.cell.task, "outputs": planned.key}
        store.put(planned.grades_key, grades_to_table(grades), spec, {})
