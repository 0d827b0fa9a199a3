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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.board.board import Board


@dataclass(frozen=True)
class AbstractExporter(ABC):
    """Files beside the page, or the page itself."""

    # False = written only where `report.exports` names it, into a folder of its name, in which it may make folders
    always: ClassVar[bool] = True

    kind: str
    name: str

    def faults(self, tasks: Sequence[str]) -> list[str]:
        """What is wrong with its fields in a run of these tasks, each one line; asked before a model loads."""
        del tasks
        return []

    @abstractmethod
    def export(self, board: Board, folder: Path) -> None:
        """Writes its files into a folder that exists; other exporters' files are left alone.

        Folders are only for those that are not always written. The same board gives the same bytes; the board stays as
        it is.
        """
