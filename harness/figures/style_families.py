"""Where one student's style came across: the four families of the headline, and other measures of style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.board.board import STYLE, ScoreIndex, Subject, is_gap, overall, subjects
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import gap_guides, named_rows, points, rows_layout, words
from harness.types import Score

_FAMILIES = f"{STYLE}/"
_SHOWN = ("student", "control", "ceiling")


@dataclass(frozen=True)
class StyleFamilies(AbstractFigure):
    """Style recovered by family, the student filled, controls hollow."""

    title: ClassVar[str] = "Style by family"
    reading: ClassVar[str] = (
        "How far each family of style moved from the base (0) to the teacher's own second sample (1), with 95 % "
        "intervals; hollow triangles are controls."
    )
    order: ClassVar[int] = 30
    per: ClassVar = "student"

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Dot plot of the families of the record's one pair."""
        index = ScoreIndex.of(record.scores)
        held = [
            s
            for s in subjects(record)
            if s.role in _SHOWN and record.pairs and s.teacher == record.pairs[0].teacher
        ]
        names = sorted(
            {s.metric for s in record.scores if _is_family(s) and s.value is not None and is_gap(s)}
        )
        rows = [STYLE, *names]
        traces, table = [], []
        for subject in sorted(held, key=lambda s: s.role == "student"):
            scores = [overall(index.all(metric, subject)) for metric in rows]
            kept = [(y, s) for y, s in enumerate(scores) if s is not None and s.value is not None]
            if kept:
                traces.append(_trace(subject, kept))
                table += [
                    [subject.label, _title(m), words(s), str(s.n)]
                    for m, s in zip(rows, scores, strict=True)
                    if s
                ]
        if not names or not any(t["name"] == "student" for t in traces):
            return None
        layout = named_rows(
            rows_layout(len(rows), "Share of the gap, higher is closer to the teacher"),
            [_title(m) for m in rows],
        )
        return {
            "data": traces,
            "layout": {**layout, **gap_guides(), "margin": {**layout["margin"], "t": 26}},
            "table": {"columns": ["Model", "Family", "Recovered", "n"], "rows": table},
        }


def _trace(subject: Subject, kept: list[tuple[int, Score]]) -> dict[str, Any]:
    trace = points(subject.role, [s for _, s in kept], [y for y, _ in kept])
    if subject.role != "student":
        trace["opacity"] = 0.75
        trace["error_x"] = {"visible": False}
    return trace


def _is_family(score: Score) -> bool:
    """Whether it is a part of the headline, and not a part of parts: categories of prompts are not families."""
    return score.metric.startswith(_FAMILIES) and "/" not in score.metric.removeprefix(_FAMILIES)


def _title(metric: str) -> str:
    return "all style" if metric == STYLE else metric.removeprefix(_FAMILIES).replace("_", " ")
