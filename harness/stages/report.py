"""The report stage: a run's record becomes a folder of exports, the same bytes for the same record."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from harness.board.answers import Read
from harness.board.board import Board, make_board
from harness.board.closing import closing_lines
from harness.board.record import CollectionRecord, RunRecord
from harness.console.progress import say, stage
from harness.console.secrets import redacted
from harness.exports import AbstractExporter
from harness.panel.side import Side
from harness.plugins import build, kinds, outside_kinds, plugin_class
from harness.stages.marks import recall_brief
from harness.stages.parts import fault, forget_exports, lacks_some, undrawable
from harness.store.damage import made_folder, put_aside
from harness.store.drafts import draft_of
from harness.store.store import Store
from harness.store.tables import grades_from_table, outputs_from_table, requests_from_table
from harness.types import DistillbenchError, RequestSet


@stage("writing the page")
def write_report(record: RunRecord, folder: Path, read: Read) -> Path:
    """Path of index.html in `folder`, where every exporter writes its files; `read` reaches the stored answers.

    What the page says first is said here as well. The files are made beside the folder and moved into it whole; the
    page comes last, and then, one by one, what the user's own exporters make, and those that the run names. A figure
    that cannot be drawn, and one of these exporters that fails, are left out, which `lacks_parts` tells afterwards.
    """
    board, own, store = make_board(redacted(record), read), outside_kinds("exports"), _store(folder)
    board = replace(board, undrawn=undrawable(board, store))
    for line in closing_lines(board):
        say(line)
    written = set[str]()
    always = [kind for kind in kinds("exports") if plugin_class("exports", kind).always]
    _export([kind for kind in always if kind not in own], board, folder, written)
    for kind in (k for k in always if k in own):
        fault(f"export {kind}", partial(_export, [kind], board, folder, written), store)
    forget_exports(store, {*record.exports, *own})
    for name, fields in record.exports.items():
        cure = "correct the plug-in" if fields["kind"] in own else ""
        fault(f"export {name}", partial(_export_apart, name, fields, board, folder), store, cure)
    return folder / "index.html"


def lacks_parts(folder: Path) -> bool:
    """Whether a part of the report in this folder could not be made."""
    return lacks_some(_store(folder))


def _store(folder: Path) -> Store:
    """Where the failures of a report are written: beside it."""
    return Store(folder.parent)


def _export(exporters: Sequence[str], board: Board, folder: Path, written: set[str]) -> None:
    """Moves the files of these exporters into the folder, and adds their names to those that are written already.

    Raises DistillbenchError where a name is written already, or is that of a folder.
    """
    made_folder(folder, folder.parent)
    workshop = draft_of(folder)
    workshop.mkdir()
    try:
        for kind in exporters:
            exporter: AbstractExporter = build("exports", kind, {"kind": kind})
            exporter.export(board, workshop)
        paths = sorted(workshop.iterdir())
        for path in paths:
            if path.name in written or not path.is_file():
                what = "another exporter's file" if path.name in written else "a folder"
                raise DistillbenchError(
                    f"expected files with names of their own, got {what}, {path.name}; rename or drop it"
                )
        written.update(path.name for path in paths)
        _move(workshop, folder)
    finally:
        shutil.rmtree(workshop)


def _export_apart(name: str, fields: Mapping[str, Any], board: Board, folder: Path) -> None:
    """Puts what an exporter makes into a folder of its name, in the place of what it made before."""
    exporter: AbstractExporter = build("exports", name, fields)
    workshop, place = draft_of(folder / name), folder / name
    workshop.mkdir()
    try:
        exporter.export(board, workshop)
        if place.is_dir():
            shutil.rmtree(place)
        os.replace(workshop, place)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def copy_report(report: Path, folder: Path) -> None:
    """Copies the files of a report into another folder, the page last; what else is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    workshop = draft_of(folder)
    workshop.mkdir()
    try:
        for path in report.iterdir():
            if path.is_file():
                shutil.copyfile(path, workshop / path.name)
            elif not path.name.startswith("."):  # a draft of somebody else
                shutil.copytree(path, folder / path.name, dirs_exist_ok=True)
        _move(workshop, folder)
    finally:
        shutil.rmtree(workshop)


def _move(workshop: Path, folder: Path) -> None:
    for path in sorted(workshop.iterdir(), key=lambda p: (p.name == "index.html", p.name)):
        place = folder / path.name
        if place.is_dir():
            put_aside(place, folder.parent, "a folder where a file belongs")
        os.replace(path, place)


def set_aside(report: Path) -> Path | None:
    """Where the report of an earlier run is from now on; None where there is none."""
    if not (report / "index.html").is_file():
        return None
    aside = report.with_name(f"{report.name}.old")
    if aside.is_dir():
        shutil.rmtree(aside)
    os.replace(report, aside)
    return aside


def stored_answers(stores: Sequence[Store]) -> Read:
    """What reads the answers of a collection, with their grades where there are any, from the stores."""

    @lru_cache(maxsize=2)  # all models are asked the same, some of them in chat
    def requests(place: int, key: str) -> RequestSet:
        """A request set from one of the stores."""
        return requests_from_table(stores[place].table(key))

    def read(c: CollectionRecord) -> Side | None:
        """The answers from the first store that has them; None where none has."""
        holding = (i for i, s in enumerate(stores) if s.has(c.key) and s.has(c.requests_key))
        place = next(holding, None)
        if place is None:
            return None
        store = stores[place]
        graded = c.grades_key if c.grades_key and store.has(c.grades_key) else None
        side = Side(
            model=c.model,
            lineage=c.model,
            requests=requests(place, c.requests_key),
            outputs=lambda: outputs_from_table(store.table(c.key)),
            grades=grades_from_table(store.table(graded)) if graded else None,
            keys=(c.key, c.requests_key),
        )
        recall_brief(side, store, c.key, c.requests_key, graded)
        return side

    return read
