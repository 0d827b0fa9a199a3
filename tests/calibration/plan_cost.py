"""What planning and reading stored scores cost at 100 models x 50 tasks x 25 metrics, without asking or measuring.

    python tests/calibration/plan_cost.py FOLDER [MODELS TASKS METRICS]

Answers and scores are made up: what is timed is everything around them. Prints seconds and files.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.models import Ask
from harness.models.fake import FakeSession
from harness.plan.collections import Plan
from harness.plan.questions import all_questions
from harness.plan.run import Run
from harness.plugins import kinds
from harness.stages.ask import ask
from harness.stages.library import Library
from harness.stages.measuring import reasoned, score_key
from harness.stages.score import score
from harness.store.store import Store
from harness.store.tables import outputs_to_table, requests_from_table, scores_to_table
from harness.types import Score, Unavailable
from tests.core.running import run_of

N = 25  # prompts of a task
TEACHERS, CONTROLS = 4, 12


def main() -> None:
    """Makes a store of made-up results and reads it as a second run would."""
    folder = Path(sys.argv[1]).absolute()
    models, tasks, metrics = (int(n) for n in sys.argv[2:] or (100, 50, 25))
    run = matrix(folder, models, tasks, metrics)
    store = Store(run.paths.results)
    started = time.perf_counter()
    plan = ask(run, store)
    print(f"building {tasks} request sets: {time.perf_counter() - started:.1f} s")
    make_up_answers(plan, store)
    make_up_scores(plan, store)
    fresh = Store(run.paths.results)
    started = time.perf_counter()
    plan = ask(run, fresh)
    print(f"planning {len(plan.collections)} collections: {time.perf_counter() - started:.2f} s")
    started = time.perf_counter()
    found = score(plan, fresh)
    print(f"reading {len(found.scores)} scores: {time.perf_counter() - started:.1f} s")
    assert not found.made.keys
    files = sum(1 for p in run.paths.results.rglob("*") if p.is_file())
    print(f"{files} files")


def matrix(folder: Path, models: int, tasks: int, metrics: int) -> Run:
    """Teachers with a base each, controls, and students of the teachers in turn."""
    roles = [f"teacher{i}" for i in range(TEACHERS)] + [f"base{i}" for i in range(TEACHERS)]
    controls = [f"control{i}" for i in range(CONTROLS)]
    students = [f"student{i}" for i in range(models - len(roles) - len(controls))]
    names = [*roles, *controls, *students]
    quiz = {"question": "question", "answer": "answer", "n_options": "options"}
    open_task = {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}}
    quiz_task = {"kind": "choices", "file": "quiz.jsonl", "columns": quiz}
    content: dict[str, Any] = {
        "models": {n: {"kind": "fake", "seed": i} for i, n in enumerate(names)},
        "tasks": {f"task{i}": quiz_task if i % 2 else open_task for i in range(tasks)},
        "metrics": dict.fromkeys(kinds("metrics")[:metrics]),
        "pairs": [
            {"teacher": f"teacher{i % TEACHERS}", "student": s, "base": f"base{i % TEACHERS}"}
            for i, s in enumerate(students)
        ],
        "controls": [{"model": c, "lineage": c} for c in controls],
        "decoding": {"temperature": 0.0, "max_new_tokens": 32},
        "limit": N,
    }
    return run_of(folder, **content)


def make_up_answers(plan: Plan, store: Store) -> None:
    """The same answers for every model."""
    model: Any = plan.run.models["teacher0"]
    tables: dict[str, Any] = {}
    facts = {"wall_s": 1.0, "n_tokens": 1, "n_answered": N, "peak_memory_bytes": 1}
    for c in plan.collections:
        if c.requests_key not in tables:
            requests = requests_from_table(store.table(c.requests_key))
            ids = tuple(requests.prompts[r.prompt].id for r in requests.requests)
            asked = Ask(c.key, requests.requests, ids, c.decoding)
            outputs = FakeSession(model).answer_batch(asked.requests, ids, c.decoding)
            tables[c.requests_key] = outputs_to_table(outputs)
        store.put(c.key, tables[c.requests_key], {}, facts)
        if c.grades_key:
            store.put(c.grades_key, tables[c.requests_key].slice(0, 0), {}, {})


def make_up_scores(plan: Plan, store: Store) -> None:
    """A score with a number per prompt for every question, packed a thousand at a time."""
    library, rng, tables = Library(plan, store), np.random.default_rng(0), dict[str, Any]()
    started, n = time.perf_counter(), 0
    for question in all_questions(plan):
        try:
            key = score_key(question, library)
        except Unavailable:
            continue
        n += 1
        blank = reasoned(question, "-")
        values = rng.normal(size=N).tolist()
        influence = {f"{question.tasks[0]} prompt {i}": v for i, v in enumerate(values)}
        fields = {**vars(blank), "reason": "", "value": 0.5, "low": 0.4, "high": 0.6, "n": N}
        tables[key] = scores_to_table([Score(**{**fields, "influence": influence})])
        if len(tables) == 1000:
            store.packs.put(tables)
            tables = {}
    store.packs.put(tables)
    print(f"making up {n} scores: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
