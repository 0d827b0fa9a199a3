"""leaderboard.tex: the leaderboard as a table for a paper, with the rules of the package booktabs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board
from harness.board.leaderboard import leaderboard_view
from harness.board.tables import MARKS, Cell
from harness.console.invisible import spelled_out
from harness.exports import AbstractExporter

_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "−": "$-$", "–": "--", "\n": " ", "\r": " ",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}  # fmt: skip
_SIGNS = {"▲": r"$\blacktriangle$", "◆": r"$\blacklozenge$", "⇈": r"$\upuparrows$"}
_ESCAPED = str.maketrans(_SPECIAL | _SIGNS)


@dataclass(frozen=True)
class Latex(AbstractExporter):
    """The columns that the page shows unasked, in the words and digits of the page."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes one tabular, to be used by `\\input`; it needs booktabs, and amssymb for the marks."""
        table = leaderboard_view(board)
        columns = "".join("r" if h.numeric else "l" for h in table.heads)
        rows = [" & ".join([_model(row[0]), *map(_words, row[1:])]) + r" \\" for row in table.rows]
        lines = [
            f"% {_comment(board.record.title)}; made by distillbench. Needs booktabs and amssymb.",
            "% " + "; ".join(f"{sign} {word}" for word, sign in MARKS.items()),
            "% bold: best, and different from the next beyond doubt; in brackets 95 % intervals",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(_head(h.name, h.note) for h in table.heads) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
        (folder / "leaderboard.tex").write_bytes("\n".join(lines).encode("utf-8", "replace"))


def _plain(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return spelled_out(text).translate(_ESCAPED)


def _comment(text: str) -> str:
    """Text for one line of comment."""
    return re.sub(r"\s+", " ", spelled_out(text))


def _head(name: str, note: str) -> str:
    return f"{_plain(name)} ({_plain(note)})" if note else _plain(name)


def _model(cell: Cell) -> str:
    return _plain(cell.text if cell.note == "student" else f"{cell.text} ({cell.note})")


def _words(cell: Cell) -> str:
    number = rf"\textbf{{{_plain(cell.text)}}}" if cell.leads else _plain(cell.text)
    return " ".join(
        filter(None, [number, _plain(cell.interval), *(_plain(MARKS[m]) for m in cell.marks)])
    )
