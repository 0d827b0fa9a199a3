"""Where a model's recorded answers stand, and reading all of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import NULL, beginning, kind_of
from harness.files.formats import MISSHAPEN, TABLE, Format, Reading, formats, recognise
from harness.files.formats._asked import read_asked
from harness.files.repeats import numbered
from harness.files.rows import Table, first_row, names_of, read_rows
from harness.files.runs import choose_files
from harness.types import DistillbenchError


@dataclass(frozen=True)
class Source:
    """What to read: files of one format, which of their rows, and what their columns mean."""

    files: tuple[Path, ...]
    format: str
    columns: tuple[tuple[str, str], ...]  # (role, column)
    where: tuple[tuple[str, Any], ...]  # (column, value or tuple of values)
    prompts_file: Path | None = None
    notes: tuple[str, ...] = ()  # what was chosen among several files
    # of the files: a source of changed files is another source
    stamps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Answers:
    """All answers of a source, and what a reader should know of how they were read."""

    answers: tuple[Answer, ...]
    notes: tuple[str, ...]


def find_files(
    path: Path, format_: str, run: str | None
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files that a path stands for, and notes on what was chosen; `format_` may be "auto"."""
    known = formats().values() if format_ == "auto" else [formats()[format_]]
    chosen = choose_files(path, [pattern for f in known for pattern in f.files], run)
    return chosen.files, chosen.notes


def format_of(path: Path, columns: Mapping[str, str]) -> str:
    """The format of a file, by its first row; one whose columns are named is a table."""
    return TABLE if columns else recognise(first_row(path))


def read_answers(source: Source) -> Answers:
    """All answers in the order of the files; raises DistillbenchError for whatever is wrong with them."""
    asked = None if source.prompts_file is None else read_asked(source.prompts_file)
    answers: list[Answer] = []
    notes = list(source.notes)
    for path in source.files:
        format_ = formats()[source.format]
        columns = format_.columns(dict(source.columns), names_of(path))
        table = _rows(path, dict(source.where), list(columns.values()))
        reading = Reading(path, columns, asked, source.prompts_file)
        rows = zip(table.numbers, table.rows, strict=True)
        here = [a for n, row in rows for a in _answers(format_, row, f"{path}, row {n}", reading)]
        here, repeats = numbered(table, columns, here)
        notes += [
            *([repeats] if repeats else []),
            *(_blank(path, here) if table.blank_or_missing else []),
        ]
        answers += here
    notes += [*_failed(answers), *_endless(answers)]
    return Answers(tuple(_ranked(answers)), tuple(notes))


def _answers(format_: Format, row: Mapping[str, Any], where: str, reading: Reading) -> list[Answer]:
    """The answers in a row; raises DistillbenchError where one of its cells is not what the format says."""
    try:
        answers = list(format_.answers(row, where, reading))
        for a in answers:
            for cell in (a.context, a.continuation, a.name, a.system):
                if not isinstance(cell, str | None):
                    raise TypeError(f"expected text, got {kind_of(cell)}")
        return answers
    except MISSHAPEN as error:
        what = str(error) or type(error).__name__
        raise DistillbenchError(
            f"{where}: expected a row of {format_.title}, got one with a cell of another kind ({what}): "
            f"{beginning(row)}; correct the row or take it out"
        ) from error


def _rows(path: Path, where: Mapping[str, Any], columns: Sequence[str]) -> Table:
    """Rows of a file; a column that is missing because the file has another format is said so."""
    try:
        return read_rows(path, where, columns)
    except DistillbenchError as error:
        name = recognise(first_row(path)) if "is unknown" in str(error) else TABLE
        if name == TABLE:
            raise
        cure = f"this looks like {formats()[name].title}: leave out `columns` and `format`"
        raise DistillbenchError(f"{error}; {cure}") from None


def _ranked(answers: Sequence[Answer]) -> list[Answer]:
    """Answers whose samples are numbered from 0, in the order of their labels."""
    labels = {a.draw for a in answers}
    numeric = all(isinstance(v, int) for v in labels)
    ranks = {v: i for i, v in enumerate(sorted(labels, key=None if numeric else str))}
    return [a if ranks[a.draw] == a.draw else replace(a, draw=ranks[a.draw]) for a in answers]


def _blank(path: Path, answers: Sequence[Answer]) -> list[str]:
    """A note on blank cells of a format that cannot tell them from missing ones."""
    n = sum(a.value == "" for a in answers)
    if not n:
        return []
    return [
        f"{n} of {len(answers)} answers in {path.name} are blank cells, read as answers of nothing: this format cannot "
        "tell them from missing answers"
    ]


def _failed(answers: Sequence[Answer]) -> list[str]:
    """A note on failed calls, with the most frequent of their reasons."""
    reasons = Counter(a.missing for a in answers if a.missing and a.missing != NULL)
    if not reasons:
        return []
    (reason, n), *others = reasons.most_common()
    more = f", and {len(others)} other reasons" if others else ""
    total = sum(reasons.values())
    return [f"{total} of {len(answers)} answers count as not answered: {reason} ({n} times){more}"]


def _endless(answers: Sequence[Answer]) -> list[str]:
    """A note on log-probabilities of minus infinity."""
    scored = [a.value[0] for a in answers if isinstance(a.value, tuple)]
    n = sum(nats == -math.inf for nats in scored)
    if not n:
        return []
    return [
        f"{n} of {len(scored)} log-probabilities are -inf: graded as lm-eval grades them, and left out of measures "
        "that need a finite one"
    ]


def check_any(answers: Answers, path: Path) -> None:
    """Raises DistillbenchError where not one answer is there."""
    if all(a.missing for a in answers.answers):
        why = answers.notes[-1] if answers.notes else "every answer is empty"
        raise DistillbenchError(f"{path}: expected at least one answer, got none: {why}")
