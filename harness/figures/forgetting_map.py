"""The forgetting map: what a student learned from its teacher, and what it lost elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.changes import said_changes
from harness.board.numerals import estimate
from harness.board.record import Change
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Drawing, Guide, Mark, Plane, numbers_of
from harness.figures._points import Point, dots_by_role, names_of, span_of
from harness.figures._rows import words, wrapped
from harness.types import Score

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # between numbers of an axis


@dataclass(frozen=True)
class ForgettingMap(AbstractFigure):
    """Change against the base outside of what was distilled, over the capability gap closed."""

    title = "Forgetting map: learned and lost"
    caption = (
        "To the right: share of the capability gap to its teacher that a student closed. Upwards: how much better than "
        "its base it is on tasks outside of what was distilled (domain: outside), as a mean over these tasks; below 0 "
        "something was lost. Bars are 95 % intervals; which loss is significant is said task by task."
    )
    order = 9

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """One plane with every student whose gap and whose change outside are known."""
        students = [s for s in board.subjects if s.role == "student"]
        known = [
            (s, score, outside)
            for s in students
            if (score := board.index.about("capability", s)) is not None
            if score.value is not None and (outside := _outside(board, s))
        ]
        if not known:
            return None
        points = [_point(*one) for one in known]
        x_span = span_of([0.0, 1.0, *(p.x for p in points)])
        ends = [e for p in points for e in p.y_ends if e is not None]
        y_span = span_of([0.0, *(p.y for p in points), *ends])
        wide = y_span[1] - y_span[0]
        step = next((s for s in _STEPS if wide / s <= 6), _STEPS[-1])
        marks: list[Mark] = [
            Guide(0.0, "y", dotted=True),
            Guide(0.0, dotted=True),
            Guide(1.0, dotted=True),
        ]
        marks += [*dots_by_role(points), *names_of(points, x_span, y_span)]
        ticks = tuple((x, f"{x:.1f}") for x in (0.0, 0.5, 1.0))
        plane = Plane(
            "Gap closed", "Change outside, share of prompts", x_span, y_span, step, 340, ticks
        )
        rows = [
            [
                s.label,
                s.teacher,
                words(score),
                estimate(*_mean(outside)),
                ", ".join(c.task for c in outside),
            ]
            for s, score, outside in known
        ]
        heads = ["Student", "Teacher", "Gap closed", "Change outside", "Tasks"]
        return Drawing(tuple(marks), plane, numbers_of(heads, rows))


def _outside(board: Board, student: Subject) -> list[Change]:
    """What a student gained or lost against its base on tasks outside of what was distilled, by their own scores."""
    own = board.index.metrics("own_score")
    tasks = board.record.runs()[student.variant].tasks
    changes: dict[str, Change] = {}
    for said in said_changes(board.changes_of(student), tasks):
        c = said.change
        if (c.against, said.domain, c.better) == ("base", "outside", "higher") and c.metric in own:
            changes.setdefault(c.task, c)
    return list(changes.values())


def _mean(outside: Sequence[Change]) -> tuple[float, float, float]:
    """The mean over tasks with its ends; tasks share no prompts, so half-widths add in squares."""
    n = len(outside)
    mean = sum(c.difference for c in outside) / n
    below = math.sqrt(sum((c.difference - c.low) ** 2 for c in outside)) / n
    above = math.sqrt(sum((c.high - c.difference) ** 2 for c in outside)) / n
    return mean, mean - below, mean + above


def _point(student: Subject, score: Score, outside: Sequence[Change]) -> Point:
    mean, low, high = _mean(outside)
    tasks = ", ".join(c.task for c in outside)
    told = (
        wrapped(student.label, 60),
        f"gap closed {words(score)}",
        f"outside {estimate(mean, low, high)} ({wrapped(tasks, 60)})",
    )
    assert score.value is not None
    link = (student.label, student.teacher)
    ends = ((score.low, score.high), (low, high))
    return Point(student.label, "student", score.value, mean, *ends, told, link)
