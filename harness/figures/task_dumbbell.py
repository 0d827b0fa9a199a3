"""One student's tasks: from its base over the student to the teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.board.board import whole_tasks
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import FAINT, named_rows, points, rows_layout, words
from harness.types import Score

_MOST_ROWS = 40


@dataclass(frozen=True)
class TaskDumbbell(AbstractFigure):
    """Task scores of base, student and teacher, one line per task."""

    title: ClassVar[str] = "Tasks"
    reading: ClassVar[str] = (
        "Each line runs from the base (square) to the teacher (diamond); the student (circle) with its 95 % interval "
        "stands where it got to."
    )
    order: ClassVar[int] = 20
    per: ClassVar = "student"

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Dumbbells of the record's one pair; scores in the unit that most tasks share."""
        if not record.pairs:
            return None
        pair = record.pairs[0]
        models = {"base": pair.base or "", "teacher": pair.teacher, "student": pair.student}
        scores = [
            s
            for s in record.scores
            if s.metric.split("/")[0] == "task_score" and s.student in models.values()
        ]
        unit, rows = _rows(scores, models)
        if not rows:
            return None
        shown = list(rows)[:_MOST_ROWS]
        traces = [_bars([rows[r] for r in shown])]
        for role in ("base", "teacher", "student"):
            held = [(y, rows[r][role]) for y, r in enumerate(shown) if role in rows[r]]
            traces.append(points(role, [s for _, s in held], [y for y, _ in held]))
        left_out = len(rows) - len(shown)
        return {
            "data": traces,
            "layout": named_rows(
                rows_layout(len(shown), f"Score ({unit})", rangemode="tozero"), shown
            ),
            "table": {
                "columns": ["Task", "Base", "Student", "Teacher", "n"],
                "rows": [
                    [r, *(words(s.get(k)) for k in ("base", "student", "teacher")), _n(s)]
                    for r, s in rows.items()
                ],
            },
            "notes": [f"{left_out} further rows are in the table."] if left_out else [],
        }


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
        name = (
            score.task
            if len(parts[score.task]) == 1
            else f"{score.task} · {score.metric.partition('/')[2] or 'score'}"
        )
        for role, model in models.items():
            if score.student == model:
                rows.setdefault(name, {})[role] = score
    return unit, {name: row for name, row in rows.items() if "student" in row}


def _bars(rows: list[dict[str, Score]]) -> dict[str, Any]:
    """Grey lines from base to teacher, through the student where one of them is missing."""
    xs: list[float | None] = []
    ys: list[int | None] = []
    for y, row in enumerate(rows):
        values = [s.value for s in row.values() if s.value is not None]
        xs += [min(values), max(values), None]
        ys += [y, y, None]
    line = {"color": FAINT, "width": 3}
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": line,
        "hoverinfo": "skip",
        "name": "gap",
    }


def _n(row: Mapping[str, Score]) -> str:
    return str(row["student"].n)
