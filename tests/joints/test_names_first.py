"""Every key of a run is known before anything is collected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.plan.collections import Plan
from harness.plan.questions import all_questions
from harness.stages.ask import ask
from harness.stages.collect import collect
from harness.stages.library import Library
from harness.stages.measuring import score_key
from harness.store.store import Store
from harness.types import Unavailable
from tests.core.running import FAKES, matrix, run_of

READING: dict[str, Any] = {"kind": "reading", "answers_to": "open", "alternatives": 4}
JUDGED: dict[str, Any] = {
    "kind": "judge",
    "answers_to": "open",
    "judge": "judge",
    "first": ["student"],
    "second": ["teacher"],
}


class Promised(Store):
    """A store in which everything will be."""

    def has(self, key: str) -> bool:
        """Yes."""
        return True

    def provenance(self, key: str) -> dict[str, Any]:
        """Nothing out of the ordinary."""
        return {}


def keys(plan: Plan, store: Store) -> list[tuple[Any, ...]]:
    """Keys of request sets, answers, grades and scores."""
    library = Library(plan, store)
    found: list[tuple[Any, ...]] = [(s.task, s.key) for s in plan.sets]
    found += [(c.model, c.task, c.decoding, c.key, c.grades_key) for c in plan.collections]
    for question in all_questions(plan):
        try:
            key = score_key(question, library)
        except Unavailable as error:
            key = str(error)
        found.append((question.metric.name, question.tasks, question.student, key))
    return found


def test_keys_before_anything_is_collected_are_those_found_afterwards(tmp_path: Path) -> None:
    judge = {"kind": "fake", "style": "odd", "skill": 0.5, "seed": 9}
    run = run_of(
        tmp_path,
        models={**FAKES, "judge": judge},
        tasks={**matrix()["tasks"], "reads": READING, "judged": JUDGED},
        metrics={"task_score": None, "capa": None, "style_transfer": None, "judged": None, "token_divergence": None},
    )  # fmt: skip
    before = keys(ask(run, Store(run.paths.results)), Promised(run.paths.results))
    plan = collect(ask(run, Store(run.paths.results)), Store(run.paths.results)).plan
    assert plan.pending == ()
    assert keys(plan, Store(run.paths.results)) == before
    assert len({key for *_, key in before}) > 15
