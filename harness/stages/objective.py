"""The one number of a run that a sweeper optimises."""

from __future__ import annotations

from harness.board.record import RunRecord
from harness.board.subjects import overall
from harness.plan.run import Run
from harness.types import DistillbenchError


def objective_of(run: Run, record: RunRecord) -> float | None:
    """The value of the run's objective over its tasks; None where none is asked for, or there is no number.

    Raises DistillbenchError where several teachers or bases have one.
    """
    asked = run.objective
    if asked is None:
        return None
    wanted = {
        "metric": asked.metric,
        "student": asked.student,
        "teacher": asked.teacher,
        "task": asked.task,
    }
    named = {key: str(value) for key, value in wanted.items() if value is not None}
    rows = [s for s in record.scores if all(getattr(s, k) == v for k, v in named.items())]
    others = sorted({(s.teacher, s.base) for s in rows})
    if len(others) > 1:
        words = ", ".join(" from ".join(filter(None, pair)) for pair in others)
        raise DistillbenchError(f"objective: expected one teacher, got {words}; add its teacher")
    score = overall(rows)
    return None if score is None else score.value
