"""What students of the made-up run lost and kept outside of what was distilled."""

from __future__ import annotations

from dataclasses import replace

from harness.board.record import Change, RunRecord
from tests.report.records import STUDENTS, record


def change(student: str, task: str, difference: float, **changed: object) -> Change:
    """A student against its base on a task."""
    whole = Change(
        "task_score", task, STUDENTS[student][0], "base", student, "base", difference, difference - 0.03,
        difference + 0.04, 0.5, 0.5, 200, 0.08, 3, 9, "share", "higher",
    )  # fmt: skip
    return replace(whole, **changed)  # type: ignore[arg-type]


def run(*changes: Change, domain: str = "outside") -> RunRecord:
    """The made-up run, two of whose tasks are outside of what was distilled."""
    whole = record()
    tasks = {
        t: {**facts, "domain": domain if t in ("zoo_sums", "zoo_words") else "inside"}
        for t, facts in whole.tasks.items()
    }
    return replace(whole, changes=changes, tasks=tasks)


def several() -> RunRecord:
    """A run in which every student lost something."""
    return run(*(change(s, "zoo_sums", -0.02 * i) for i, s in enumerate(STUDENTS)))
