"""One student's tasks: from its base over the student to the teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.board.board import Board
from harness.board.subjects import Subject, whole_tasks
from harness.figures import AbstractFigure, Bar, Bars, Drawing, Mark, Rows, numbers_of
from harness.figures._rows import dots_of, row_names, words
from harness.types import Score

_MOST_ROWS = 40


@dataclass(frozen=True)
class TaskDumbbell(AbstractFigure):
    """Task scores of base, student and teacher, one line per task."""

    title: ClassVar[str] = "Tasks"
    caption: ClassVar[str] = (
        "Each line runs from the base (square) to the teacher (diamond); the student (circle) with its 95 % interval "
        "stands where it got to."
    )
    order: ClassVar[int] = 20
    measures: ClassVar[tuple[str, ...]] = ("task_score",)
    per: ClassVar = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Dumbbells of the subject and its pair; scores in the unit that most tasks share."""
        if subject is None:
            return None
        models = {"base": subject.base, "teacher": subject.teacher, "student": subject.student}
        scores = [
            s
            for s in board.scores_of(subject)
            if s.metric.split("/")[0] in self.measures and s.student in models.values()
        ]
        unit, rows = _rows(scores, models)
        if not rows:
            return None
        names = list(rows)[:_MOST_ROWS]
        shown = [rows[name] for name in names]
        marks: list[Mark] = [_bars(shown)]
        for role in ("base", "teacher", "student"):
            placed = [(y, row[role]) for y, row in enumerate(shown) if role in row]
            marks.append(dots_of(role, [s for _, s in placed], [y for y, _ in placed]))
        table = [
            [name, *(words(s.get(k)) for k in ("base", "student", "teacher")), str(s["student"].n)]
            for name, s in rows.items()
        ]
        left_out = len(rows) - len(shown)
        return Drawing(
            tuple(marks),
            Rows(row_names(names), f"Score ({unit})", from_zero=True),
            numbers_of(["Task", "Base", "Student", "Teacher", "n"], table),
            notes=(f"{left_out} further rows are in the table.",) if left_out else (),
        )


def _rows(
    scores: list[Score], models: Mapping[str, str]
) -> tuple[str, dict[str, dict[str, Score]]]:
    """The commonest unit, and row name -> role -> score for the tasks where the student has a value in it."""
    valued = [s for s in whole_tasks(scores) if s.value is not None]
    if not valued:
        return "", {}
    unit = Counter(s.unit for s in valued).most_common(1)[0][0]
    parts: dict[str, set[str]] = {}
    for score in valued:
        parts.setdefault(score.task, set()).add(score.metric)
    rows: dict[str, dict[str, Score]] = {}
    for score in sorted(valued, key=lambda s: (s.task, s.metric)):
        if score.unit != unit:
            continue
        part = score.metric.partition("/")[2] or "score"
        name = score.task if len(parts[score.task]) == 1 else f"{score.task} · {part}"
        for role, model in models.items():
            if score.student == model:
                rows.setdefault(name, {})[role] = score
    return unit, {name: row for name, row in rows.items() if "student" in row}


def _bars(rows: list[dict[str, Score]]) -> Bars:
    """Bars from base to teacher, through the student where one of them is missing."""
    bars = []
    for y, row in enumerate(rows):
        values = [s.value for s in row.values() if s.value is not None]
        bars.append(Bar(min(values), max(values), y))
    return Bars("gap", tuple(bars))
