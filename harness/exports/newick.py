"""lineages.nwk: trees of models by their function words, for programs that draw trees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board
from harness.console.invisible import in_one_line
from harness.exports import AbstractExporter
from harness.text.likeness_tree import newick


@dataclass(frozen=True)
class Newick(AbstractExporter):
    """One tree a line, job by job and task by task; branches are labelled with their support in per cent."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes the trees of a case; no file where there are none."""
        cases = [run.case for run in board.record.runs().values() if run.case is not None]
        trees = [newick(tree.branches) for case in cases for tree in case.trees]
        if trees:
            text = "".join(f"{in_one_line(tree)}\n" for tree in trees)
            (folder / "lineages.nwk").write_bytes(text.encode("utf-8", "replace"))
