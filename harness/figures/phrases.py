"""The teacher's own phrases, and how often teacher, student, base and controls use each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Dot, Dots, Drawing, Label, Mark, Rows, numbers_of
from harness.figures._rows import row_names, words
from harness.types import Score

# drawn in this order
_ROLES = {"controls": "control", "base": "base", "teacher": "teacher", "student": "student"}
_Rates = Mapping[str, Score]  # role -> rate


@dataclass(frozen=True)
class Phrases(AbstractFigure):
    """One row per phrase; a symbol for each of teacher, student, base and the mean of the controls."""

    title = "The teacher's own phrases"
    caption = (
        "Openings, closings and phrases that the teacher uses more than base and controls, chosen on half of the "
        "prompts and counted on the other half. A circle at the diamond was taken over, one at the square was "
        "not. Each row has its own axis from 0 to the highest rate, which stands at its end."
    )
    order = 45
    measures = ("phrases/rate",)
    per = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Dot plot of the subject's phrases."""
        rates = _rates(board, subject, f"{self.measures[0]}/") if subject else {}
        if not rates:
            return None
        places = sorted(rates, key=lambda at: _order(at, rates[at]))
        rows = [rates[at] for at in places]
        several = len({task for task, _ in places}) > 1
        names = [f"{phrase} · {task}" if several else phrase for task, phrase in places]
        table = [
            [name, *(words(r.get(k)) for k in ("teacher", "student", "base", "controls")), _unit(r)]
            for name, r in zip(names, rows, strict=True)
        ]
        title = "0 to the highest rate of the row"
        return Drawing(
            (*_dots(rows), *(_end(y, r) for y, r in enumerate(rows))),
            Rows(row_names(names), title, span=(-0.05, 1.3), numbers=False),
            numbers_of(["Phrase", "Teacher", "Student", "Base", "Controls", "Unit"], table),
        )


def _order(place: tuple[str, str], rates: _Rates) -> tuple[str, str, float, str]:
    task, phrase = place
    return task, phrase.partition(":")[0], -(rates["teacher"].value or 0.0), phrase


def _rates(board: Board, subject: Subject, prefix: str) -> dict[tuple[str, str], dict[str, Score]]:
    """(task, phrase) -> role -> rate, where the student's and the teacher's are known."""
    rates: dict[tuple[str, str], dict[str, Score]] = {}
    for score in board.scores_of(subject, prefix.partition("/")[0]):
        own = (score.student, score.teacher) == (subject.student, subject.teacher)
        if own and score.metric.startswith(prefix) and score.value is not None:
            role, _, phrase = score.metric.removeprefix(prefix).partition("/")
            rates.setdefault((score.task, phrase), {})[role] = score
    return {
        at: row
        for at, row in rates.items()
        if {"student", "teacher"} <= set(row) and any(s.value for s in row.values())
    }


def _dots(rows: Sequence[_Rates]) -> list[Mark]:
    marks: list[Mark] = []
    for role, look in _ROLES.items():
        dots = [
            Dot(
                (r[role].value or 0.0) / _top(r), y, told=(role, f"{words(r[role])} {r[role].unit}")
            )
            for y, r in enumerate(rows)
            if role in r
        ]
        marks += [Dots(look, tuple(dots))] if dots else []
    return marks


def _top(rates: _Rates) -> float:
    return max(s.value or 0.0 for s in rates.values())


def _unit(rates: _Rates) -> str:
    return rates["student"].unit


def _end(y: int, rates: _Rates) -> Label:
    """The highest rate of a row, written at its end."""
    top, unit = _top(rates), _unit(rates)
    text = f"{top:.0%} of replies" if unit == "share of replies" else f"{top:.2g} {unit}"
    return Label(text, 1.04, y, ("left", "middle"))
