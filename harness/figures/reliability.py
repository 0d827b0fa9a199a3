"""Reliability: how often models are right when they are so sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.numerals import estimate, number
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Curve, Dot, Drawing, Plane, numbers_of
from harness.types import Score

Bin = tuple[Score, Score]  # mean confidence, share right


@dataclass(frozen=True)
class Reliability(AbstractFigure):
    """Share right over mean confidence, for a student, its teacher and its base."""

    title = "Reliability"
    caption = (
        "Share of prompts on which a model is right (upwards, bars are 95 % intervals) among those on which it is so "
        "confident (to the right). On the diagonal confidence is deserved; below it the model is surer than it may be."
    )
    order = 45
    measures = ("calibration",)
    per = "student"

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """A curve per model, on the task with most prompts; None without options' probabilities."""
        if subject is None:
            return None
        models = {subject.student: "student", subject.teacher: "teacher", subject.base: "base"}
        of_model = {m: self._bins(board, subject, m) for m in models if m}
        tasks = of_model[subject.student]
        if not tasks:
            return None
        task = max(tasks, key=lambda t: (sum(right.n for _, right in tasks[t]), t))
        drawn = {m: bins[task] for m, bins in of_model.items() if task in bins}
        diagonal = Curve("deserved", "expected", (Dot(0, 0), Dot(1, 1)), True, 0)
        curves = [_curve(m, models[m], bins) for m, bins in reversed(drawn.items())]
        table = [
            [m, number(_value(sure)), estimate(_value(right), right.low, right.high), str(right.n)]
            for m, bins in drawn.items()
            for sure, right in bins
        ]
        return Drawing(
            (diagonal, *curves),
            Plane("Mean confidence", "Share right", (0.0, 1.0), (0.0, 1.0), 0.25, 420),
            numbers_of(["Model", "Confidence", "Share right", "n"], table),
            notes=(f"Task: {task}.",) if len(tasks) > 1 else (),
        )

    def _bins(self, board: Board, subject: Subject, model: str) -> Mapping[str, Sequence[Bin]]:
        """task -> the model's bins with a value, by rising confidence."""
        tasks: dict[str, list[Bin]] = {}
        prefix = f"{self.measures[0]}/bin/"
        names = sorted(
            {
                s.metric
                for s in board.scores_of(subject, self.measures[0])
                if s.metric.startswith(prefix)
            }
        )
        for name in (n for n in names if n.endswith("/confidence")):
            rights = {
                s.task: s
                for s in board.index.own(
                    f"{name.removesuffix('confidence')}right", model, subject.variant
                )
            }
            for sure in board.index.own(name, model, subject.variant):
                right = rights.get(sure.task)
                if right is not None and sure.value is not None and right.value is not None:
                    tasks.setdefault(sure.task, []).append((sure, right))
        return tasks


def _curve(model: str, role: str, bins: Sequence[Bin]) -> Curve:
    dots = (
        Dot(
            _value(sure),
            _value(right),
            y_ends=(right.low, right.high),
            told=(
                model,
                f"sure {number(_value(sure))}",
                f"right {estimate(_value(right), right.low, right.high)}",
            ),
        )
        for sure, right in bins
    )
    return Curve(model, role, tuple(dots), True, 0)


def _value(score: Score) -> float:
    if score.value is None:
        raise ValueError(f"{score.metric}: a bin without a value")
    return score.value
