"""leaderboard.md: the leaderboard for a pull request or a README."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board
from harness.board.evidence import weighings
from harness.board.leaderboard import leaderboard_view
from harness.board.methods import methods_view
from harness.board.tables import MARKS, Cell, Table
from harness.console.invisible import spelled_out
from harness.exports import AbstractExporter

_ESCAPED = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|"} | {"\n": " "})


@dataclass(frozen=True)
class Markdown(AbstractExporter):
    """The columns that the page shows unasked, with intervals and marks."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes the table of models with its legend, and where methods were compared theirs."""
        models = leaderboard_view(board)
        methods = [methods_view(w) for w in weighings(board.record) if len(w.case.methods) > 1]
        lines = [f"# {_plain(board.record.title)}", ""]
        for table in ([models] if models.rows else []) + methods:
            lines += [*_table(table), ""]
        if models.rows:
            signs = "; ".join(f"{sign} {word}" for word, sign in MARKS.items())
            lines += [
                f"{signs}; bold: best, and different from the next beyond doubt; in brackets 95 % intervals",
                "",
            ]
        (folder / "leaderboard.md").write_bytes("\n".join(lines).encode("utf-8", "replace"))


def _table(table: Table) -> list[str]:
    heads = [
        f"{_plain(h.name)} ({_plain(h.note)})" if h.note else _plain(h.name) for h in table.heads
    ]
    return [
        _line(heads),
        _line(["---:" if h.numeric else "---" for h in table.heads]),
        *(_line([_model(row[0]), *map(_words, row[1:])]) for row in table.rows),
    ]


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return spelled_out(text).translate(_ESCAPED)


def _model(cell: Cell) -> str:
    """A model's name, with its role where it is not a student."""
    return _plain(cell.text if cell.note in ("student", "") else f"{cell.text} ({cell.note})")


def _words(cell: Cell) -> str:
    number = f"**{_plain(cell.text)}**" if cell.leads else _plain(cell.text)
    return " ".join(filter(None, [number, cell.interval, *(MARKS[m] for m in cell.marks)]))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
