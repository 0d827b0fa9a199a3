"""Agreement with the teacher beyond chance, students against controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.board.board import ScoreIndex, subjects
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import Held, by_teacher, guide, rows_layout, teacher_rows, words

_METRICS = {"capa": "CAPA", "error_consistency": "Error consistency"}


@dataclass(frozen=True)
class Agreement(AbstractFigure):
    """CAPA of every student and control with its teacher, highest first."""

    title: ClassVar[str] = "Agreement with the teacher beyond chance"
    reading: ClassVar[str] = (
        "0 is the agreement that two models so often right would show by chance, 1 complete agreement; bars are 95 % "
        "intervals. Capable models agree more whoever taught them: judge a student against the controls (hollow)."
    )
    order: ClassVar[int] = 12

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """A dot plot of the first of the measures that the run has, by teacher."""
        index = ScoreIndex.of(record.scores)
        for metric in _METRICS:
            scores = [(s, index.overall(metric, s)) for s in subjects(record)]
            held = [Held(s, x) for s, x in scores if x is not None and x.value is not None]
            if held:
                break
        else:
            return None
        rows, traces = by_teacher(held)
        layout = rows_layout(
            len(rows), f"{_METRICS[metric]} (kappa, higher is more alike)", rangemode="tozero"
        )
        return {
            "data": traces,
            "layout": {**teacher_rows(layout, rows), "shapes": [guide(0.0)]},
            "table": {
                "columns": ["Model", "Role", "Teacher", "Task", "Agreement", "n"],
                "rows": [[s.label, s.role, s.teacher, x.task, words(x), str(x.n)] for s, x in held],
            },
        }
