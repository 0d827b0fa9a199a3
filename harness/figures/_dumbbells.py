"""Lines from base to teacher with the student on them: building blocks of figures about one student."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.board.subjects import Subject
from harness.figures._marks import Bar, Bars, Drawing, Mark, Rows, numbers_of
from harness.figures._rows import dots_of, row_names, words
from harness.types import Score

_MOST_ROWS = 40
_ROLES = ("base", "teacher", "student")

Ends = Mapping[str, Score]  # role -> score with a value


def dumbbell_rows(
    scores: Iterable[Score], subject: Subject, name: Callable[[Score], str]
) -> dict[str, dict[str, Score]]:
    """Row name -> role -> score, in the unit that most scores have, where the student has a value."""
    models = dict(zip(_ROLES, (subject.base, subject.teacher, subject.student), strict=True))
    valued = [s for s in scores if s.value is not None and s.student in models.values()]
    if not valued:
        return {}
    unit = Counter(s.unit for s in valued).most_common(1)[0][0]
    rows: dict[str, dict[str, Score]] = {}
    for score in sorted(valued, key=lambda s: (s.task, s.metric)):
        for role, model in models.items():
            if score.student == model and score.unit == unit:
                rows.setdefault(name(score), {})[role] = score
    return {name: row for name, row in rows.items() if "student" in row}


def dumbbells(
    rows: Mapping[str, Ends],
    what: str,
    further: Mapping[str, Mapping[str, str]],
    notes: Sequence[str] = (),
) -> Drawing:
    """The drawing of some rows; `what` a row is about, `further`: head of a column -> row name -> its text."""
    shown = list(rows.values())[:_MOST_ROWS]
    marks: list[Mark] = [_bars(shown)]
    for role in _ROLES:
        placed = [(y, row[role]) for y, row in enumerate(shown) if role in row]
        marks.append(dots_of(role, [s for _, s in placed], [y for y, _ in placed]))
    table = [
        [
            name,
            *(words(row.get(role)) for role in ("base", "student", "teacher")),
            *(column.get(name, words(None)) for column in further.values()),
            str(row["student"].n),
        ]
        for name, row in rows.items()
    ]
    left_out = len(rows) - len(shown)
    more = [f"{left_out} further rows are in the table."] if left_out else []
    unit = next(s.unit for row in shown for s in row.values())
    return Drawing(
        tuple(marks),
        Rows(row_names(list(rows)[:_MOST_ROWS]), f"Score ({unit})", from_zero=True),
        numbers_of([what, "Base", "Student", "Teacher", *further, "n"], table),
        notes=(*more, *notes),
    )


def _bars(rows: Sequence[Ends]) -> Bars:
    """Bars from base to teacher, through the student where one of them is missing."""
    bars = []
    for y, row in enumerate(rows):
        values = [s.value for s in row.values() if s.value is not None]
        bars.append(Bar(min(values), max(values), y))
    return Bars("gap", tuple(bars))
