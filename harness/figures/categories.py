"""One student's scores by category of prompts: subjects of a test, kinds of questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.board.board import Board
from harness.board.subjects import Subject, whole_tasks
from harness.figures import AbstractFigure, Drawing
from harness.figures._dumbbells import dumbbell_rows, dumbbells
from harness.figures._rows import words
from harness.panel.prompts import CATEGORY
from harness.types import Score


@dataclass(frozen=True)
class Categories(AbstractFigure):
    """Scores of base, student and teacher, one line per category of prompts."""

    title: ClassVar[str] = "Categories of prompts"
    caption: ClassVar[str] = (
        "Each line runs from the base (square) to the teacher (diamond) on the prompts of one category or subject; the "
        "student (circle) with its 95 % interval. The fewer the prompts (n, in the table), the wider the interval: "
        "differences between categories are often chance."
    )
    order: ClassVar[int] = 22
    measures: ClassVar[tuple[str, ...]] = ("task_score", "gap_recovered")
    per: ClassVar = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Dumbbells of the subject and its pair by category; the table has the gap recovered too."""
        if subject is None:
            return None
        own, gap = (f"{measure}/{CATEGORY}" for measure in self.measures)
        scores = [s for s in whole_tasks(board.scores_of(subject)) if s.metric.startswith(own)]
        several = len({s.task for s in scores}) > 1

        def name(score: Score) -> str:
            category = score.metric.partition(CATEGORY)[2]
            return f"{score.task} · {category}" if several else category

        rows = dumbbell_rows(scores, subject, name)
        if not rows:
            return None
        recovered = {
            name(s): words(s)
            for s in board.scores_of(subject)
            if s.metric.startswith(gap)
            and (s.student, s.teacher, s.base) == (subject.student, subject.teacher, subject.base)
        }
        small = [f"{name(s)}: {s.reason}." for s in scores if _is_hole(s, subject)]
        return dumbbells(rows, "Category", {"Gap recovered": recovered}, sorted(small))


def _is_hole(score: Score, subject: Subject) -> bool:
    return score.value is None and score.student == subject.student
