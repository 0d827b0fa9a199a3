"""Tasks against models: how much of the gap, or which score, each reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.numerals import number
from harness.board.record import Variant
from harness.board.subjects import Subject, whole_tasks
from harness.figures import AbstractFigure, Drawing, Grid, Heat, HeatCell, numbers_of
from harness.figures._rows import told, words, wrapped
from harness.panel.prompts import is_category
from harness.types import Score

_MOST_TASKS = 60
_MOST_ACROSS = 11  # columns that fit on a page
_Cells = Mapping[Subject, Mapping[str, Score]]  # model -> task -> score


@dataclass(frozen=True)
class TaskHeatmap(AbstractFigure):
    """A cell per task and model; the darker, the more of the gap to the teacher was closed."""

    title = "Tasks and students"
    caption = (
        "Each cell is the share of the gap between base and teacher that a model closed on a task; the darker, the "
        "more. Empty cells have a reason, told when pointed at, in the table and under missing results."
    )
    order = 10
    measures = ("gap_recovered", "retention", "task_score")

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """Gap recovered where any was measured, else the tasks' own scores."""
        *gaps, score = self.measures
        for metric in gaps:
            cells = {s: _by_task(_family(board, metric, s)) for s in board.subjects}
            if _has_value(cells):
                unit = f"{metric.replace('_', ' ').capitalize()} (share of the gap)"
                return _heatmap(cells, unit, "")
        own = {s: _by_task(_own(board, score, s)) for s in _models(board)}
        if _has_value(own):
            caption = "Each cell is a model's own score on a task; the darker, the higher."
            return _heatmap(own, "Task score", caption)
        return None


def _has_value(cells: _Cells) -> bool:
    return any(x.value is not None for tasks in cells.values() for x in tasks.values())


def _family(board: Board, metric: str, subject: Subject) -> list[Score]:
    """The subject's scores of a metric and of its parts."""
    key = (subject.student, subject.teacher, subject.base, subject.variant)
    return [
        s
        for s in board.record.scores
        if s.metric.split("/")[0] == metric and not is_category(s.metric)
        if (s.student, s.teacher, s.base, s.variant) == key
    ]


def _own(board: Board, metric: str, subject: Subject) -> list[Score]:
    own = {s.metric for s in board.record.scores if s.metric.split("/")[0] == metric}
    names = sorted(name for name in own if not is_category(name))
    return [s for name in names for s in board.index.own(name, subject.student, subject.variant)]


def _models(board: Board) -> list[Subject]:
    """Teachers, students and the others, each model once."""
    pairs = [(p, v) for v, run in board.record.runs().items() for p in run.pairs]
    models: dict[tuple[str, Variant], Subject] = {
        (p.teacher, v): Subject(p.teacher, "", "teacher", variant=v) for p, v in pairs
    }
    models |= {(s.student, s.variant): s for s in board.subjects}
    models |= {(p.base, v): Subject(p.base, "", "base", variant=v) for p, v in pairs if p.base}
    return list(models.values())


def _by_task(scores: Sequence[Score]) -> dict[str, Score]:
    """Task -> score; of several parts of one task the first by name that has a value."""
    tasks: dict[str, Score] = {}
    for score in sorted(whole_tasks(scores), key=lambda s: (s.task, s.value is None, s.metric)):
        if "+" not in score.task:
            tasks.setdefault(score.task, score)
    return tasks


def _heatmap(cells: _Cells, unit: str, caption: str) -> Drawing | None:
    """Tasks downwards and models across, or the other way round where there are many models."""
    every = sorted({t for tasks in cells.values() for t, x in tasks.items() if x.value is not None})
    if len(every) < 2:
        return None
    tasks = every[:_MOST_TASKS]
    models = [s for s, own in cells.items() if any(x.value is not None for x in own.values())]
    grid = [[cells[s].get(task) for s in models] for task in tasks]
    turned = len(models) > _MOST_ACROSS and len(models) > len(tasks)
    across, down = (tasks, _names(models, " ")) if turned else (_names(models, "\n"), tasks)
    shown = [list(row) for row in zip(*grid, strict=True)] if turned else grid
    more = [f"{len(every) - len(tasks)} tasks more are in scores.csv."] * (len(every) > len(tasks))
    table = [[task, *map(words, row)] for task, row in zip(tasks, grid, strict=True)]
    names = ("\n".join(wrapped(line, 13) for line in name.split("\n")) for name in across)
    return Drawing(
        (Heat(tuple(tuple(map(_cell, row)) for row in shown)),),
        Grid(tuple(names), tuple(wrapped(name, 34) for name in down)),
        numbers_of(["Task", *_names(models, " ")], table),
        caption,
        (unit + ".", *more),
    )


def _cell(score: Score | None) -> HeatCell:
    if score is None:
        return HeatCell(None, "", ("not measured",))
    if score.value is None:
        return HeatCell(None, "", told(score))
    return HeatCell(score.value, number(score.value, score.low, score.high), told(score))


def _names(models: Sequence[Subject], between: str) -> list[str]:
    """Names of models, with the teacher where there are several."""
    several = len({s.teacher for s in models if s.teacher}) > 1
    return [s.label + (f"{between}← {s.teacher}" if several and s.teacher else "") for s in models]
