"""Exporters: what a run leaves for others, made from its Board. One file, one subclass of AbstractExporter.

To write one, copy this into `harness/exports/NAME.py`; the report of every run then has it::

    from dataclasses import dataclass
    from pathlib import Path
    from harness.board.board import Board
    from harness.exports import AbstractExporter

    @dataclass(frozen=True)
    class Names(AbstractExporter):
        \"\"\"names.txt: the models of the run.\"\"\"

        def export(self, board: Board, folder: Path) -> None:
            names = "\\n".join(board.record.models)
            (folder / "names.txt").write_text(names, encoding="utf-8")

`board.record` is what is stored of the run, `board.rows` the leaderboard, `board.claims` what may be said;
`harness.board.tables` has them as tables: `scores_table`, `comparisons_table`, `collections_table` and
`leaderboard_table` with the full numbers; `harness.board.leaderboard.leaderboard_view` has it in words. Do not compare
numbers: ask `board.claim`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board


@dataclass(frozen=True)
class AbstractExporter(ABC):
    """Files beside the page, or the page itself."""

    kind: str
    name: str

    @abstractmethod
    def export(self, board: Board, folder: Path) -> None:
        """Writes its files, and no folders, into a folder that exists; other exporters' files are left alone.

        The same board gives the same bytes; the board stays as it is.
        """
