"""A dot plot of any measure: what the page draws where no other figure shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.board.board import whole_tasks
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import guide, named_rows, points, rows_layout, words
from harness.types import Score

_MOST_ROWS = 60
_WORDS = {"higher": ", higher is closer", "lower": ", lower is closer", "none": ""}


@dataclass(frozen=True)
class MeasureDots(AbstractFigure):
    """One row per model and task, with intervals."""

    metric: str = ""  # metric, or metric/part; "" draws nothing

    title: ClassVar[str] = "All models"
    reading: ClassVar[str] = (
        "One row per model and task, bars are 95 % intervals; the symbol tells the role."
    )
    order: ClassVar[int] = 90
    per: ClassVar = "metric"

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Rows by task and teacher, highest first."""
        held = [
            s
            for s in whole_tasks([s for s in record.scores if s.metric == self.metric])
            if s.value is not None
        ]
        if not held:
            return None
        unit = Counter(s.unit for s in held).most_common(1)[0][0]
        held = [s for s in held if s.unit == unit]
        held.sort(key=lambda s: (s.task, s.teacher, -(s.value or 0.0), s.student, s.variant))
        shown = held[:_MOST_ROWS]
        traces = []
        for role in dict.fromkeys(_role(record, s) for s in shown):
            rows = [i for i, s in enumerate(shown) if _role(record, s) == role]
            traces.append(points(role, [shown[i] for i in rows], rows))
        layout = named_rows(
            rows_layout(len(shown), f"{unit}{_WORDS[shown[0].better]}"), _names(shown)
        )
        zero = min(s.value or 0.0 for s in shown) < 0 < max(s.value or 0.0 for s in shown)
        return {
            "data": traces,
            "layout": {**layout, "shapes": [guide(0.0)] if zero else []},
            "table": {
                "columns": ["Model", "Teacher", "Task", "Value", "n"],
                "rows": [[s.student, s.teacher or "–", s.task, words(s), str(s.n)] for s in held],
            },
            "notes": [f"{len(held) - len(shown)} rows more are in the table."]
            if len(held) > len(shown)
            else [],
        }


def _role(record: RunRecord, score: Score) -> str:
    return record.roles.get(score.student, "other")


def _names(scores: list[Score]) -> list[str]:
    """Row names with whatever differs between rows: model, swept values, teacher, task."""
    teachers, tasks = len({s.teacher for s in scores}) > 1, len({s.task for s in scores}) > 1
    names = []
    for score in scores:
        name = " ".join([score.student, *(f"{k}={v}" for k, v in score.variant)])
        name += f" ← {score.teacher}" if teachers and score.teacher else ""
        names.append(name + (f" · {score.task}" if tasks else ""))
    return names
