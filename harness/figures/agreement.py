"""Agreement with the teacher beyond chance, students against controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.figures._marks import guide, named_rows, points, rows_layout, whose, words
from harness.plugins import AbstractFigure
from harness.subjects import ScoreIndex, subjects
from harness.types import RunRecord

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
            held = [
                (s, x) for s in subjects(record) if (x := index.overall(metric, s)) is not None and x.value is not None
            ]
            if held:
                break
        else:
            return None
        held.sort(key=lambda p: (p[0].teacher, -(p[1].value or 0.0), p[0].label))
        traces = []
        for role in dict.fromkeys(s.role for s, _ in held):
            rows = [i for i, (s, _) in enumerate(held) if s.role == role]
            traces.append(points(role, [held[i][1] for i in rows], rows))
        several = len({s.teacher for s, _ in held}) > 1
        names = [whose(s.label, s.teacher, several) for s, _ in held]
        title = f"{_METRICS[metric]} (kappa, higher is more alike)"
        layout = named_rows(rows_layout(len(held), title, rangemode="tozero"), names)
        return {
            "data": traces,
            "layout": {**layout, "shapes": [guide(0.0)]},
            "table": {
                "columns": ["Model", "Role", "Teacher", "Task", "Agreement", "n"],
                "rows": [[s.label, s.role, s.teacher, x.task, words(x), str(x.n)] for s, x in held],
            },
        }
