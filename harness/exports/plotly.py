"""figures.json: every figure of the page for plotly, to be drawn anew in a notebook or in another program."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board
from harness.console.invisible import all_spelled_out
from harness.exports import AbstractExporter
from harness.page.draw import standalone
from harness.page.render import pictures_of


@dataclass(frozen=True)
class Plotly(AbstractExporter):
    """Name of a figure, as in its address on the page -> {"data", "layout"}, as `plotly.io.from_json` reads them."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes the figures that the page has; no file where it has none."""
        figures = {p.id: standalone(dict(p.plotly), p.title) for p in pictures_of(board)}
        if figures:
            text = json.dumps(all_spelled_out(figures), ensure_ascii=False, allow_nan=False)
            (folder / "figures.json").write_bytes(f"{text}\n".encode("utf-8", "replace"))
