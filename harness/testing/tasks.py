"""The contract of kinds of task, as a test."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.models import AbstractModel
from harness.panel.panel import View
from harness.plugins import build
from harness.tasks import AbstractTask, Setting
from harness.testing.making import check_travels, made
from harness.testing.models import answers
from harness.types import Decoding, Grades, Paths, RequestSet


def check_task(
    task: type[AbstractTask] | AbstractTask | str,
    setting: Setting | None = None,
    **fields: Any,
) -> None:
    """Raises AssertionError with a sentence if a kind of task breaks its contract.

    setting: what it may depend on (paths, authors ...); None = an empty folder. fields: its own, as a YAML has them.
    """
    specification = made("tasks", task, fields)
    check_travels("tasks", specification)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        setting = setting or Setting(Paths(place, place, data=place))
        faults = specification.faults(setting)
        assert faults == [], f"{specification.name}: faults: {faults}"
        key = specification.key(setting)
        assert specification.key(setting) == key, "its key is another one the second time"
        asked = specification.requests(setting)
        _check_requests(specification, setting, asked)
        if "grades" in asked.yields:
            _check_grades(specification, setting, asked)


def _check_requests(task: AbstractTask, setting: Setting, asked: RequestSet) -> None:
    assert task.requests(setting) == asked, f"{task.name}: the second time it asks something else"
    assert asked.task == task.name, f"{task.name}: it calls itself {asked.task}"
    unknown = set(asked.yields) - {v.value for v in View}
    assert asked.yields, f"{task.name}: yields: expected what measures can use, got nothing"
    assert not unknown, f"{task.name}: yields: {', '.join(sorted(unknown))} is what nobody reads"
    silent = set(range(len(asked.prompts))) - {r.prompt for r in asked.requests}
    assert not silent, f"{task.name}: prompts without a request: {sorted(silent)}"
    if task.reads() is None and setting.limit is None:
        few = task.requests(replace(setting, limit=2))
        ids = [p.id for p in few.prompts]
        assert ids == [p.id for p in asked.prompts][: len(ids)], (
            f"{task.name}: limit=2: expected the first prompts of all"
        )
        assert len(ids) <= 2, f"{task.name}: limit=2: expected two prompts, got {len(ids)}"


def _check_grades(task: AbstractTask, setting: Setting, asked: RequestSet) -> None:
    model: AbstractModel = build("models", "fake", {"kind": "fake"})
    with model.open(setting.paths) as session:
        numbers = [r.prompt for r in asked.requests]
        outputs = answers(session, asked.requests, numbers, task.drawn(Decoding()))
    grades = task.grade(asked, outputs, setting)
    assert isinstance(grades, Grades), f"{task.name}: it yields grades and gives none"
    assert grades.columns, f"{task.name}: expected a column of grades, got none"
    for column in grades.columns:
        assert len(column.prompt) == len(column.value), f"{column.metric}: prompts without values"
        rows = set(map(int, column.prompt))
        assert rows <= set(range(len(asked.prompts))), f"{column.metric}: prompts nobody was asked"
        assert (column.aggregate is None) == bool(column.reason), (
            f"{column.metric}: expected a number or a reason, exactly one"
        )
