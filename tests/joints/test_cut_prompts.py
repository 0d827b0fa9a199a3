"""Prompts that did not fit into a model: counted where answers are stored, told, and a difference of sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.board.tables import collections_table
from harness.plan.collections import Plan
from harness.stages.answering import cut_facts
from harness.stages.library import Library
from harness.stages.record import make_record
from harness.store.store import Store
from harness.store.tables import outputs_from_table, outputs_to_table
from harness.types import RequestSet, Unavailable
from tests.joints.small import collect_these, planned, requests_of


def cut(store: Store, key: str, rows: list[int], requests: RequestSet) -> None:
    """Stores the answers under a key again, with prompts shortened in some rows."""
    outputs = outputs_from_table(store.table(key))
    n_cut = np.zeros(len(outputs.request), np.int64)
    n_cut[rows] = 7
    facts = cut_facts(requests, short := replace(outputs, n_cut=n_cut))
    spec, how = store.spec(key), store.provenance(key)
    store.folder(key).rename(store.root / f"old{key}")
    store.put(key, outputs_to_table(short), spec, {**how, **facts})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store, str]:
    """A collected run in which two prompts of the student were cut, and the same two of the second student."""
    plan, store = planned(tmp_path_factory.mktemp("cut"))
    collect_these(plan, store)
    task = next(c.task for c in plan.collections if "text" in c.summary.yields)
    for model, rows in {"student": [1, 4], "second": [1, 4], "third": [2]}.items():
        c = plan.find(model, task)
        assert c is not None
        cut(store, c.key, rows, requests_of(c, store))
    return plan, store, task


def test_sides_of_which_other_prompts_were_cut_are_not_compared(
    run: tuple[Plan, Store, str],
) -> None:
    plan, store, task = run
    library = Library(plan, store)
    words = ["2 prompts did not fit into student and were shortened, 0 into teacher"]
    assert library.differences(task, "student", "teacher") == words
    assert library.differences(task, "student", "second") == []  # the same prompts
    assert len(library.differences(task, "student", "third")) == 1
    other = next(t for t in plan.run.tasks if t != task)
    assert library.differences(other, "student", "teacher") == []
    metric = plan.run.metrics["length"]
    pair = plan.run.pairs[0]
    with pytest.raises(Unavailable, match="not comparable: 2 prompts did not fit into student"):
        library.seats(replace(metric.looks_at, needs=("teacher",)), task, "student", pair)


def test_cut_prompts_are_counted_in_table_and_warnings(run: tuple[Plan, Store, str]) -> None:
    plan, store, task = run
    record = make_record(plan, store, ())
    n = {c.task: c.n_prompts for c in record.collections}[task]
    for m, cut in (("student", 2), ("second", 2), ("third", 1)):
        said = f"{m}: prompts did not fit and were shortened: {task} {cut} of {n}."
        assert said in record.warnings
    assert sum(collections_table(record).columns()["n_cut_prompts"]) == 5  # type: ignore[arg-type]
