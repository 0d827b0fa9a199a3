"""One student's scores by category of prompts: subjects of a test, kinds of questions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Drawing
from harness.figures._dumbbells import dumbbell_rows, dumbbells
from harness.figures._rows import words
from harness.panel.grades import SHARES
from harness.panel.prompts import CATEGORY, is_category
from harness.types import Score


@dataclass(frozen=True)
class Categories(AbstractFigure):
    """Scores of base, student and teacher, one line per category of prompts."""

    title = "Categories of prompts"
    caption = (
        "Each line runs from the base (square) to the teacher (diamond) on the prompts of one category, or of one "
        "leaf of a group; the student (circle) stands between with its 95 % interval. The fewer the prompts (n, in the "
        "table), the wider the interval: differences between categories are often chance."
    )
    order = 22
    measures = ("task_score", "gap_recovered")
    per = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Dumbbells of the subject and its pair by category or leaf; the table has the gap recovered too."""
        if subject is None:
            return None
        score, gap = self.measures
        every = board.scores_of(subject, score, gap)
        scores = _by_category(every, score)
        several = len({_group(s) for s in scores}) > 1

        def name(score: Score) -> str:
            """The category, behind its task or leaf where the figure shows several."""
            return f"{_group(score)} · {_category(score)}" if several else _category(score)

        rows = dumbbell_rows(scores, subject, name)
        if len(rows) < 2:
            return None
        own = (subject.student, subject.teacher, subject.base)
        recovered = {
            name(s): words(s)
            for s in _by_category(every, gap)
            if (s.student, s.teacher, s.base) == own
        }
        small = {
            f"{name(s)}: {s.reason}."
            for s in scores
            if s.value is None and s.student == subject.student
        }
        return dumbbells(rows, "Category", {"Gap recovered": recovered}, sorted(small))


def _by_category(scores: Iterable[Score], measure: str) -> list[Score]:
    """Scores of categories of prompts and of leaves of groups; of several grades of a leaf the one that gaps are of."""
    first: dict[tuple[str, str, str, str, str], Score] = {}
    for s in sorted(scores, key=_preference):
        if s.metric.split("/")[0] == measure and is_category(s.metric) != ("/" in s.task):
            own = (_group(s), _category(s), s.student, s.teacher, s.base)
            first.setdefault(own, s)
    return list(first.values())


def _preference(score: Score) -> int:
    """Place of a grade among those that are preferred; others come behind them, in their order."""
    name = score.metric.partition("/")[2].partition(",")[0]
    return SHARES.index(name) if name in SHARES else len(SHARES)


def _group(score: Score) -> str:
    return score.task.split("/")[0]


def _category(score: Score) -> str:
    """The category of prompts, or the leaf."""
    return score.metric.partition(CATEGORY)[2] or score.task.partition("/")[2]
