"""index.html: the page, one file that works offline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board
from harness.exports import AbstractExporter
from harness.page.render import page


@dataclass(frozen=True)
class Html(AbstractExporter):
    """Decisions, leaderboard, figures, samples and missing results."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes the page with a figure of every kind."""
        (folder / "index.html").write_bytes(page(board).encode("utf-8", "replace"))
