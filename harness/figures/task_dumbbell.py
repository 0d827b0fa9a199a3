"""One student's tasks: from its base over the student to the teacher."""

from __future__ import annotations

from dataclasses import dataclass

from harness.board.board import Board
from harness.board.subjects import Subject, whole_tasks
from harness.figures import AbstractFigure, Drawing
from harness.figures._dumbbells import dumbbell_rows, dumbbells
from harness.panel.prompts import is_category
from harness.types import Score


@dataclass(frozen=True)
class TaskDumbbell(AbstractFigure):
    """Task scores of base, student and teacher, one line per task."""

    title = "Tasks"
    caption = (
        "Each line runs from the base (square) to the teacher (diamond); the student (circle) with its 95 % interval "
        "stands where it got to."
    )
    order = 20
    measures = ("task_score",)
    per = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Dumbbells of the subject and its pair; scores in the unit that most tasks share."""
        if subject is None:
            return None
        own = [s for s in board.scores_of(subject, *self.measures) if not is_category(s.metric)]
        scores = [s for s in whole_tasks(own) if s.value is not None]
        parts: dict[str, set[str]] = {}
        for score in scores:
            parts.setdefault(score.task, set()).add(score.metric)

        def name(score: Score) -> str:
            """The task, with the part of the score where a task has several."""
            part = score.metric.partition("/")[2] or "score"
            return score.task if len(parts[score.task]) == 1 else f"{score.task} · {part}"

        rows = dumbbell_rows(scores, subject, name)
        return dumbbells(rows, "Task", {}) if rows else None
