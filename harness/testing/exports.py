"""The contract of exporters, as a test."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from harness.board.board import Board
from harness.board.plain import to_plain
from harness.exports import AbstractExporter
from harness.plugins import build, kinds, plugin_class
from harness.testing.boards import made_board
from harness.testing.making import check_travels, made


def check_exporter(
    exporter: type[AbstractExporter] | AbstractExporter | str,
    board: Board | None = None,
    **fields: Any,
) -> None:
    """Raises AssertionError with a sentence if an exporter breaks its contract.

    board: of a run; None = a made-up one. fields: its own.
    """
    writer = made("exports", exporter, fields)
    check_travels("exports", writer)
    board = made_board() if board is None else board
    before, first = everything(board), written(writer, board)
    assert first, f"{writer.kind}: expected a file, got none"
    deep = [name for name in first if "/" in name and writer.always]
    assert not deep, f"{writer.kind}: expected flat files, got {deep[0]} in a folder"
    assert written(writer, board) == first, f"{writer.kind}: the second time its bytes are others"
    assert everything(board) == before, f"{writer.kind}: it changes the board"
    for kind in kinds("exports") if writer.always else ():
        if kind != writer.kind and plugin_class("exports", kind).always:
            shared = first.keys() & written(build("exports", kind, {"kind": kind}), board).keys()
            assert not shared, f"{writer.kind}: {', '.join(sorted(shared))} is a file of {kind}"


def written(exporter: AbstractExporter, board: Board) -> dict[str, bytes]:
    """Name -> content of every file that an exporter writes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exporter.export(board, folder)
        files = (p for p in folder.rglob("*") if p.is_file())
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def everything(board: Board) -> str:
    """All that a board says, as one text."""
    parts = (board.subjects, board.columns, list(board.claims.items()), board.rows)
    return repr((to_plain(board.record), *parts))
