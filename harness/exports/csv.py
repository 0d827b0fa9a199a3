"""The tables of a run, with numbers in full.

scores.csv, changes.csv, leaderboard.csv; of recipes recipes.csv and recipe_comparisons.csv; of evidence verdicts.csv
and rates.csv; of a file of training answers shares.csv and rows.csv.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from harness.board.audits import rows_table, shares_table
from harness.board.board import Board
from harness.board.tables import (
    Table,
    changes_table,
    leaderboard_table,
    rates_table,
    recipe_comparisons_table,
    recipes_table,
    scores_table,
    verdicts_table,
)
from harness.exports import AbstractExporter


@dataclass(frozen=True)
class Csv(AbstractExporter):
    """Tables for spreadsheets and scripts; their columns are promised."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes the tables."""
        write_table(scores_table(board.record), folder / "scores.csv")
        write_table(changes_table(board.record), folder / "changes.csv")
        write_table(leaderboard_table(board), folder / "leaderboard.csv")
        some = {"verdicts": verdicts_table, "rates": rates_table}
        some |= {"recipes": recipes_table, "recipe_comparisons": recipe_comparisons_table}
        for name, table in {**some, "shares": shares_table, "rows": rows_table}.items():
            made = table(board.record)
            if made.rows:
                write_table(made, folder / f"{name}.csv")


def write_table(table: Table, path: Path) -> None:
    """Writes the table as UTF-8 CSV with a header; lines end in a line feed on every system."""
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table.csv_rows())
