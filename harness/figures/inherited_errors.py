"""Wrong answers shared with the teacher, against what the controls lead one to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.board.board import ScoreIndex, Subject, subjects
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import FAINT, QUIET, Held, by_teacher, rows_layout, teacher_rows, words
from harness.types import Score

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
        held = [Held(s, x) for s, x in found if x is not None and x.value is not None]
        if not held:
            return None
        rows, traces = by_teacher(held)
        expected = {h.subject: index.overall(_EXPECTED, h.subject) for h in held}
        layout = rows_layout(
            len(rows), "Same wrong answer, share of common mistakes", rangemode="tozero"
        )
        return {
            "data": [*_expected(rows, expected), *traces],
            "layout": teacher_rows(layout, rows),
            "table": _table(index, held, expected),
        }


def _expected(
    rows: Sequence[Held | str], expected: Mapping[Subject, Score | None]
) -> list[dict[str, Any]]:
    """Ticks at the expected share and lines from there to the observed one."""
    spots = []
    for y, row in enumerate(rows):
        other = expected[row.subject] if isinstance(row, Held) else None
        if isinstance(row, Held) and other is not None and other.value is not None:
            spots.append((y, other.value, row.score.value))
    gaps = {
        "type": "scatter",
        "mode": "lines",
        "name": "excess",
        "x": [v for _, e, x in spots for v in (e, x, None)],
        "y": [v for y, _, _ in spots for v in (y, y, None)],
        "line": {"color": FAINT, "width": 3},
        "hoverinfo": "skip",
    }
    ticks = {
        "type": "scatter",
        "mode": "markers",
        "name": "expected",
        "x": [e for _, e, _ in spots],
        "y": [y for y, _, _ in spots],
        "marker": {
            "symbol": "line-ns-open",
            "color": QUIET,
            "size": 15,
            "line": {"width": 2.5, "color": QUIET},
        },
        "hoverinfo": "x",
    }
    return [gaps, ticks]


def _table(
    index: ScoreIndex, held: Sequence[Held], expected: Mapping[Subject, Score | None]
) -> dict[str, Any]:
    rows = []
    for subject, score in held:
        excess, other = index.overall(_EXCESS, subject), expected[subject]
        rows.append(
            [
                subject.label,
                subject.role,
                subject.teacher,
                *map(words, (score, other, excess)),
                str(score.n),
            ]
        )
    return {
        "columns": ["Model", "Role", "Teacher", "Same wrong answer", "Expected", "Excess", "n"],
        "rows": rows,
    }
