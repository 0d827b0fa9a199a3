"""Tasks against models: how much of the gap, or which score, each reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.board.board import ScoreIndex, Subject, Variant, subjects, whole_tasks
from harness.board.numerals import number
from harness.board.record import RunRecord
from harness.figures import AbstractFigure
from harness.figures._marks import QUIET, hover, label, words
from harness.types import Score

_MOST_TASKS = 60
_MOST_ACROSS = 11  # columns that fit on a page


@dataclass(frozen=True)
class TaskHeatmap(AbstractFigure):
    """A cell per task and model; the darker, the more of the gap to the teacher was closed."""

    title: ClassVar[str] = "Tasks and students"
    reading: ClassVar[str] = (
        "Each cell is the share of the gap between base and teacher that a model closed on a task; the darker, the "
        "more. Empty cells have a reason, told when pointed at and listed under Holes."
    )
    order: ClassVar[int] = 10

    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """Gap recovered where any was measured, else the tasks' own scores."""
        index = ScoreIndex.of(record.scores)
        rows = subjects(record)
        for metric in ("gap_recovered", "retention"):
            cells = {s: _by_task(_family(record, metric, s)) for s in rows}
            if any(x.value is not None for held in cells.values() for x in held.values()):
                return _heatmap(
                    cells, f"{metric.replace('_', ' ').capitalize()} (share of the gap)", ""
                )
        models = _models(record, rows)
        own = {s: _by_task(_own(record, index, s)) for s in models}
        if any(x.value is not None for held in own.values() for x in held.values()):
            reading = "Each cell is a model's own score on a task; the darker, the higher."
            return _heatmap(own, "Task score", reading)
        return None


def _family(record: RunRecord, metric: str, subject: Subject) -> list[Score]:
    """The subject's scores of a metric or, where it has parts only, of its first part per task."""
    key = (subject.student, subject.teacher, subject.variant)
    return [
        s
        for s in record.scores
        if s.metric.split("/")[0] == metric and (s.student, s.teacher, s.variant) == key
    ]


def _own(record: RunRecord, index: ScoreIndex, subject: Subject) -> list[Score]:
    names = sorted({s.metric for s in record.scores if s.metric.split("/")[0] == "task_score"})
    return [s for name in names for s in index.own(name, subject.student, subject.variant)]


def _models(record: RunRecord, rows: Sequence[Subject]) -> list[Subject]:
    """Teachers, students and the others, each model once."""
    found: dict[tuple[str, Variant], Subject] = {
        (p.teacher, ()): Subject(p.teacher, "", "teacher") for p in record.pairs
    }
    found |= {(s.student, s.variant): s for s in rows}
    found |= {(p.base, ()): Subject(p.base, "", "base") for p in record.pairs if p.base}
    return list(found.values())


def _by_task(scores: Sequence[Score]) -> dict[str, Score]:
    """Task -> score; of several parts of one task the first by name that has a value."""
    tasks: dict[str, list[Score]] = {}
    for score in sorted(whole_tasks(scores), key=lambda s: (s.task, s.value is None, s.metric)):
        tasks.setdefault(score.task, []).append(score)
    return {task: held[0] for task, held in tasks.items() if "+" not in task}


def _heatmap(
    cells: Mapping[Subject, Mapping[str, Score]], unit: str, reading: str
) -> dict[str, Any] | None:
    """Tasks downwards and models across, or the other way round where there are many models."""
    every = sorted(
        {task for held in cells.values() for task, x in held.items() if x.value is not None}
    )
    if len(every) < 2:
        return None
    tasks = every[:_MOST_TASKS]
    models = [s for s, held in cells.items() if any(x.value is not None for x in held.values())]
    grid = [[cells[s].get(task) for s in models] for task in tasks]
    turned = len(models) > _MOST_ACROSS and len(models) > len(tasks)
    across, down = (tasks, _names(models, " ")) if turned else (_names(models, "\n"), tasks)
    shown = [list(row) for row in zip(*grid, strict=True)] if turned else grid
    left_out = (
        [f"{len(every) - len(tasks)} tasks more are in scores.csv."]
        if len(every) > len(tasks)
        else []
    )
    figure = {
        "data": [_cells(shown)],
        "layout": _layout(across, down) | {"annotations": _dashes(shown)},
        "table": {
            "columns": ["Task", *_names(models, " ")],
            "rows": [
                [task, *(words(x) for x in row)] for task, row in zip(tasks, grid, strict=True)
            ],
        },
        "notes": [unit + ".", *left_out],
    }
    return figure | ({"reading": reading} if reading else {})


def _cells(grid: Sequence[Sequence[Score | None]]) -> dict[str, Any]:
    """The trace: one hue, from 0 to 1; numbers are written into the cells."""
    return {
        "type": "heatmap",
        "z": [[x.value if x else None for x in row] for row in grid],
        "x": list(range(len(grid[0]))),
        "y": list(range(len(grid))),
        "text": [
            [number(x.value, x.low, x.high) if x and x.value is not None else "" for x in row]
            for row in grid
        ],
        "texttemplate": "%{text}",
        "hovertext": [[hover(x) if x else "not measured" for x in row] for row in grid],
        "hoverinfo": "text",
        "hoverongaps": True,
        "zmin": 0,
        "zmax": 1,
        "xgap": 3,
        "ygap": 3,
        "colorscale": [[0, "#F1F5F8"], [1, "#56B4E9"]],
        "showscale": False,
    }


def _dashes(grid: Sequence[Sequence[Score | None]]) -> list[dict[str, Any]]:
    """A dash in every cell without a number."""
    spots = [
        (x, y)
        for y, row in enumerate(grid)
        for x, s in enumerate(row)
        if s is None or s.value is None
    ]
    dash = {"text": "–", "showarrow": False, "font": {"color": QUIET}, "xref": "x", "yref": "y"}
    return [{**dash, "x": x, "y": y} for x, y in spots]


def _names(models: Sequence[Subject], between: str) -> list[str]:
    """Names of models, with the teacher where there are several."""
    several = len({s.teacher for s in models if s.teacher}) > 1
    return [s.label + (f"{between}← {s.teacher}" if several and s.teacher else "") for s in models]


def _layout(across: Sequence[str], down: Sequence[str]) -> dict[str, Any]:
    still = {
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "tickmode": "array",
    }
    columns = ["<br>".join(label(line, 13) for line in name.split("\n")) for name in across]
    top = 16 * max(name.count("<br>") + 1 for name in columns)
    return {
        "height": 40 + top + 36 * len(down),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": False,
        "xaxis": {
            **still,
            "side": "top",
            "tickangle": 0,
            "tickvals": list(range(len(across))),
            "ticktext": columns,
        },
        "yaxis": {
            **still,
            "tickvals": list(range(len(down))),
            "ticktext": [label(name, 34) for name in down],
            "autorange": "reversed",
        },
        "meta": {"least_width": 170 + 92 * len(across), "wide": len(across) > 4},
    }
