"""Wrong answers shared with the teacher, against what the controls lead one to expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.figures._marks import FAINT, QUIET, named_rows, points, rows_layout, whose, words
from harness.plugins import AbstractFigure
from harness.subjects import ScoreIndex, Subject, subjects
from harness.types import RunRecord, Score

_SHARED = "error_inheritance/shared_wrong"
_EXPECTED = "error_inheritance/expected"
_EXCESS = "error_inheritance/excess"


@dataclass(frozen=True)
class InheritedErrors(AbstractFigure):
    """Share of common mistakes with the very same wrong answer, from expected to observed."""

    title: ClassVar[str] = "Inherited errors"
    reading: ClassVar[str] = (
        "Of the prompts that model and teacher both got wrong: the share with the same wrong answer (point, 95 % "
        "interval) and what popular wrong answers alone explain (bar). Right of the bar: errors that look inherited."
    )
    order: ClassVar[int] = 14

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Observed and expected share for every student and control."""
        index = ScoreIndex.of(record.scores)
        found = [(s, index.overall(_SHARED, s)) for s in subjects(record)]
        held = [(s, x) for s, x in found if x is not None and x.value is not None]
        if not held:
            return None
        held.sort(key=lambda p: (p[0].teacher, -(p[1].value or 0.0), p[0].label))
        expected = [index.overall(_EXPECTED, s) for s, _ in held]
        traces = [*_expected(held, expected)]
        for role in dict.fromkeys(s.role for s, _ in held):
            rows = [i for i, (s, _) in enumerate(held) if s.role == role]
            traces.append(points(role, [held[i][1] for i in rows], rows))
        several = len({s.teacher for s, _ in held}) > 1
        names = [whose(s.label, s.teacher, several) for s, _ in held]
        layout = rows_layout(len(held), "Same wrong answer, share of common mistakes", rangemode="tozero")
        return {"data": traces, "layout": named_rows(layout, names), "table": _table(index, held, expected)}


def _expected(held: list[tuple[Subject, Score]], expected: list[Score | None]) -> list[dict[str, Any]]:
    """Ticks at the expected share and thin lines from there to the observed one."""
    spots = [
        (y, e.value, x.value)
        for y, ((_, x), e) in enumerate(zip(held, expected, strict=True))
        if e and e.value is not None
    ]
    line = {"color": FAINT, "width": 3}
    gaps = {
        "type": "scatter",
        "mode": "lines",
        "name": "excess",
        "x": [v for _, e, x in spots for v in (e, x, None)],
        "y": [v for y, _, _ in spots for v in (y, y, None)],
        "line": line,
        "hoverinfo": "skip",
    }
    ticks = {
        "type": "scatter",
        "mode": "markers",
        "name": "expected",
        "x": [e for _, e, _ in spots],
        "y": [y for y, _, _ in spots],
        "marker": {"symbol": "line-ns-open", "color": QUIET, "size": 15, "line": {"width": 2.5}},
        "hoverinfo": "x",
    }
    return [gaps, ticks]


def _table(index: ScoreIndex, held: list[tuple[Subject, Score]], expected: list[Score | None]) -> dict[str, Any]:
    rows = []
    for (subject, score), other in zip(held, expected, strict=True):
        excess = index.overall(_EXCESS, subject)
        rows.append(
            [subject.label, subject.role, subject.teacher, words(score), words(other), words(excess), str(score.n)]
        )
    return {"columns": ["Model", "Role", "Teacher", "Same wrong answer", "Expected", "Excess", "n"], "rows": rows}
