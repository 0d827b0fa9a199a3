"""Results in Python: `harness.load` and `harness.compare`. These two are public; everything else is private."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from harness.board.board import Board, make_board
from harness.board.record import RunRecord
from harness.board.saved import read_record, results_folder
from harness.board.tables import (
    Table,
    changes_table,
    collections_table,
    comparisons_table,
    leaderboard_table,
    recipe_comparisons_table,
    recipes_table,
    runs_table,
    scores_table,
)
from harness.page.pictures import drawn_alone


@dataclass(frozen=True)
class Results:
    """A run, or a sweep, as tables; a number that is missing is NaN and has its reason beside it."""

    title: str
    warnings: tuple[str, ...]  # what a careful reader asks first
    scores: pd.DataFrame  # the columns of scores.csv, swept keys and the level of the interval
    leaderboard: pd.DataFrame  # the columns of leaderboard.csv, and tokens per second
    comparisons: pd.DataFrame  # of students of one teacher, paired by prompt
    changes: pd.DataFrame  # of students against their bases and teachers, paired by prompt
    recipes: pd.DataFrame  # means over the training seeds of a recipe, three at least
    recipe_comparisons: pd.DataFrame  # of recipes of one teacher, with seeds as clusters
    collections: pd.DataFrame  # how the answers were collected: seconds, tokens, cost, store keys
    record: RunRecord  # what the tables were made from
    board: Board = field(repr=False)  # what may be said of it

    def figure(self, name: str, student: str = "") -> Any:
        """A figure of the page as a plotly figure, for notebooks: `figure("transfer_map")`.

        name: a kind of figure, or a measure, of which all models are drawn. student: of a figure about one student;
        "" = the first. Raises DistillbenchError where there is no such figure, or nothing for it to show.
        """
        from plotly.graph_objects import Figure

        return Figure(drawn_alone(self.board, name, student))


def load(path: str | Path) -> Results:
    """The results in a folder `results`, in its folder `report`, or beside a `run.json`.

    Raises DistillbenchError where no run has left its files there.
    """
    board = make_board(read_record(results_folder(Path(path))))
    record = board.record
    return Results(
        title=record.title,
        warnings=record.warnings,
        scores=_frame(scores_table(record)),
        leaderboard=_frame(leaderboard_table(board)),
        comparisons=_frame(comparisons_table(record)),
        changes=_frame(changes_table(record)),
        recipes=_frame(recipes_table(record)),
        recipe_comparisons=_frame(recipe_comparisons_table(record)),
        collections=_frame(collections_table(record)),
        record=record,
        board=board,
    )


def compare(a: str | Path | Results, b: str | Path | Results) -> pd.DataFrame:
    """Every score of two runs: both values, their difference (a minus b), its interval and two-sided p.

    The difference is paired by prompt where both runs have the score's pseudo-values; else `reason` says why there is
    no interval. Scores are the same where metric, task, student, teacher, base and swept values are.
    """
    first, second = (x if isinstance(x, Results) else load(x) for x in (a, b))
    return _frame(runs_table(first.record, second.record))


def _frame(table: Table) -> pd.DataFrame:
    return pd.DataFrame(table.columns())
