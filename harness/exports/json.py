"""run.json, scores.json and influence.parquet: the record itself, which `harness.load` reads back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board
from harness.board.saved import write_record
from harness.exports import AbstractExporter


@dataclass(frozen=True)
class Json(AbstractExporter):
    """How the run was made, every score with its store keys, and what paired comparisons need."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes the three files."""
        write_record(board.record, folder)
