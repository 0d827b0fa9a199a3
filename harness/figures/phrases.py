"""The teacher's own phrases, and how often teacher, student, base and controls use each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import named_rows, points, rows_layout, words
from harness.types import Pair, Score

_RATE = "phrases/rate/"
# drawn in this order
_ROLES = {"controls": "control", "base": "base", "teacher": "teacher", "student": "student"}


@dataclass(frozen=True)
class Phrases(AbstractFigure):
    """One row per phrase; a symbol for each of teacher, student, base and the mean of the controls."""

    title: ClassVar[str] = "The teacher's own phrases"
    reading: ClassVar[str] = (
        "Openings, closings and phrases that the teacher uses more than base and controls, chosen on half of the "
        "prompts and counted on the other half. A circle at the diamond was taken over, one at the square was "
        "not. Each row has its own axis from 0 to the highest rate, which stands at its end."
    )
    order: ClassVar[int] = 45
    per: ClassVar = "student"

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Dot plot of the phrases of the record's one pair."""
        if not record.pairs:
            return None
        held = _rates(record.scores, record.pairs[0])
        if not held:
            return None
        keys = sorted(
            held,
            key=lambda k: (k[0], k[1].partition(":")[0], -(held[k]["teacher"].value or 0.0), k[1]),
        )
        traces = []
        for role, look in _ROLES.items():
            spots = [
                (y, held[k][role], _top(held[k])) for y, k in enumerate(keys) if role in held[k]
            ]
            if spots:
                trace = points(look, [s for _, s, _ in spots], [y for y, _, _ in spots])
                trace["x"] = [(s.value or 0.0) / top for _, s, top in spots]
                trace["error_x"] = {"visible": False}
                trace["text"] = [f"<b>{role}</b><br>{words(s)} {s.unit}" for _, s, _ in spots]
                traces.append(trace)
        several = len({task for task, _ in keys}) > 1
        names = [f"{name} · {task}" if several else name for task, name in keys]
        layout = named_rows(rows_layout(len(keys), "0 to the highest rate of the row"), names)
        layout["xaxis"] |= {"range": [-0.05, 1.3], "showticklabels": False}
        return {
            "data": traces,
            "layout": {**layout, "annotations": [_end(y, held[k]) for y, k in enumerate(keys)]},
            "table": {
                "columns": ["Phrase", "Teacher", "Student", "Base", "Controls", "Unit"],
                "rows": [
                    [
                        name,
                        *(
                            words(held[k].get(r))
                            for r in ("teacher", "student", "base", "controls")
                        ),
                        _unit(held[k]),
                    ]
                    for name, k in zip(names, keys, strict=True)
                ],
            },
        }


def _rates(scores: Sequence[Score], pair: Pair) -> dict[tuple[str, str], dict[str, Score]]:
    """(task, phrase) -> role -> rate, where the student's and the teacher's are known."""
    found: dict[tuple[str, str], dict[str, Score]] = {}
    for score in scores:
        own = (score.student, score.teacher) == (pair.student, pair.teacher)
        if own and score.metric.startswith(_RATE) and score.value is not None:
            role, _, phrase = score.metric.removeprefix(_RATE).partition("/")
            found.setdefault((score.task, phrase), {})[role] = score
    return {
        k: v
        for k, v in found.items()
        if {"student", "teacher"} <= set(v) and any(s.value for s in v.values())
    }


def _top(rates: dict[str, Score]) -> float:
    return max(s.value or 0.0 for s in rates.values())


def _unit(rates: dict[str, Score]) -> str:
    return rates["student"].unit


def _end(y: int, rates: dict[str, Score]) -> dict[str, Any]:
    """The highest rate of a row, written at its end."""
    top, unit = _top(rates), _unit(rates)
    text = f"{top:.0%} of replies" if unit == "share of replies" else f"{top:.2g} {unit}"
    return {"x": 1.04, "y": y, "xanchor": "left", "xref": "x", "yref": "y", "text": text, "showarrow": False,
            "font": {"size": 11}}  # fmt: skip
