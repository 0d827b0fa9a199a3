"""A dot plot of any measure: what the page draws where no other figure shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.record import named
from harness.board.subjects import Subject, role_of, whole_tasks
from harness.figures import AbstractFigure, Drawing, Guide, Mark, Rows, numbers_of
from harness.figures._rows import dots_of, row_names, words
from harness.types import Score

_MOST_ROWS = 60
_WORDS = {"higher": ", higher is closer", "lower": ", lower is closer", "none": ""}


@dataclass(frozen=True)
class MeasureDots(AbstractFigure):
    """One row per model and task, with intervals."""

    metric: str = ""  # metric, or metric/part; "" draws nothing

    title = "All models"
    caption = (
        "One row per model and task, bars are 95 % intervals; the symbol tells the role "
        "towards the teacher."
    )
    order = 90
    per = "metric"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Rows by task and teacher, highest first."""
        own = [s for s in board.record.scores if s.metric == self.metric]
        scores = [s for s in whole_tasks(own) if s.value is not None]
        if not scores:
            return None
        unit = Counter(s.unit for s in scores).most_common(1)[0][0]
        scores = [s for s in scores if s.unit == unit]
        scores.sort(key=lambda s: (s.task, s.teacher, -(s.value or 0.0), s.student, s.variant))
        shown = scores[:_MOST_ROWS]
        marks: list[Mark] = []
        roles = [role_of(board.record, s) for s in scores]
        for role in dict.fromkeys(roles[:_MOST_ROWS]):
            rows = [i for i, own_role in enumerate(roles[:_MOST_ROWS]) if own_role == role]
            marks.append(dots_of(role, [shown[i] for i in rows], rows))
        if min(s.value or 0.0 for s in shown) < 0 < max(s.value or 0.0 for s in shown):
            marks.append(Guide(0.0))
        table = [
            [named(s.student, s.variant), role, s.teacher or "–", s.task, words(s), str(s.n)]
            for s, role in zip(scores, roles, strict=True)
        ]
        more = len(scores) - len(shown)
        return Drawing(
            tuple(marks),
            Rows(row_names(_names(shown)), f"{unit}{_WORDS[shown[0].better]}"),
            numbers_of(["Model", "Role", "Teacher", "Task", "Value", "n"], table),
            notes=(f"{more} rows more are in the table.",) if more else (),
        )


def _names(scores: list[Score]) -> list[str]:
    """Row names with whatever differs between rows: model, swept values, teacher, task."""
    teachers, tasks = len({s.teacher for s in scores}) > 1, len({s.task for s in scores}) > 1
    names = []
    for score in scores:
        name = named(score.student, score.variant)
        name += f" ← {score.teacher}" if teachers and score.teacher else ""
        names.append(name + (f" · {score.task}" if tasks else ""))
    return names
