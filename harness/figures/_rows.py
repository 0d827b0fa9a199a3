"""Dot plots with a model, a task or a phrase in each row: building blocks of several figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.board.numerals import estimate
from harness.board.subjects import Subject
from harness.figures._marks import Dot, Dots, Guide, Label, Mark, RowName, Told
from harness.types import Score


def wrapped(text: str, width: int = 24) -> str:
    """A name broken after a separator where it is long."""
    if "\n" in text:
        first, _, rest = text.partition("\n")
        if len(text) <= width + 2:
            return wrapped(f"{first} {rest}", width + 2)
        return f"{wrapped(first, width)}\n{wrapped(rest, width)}"
    lines, line = [], ""
    for character in text:
        line += character
        if len(line) >= width or (character in "-_/ +" and len(line) >= width * 0.7):
            lines.append(line)
            line = ""
    lines.append(line)
    if len(lines) > 1 and len(lines[-1]) < 4:
        lines[-2:] = [lines[-2] + lines[-1]]
    return "\n".join(x for x in lines if x)


def dots_of(role: str, scores: Sequence[Score], rows: Sequence[float]) -> Dots:
    """Points with horizontal intervals; every score has a value."""
    return Dots(role, tuple(dot_of(s, row) for s, row in zip(scores, rows, strict=True)))


def dot_of(score: Score, row: float) -> Dot:
    """The point of a score that has a value."""
    return Dot(_value(score), row, (score.low, score.high), told=told(score))


def _value(score: Score) -> float:
    if score.value is None:
        raise ValueError(f"{score.metric}: a score without a value has no point")
    return score.value


def told(score: Score) -> Told:
    """The hover text of a point."""
    if score.value is None:
        return score.student, score.reason
    n = f"n = {score.n}" + (" control lineages" if score.level == "models" else "")
    number = estimate(score.value, score.low, score.high)
    return score.student, score.task, f"{number}, {n}"


def words(score: Score | None) -> str:
    """A score in a table: the estimate with its interval, or a dash with the reason."""
    if score is None:
        return "–"
    if score.value is None:
        return f"– {score.reason}"
    return estimate(score.value, score.low, score.high)


def row_names(names: Sequence[str]) -> tuple[RowName, ...]:
    """Names of rows, whole and wrapped."""
    return tuple(RowName(wrapped(name, 30)) for name in names)


def whose(model: str, teacher: str, several: bool) -> str:
    """The name of a point: the model, and the teacher where the figure shows several."""
    return f"{model}\n← {teacher}" if several else model


class Placed(NamedTuple):
    """A subject and its score, which has a value."""

    subject: Subject
    score: Score


def placed_of(scores: Iterable[tuple[Subject, Score | None]]) -> list[Placed]:
    """Those whose score has a value."""
    return [Placed(s, score) for s, score in scores if score and score.value is not None]


def _label(row: Placed, among: Sequence[Placed]) -> str:
    """The name of a row: with the base where the same model and teacher stand there from several."""
    s = row.subject
    twins = [p for p in among if (p.subject.label, p.subject.teacher) == (s.label, s.teacher)]
    return f"{s.label} from {s.base or 'no base'}" if len(twins) > 1 else s.label


def folded(placed: Sequence[Placed], most: int) -> tuple[list[RowName], list[Dots]]:
    """As `by_teacher` with `teacher_rows`; but where a teacher has more controls than `most` they share one row."""
    of_teacher: dict[str, list[Placed]] = {}
    for p in placed:
        of_teacher.setdefault(p.subject.teacher, []).append(p)
    names: list[RowName] = []
    dots: dict[tuple[str, bool], list[Dot]] = {}
    for teacher, own in of_teacher.items():
        controls = [p for p in own if p.subject.role == "control"]
        alone = [p for p in own if len(controls) <= most or p.subject.role != "control"]
        names += [RowName(f"with {wrapped(teacher, 30)}", strong=True)] * (len(of_teacher) > 1)
        for p in sorted(alone, key=lambda p: (-_value(p.score), p.subject.label)):
            dots.setdefault((p.subject.role, False), []).append(dot_of(p.score, len(names)))
            names.append(RowName(wrapped(_label(p, own), 30)))
        if len(controls) > most:
            row = [Dot(_value(p.score), len(names), told=told(p.score)) for p in controls]
            dots.setdefault(("control", True), []).extend(row)
            n = len({p.subject.label for p in controls})
            names.append(RowName(f"{n} controls" + " on each base" * (n < len(controls))))
    order = sorted(dots, key=lambda key: key[0] == "student")
    return names, [Dots(role, tuple(dots[role, quiet]), quiet=quiet) for role, quiet in order]


def by_teacher(placed: Sequence[Placed]) -> tuple[list[Placed | str], list[Dots]]:
    """Rows from the top (a teacher's name before its models where there are several), and dots per role.

    Within a teacher the highest comes first.
    """
    rows: list[Placed | str] = []
    teachers = list(dict.fromkeys(p.subject.teacher for p in placed))
    for teacher in teachers:
        rows += [teacher] if len(teachers) > 1 else []
        own = [(-_value(p.score), p.subject.label, i) for i, p in enumerate(placed)]
        rows += [placed[i] for _, _, i in sorted(own) if placed[i].subject.teacher == teacher]
    roles = sorted(
        dict.fromkeys(p.subject.role for p in placed), key=lambda role: role == "student"
    )
    spots = [(y, row) for y, row in enumerate(rows) if isinstance(row, Placed)]
    marks = []
    for role in roles:
        own_dots = [dot_of(p.score, y) for y, p in spots if p.subject.role == role]
        marks.append(Dots(role, tuple(own_dots)))
    return rows, marks


def teacher_rows(rows: Sequence[Placed | str]) -> tuple[RowName, ...]:
    """The names of such rows, teachers strong."""
    models = [row for row in rows if isinstance(row, Placed)]
    return tuple(
        RowName(f"with {wrapped(row, 30)}", strong=True)
        if isinstance(row, str)
        else RowName(wrapped(_label(row, models), 30))
        for row in rows
    )


def gap_guides() -> tuple[Mark, ...]:
    """Guides and their names where 0 is the base and 1 the teacher."""
    guides: list[Mark] = [Guide(0.0), Guide(1.0)]
    for x, word in ((0.0, "base"), (1.0, "teacher")):
        guides.append(Label(word, x, 1.0, ("center", "bottom"), y_of="frame", quiet=True))
    return tuple(guides)
