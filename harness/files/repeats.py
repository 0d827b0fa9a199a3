"""A prompt that stands in several rows of a table: samples of one model, or rows that have to be chosen from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.files.answers import Answer
from harness.files.cells import beginning
from harness.files.rows import Table
from harness.types import DistillbenchError

# Names of columns that number the samples of a prompt.
_SAMPLES = (
    "sample", "sample_id", "sample_index", "sample_idx", "sample_number", "draw", "epoch", "repeat", "trial",
    "generation_id", "generation_index", "completion_index", "choice_index", "seed",
)  # fmt: skip


def numbered(
    table: Table, columns: Mapping[str, str], answers: Sequence[Answer]
) -> tuple[list[Answer], str]:
    """Answers whose samples are numbered, and a note on how; as they are where no prompt has different answers.

    Rows are numbered by a column with a usual name, else, if every prompt has as many rows and nothing tells them
    apart, by their order. Raises DistillbenchError where a column does that a model's name might be.
    """
    groups = _groups(answers)
    differ = any(len({str(answers[i].value) for i in rows}) > 1 for rows in groups)
    if not differ or "sample" in columns or len(answers) != len(table.rows):
        return list(answers), ""
    names = dict.fromkeys(name for row in table.rows for name in row)
    others = [name for name in names if name not in columns.values()]
    labels = [name for name in others if _tells_apart(table, name, groups)]
    usual = next((name for name in _SAMPLES if name in labels), None)
    if usual is not None:
        draws = [_label(row.get(usual)) for row in table.rows]
        return _with_draws(answers, draws), f"samples are numbered by column {usual!r}"
    sizes = {len(rows) for rows in groups}
    if len(sizes) > 1 or len(groups) == 1:
        return list(answers), ""
    if labels:
        (size,) = sizes
        values = list(dict.fromkeys(str(table.rows[i].get(labels[0])) for i in groups[0]))
        raise DistillbenchError(
            f"{table.path}: every prompt stands in {size} rows, one for each {labels[0]!r} ({', '.join(values[:4])}); "
            f"choose one: where: {{{labels[0]}: {beginning(values[0])}}}, or take them as samples: columns: "
            f"{{sample: {labels[0]}}}"
        )
    order = {i: k for rows in groups for k, i in enumerate(rows)}
    note = f"every prompt stands in {len(groups[0])} rows: read as its samples, in the order of the file"
    return _with_draws(answers, [order[i] for i in range(len(answers))]), note


def _groups(answers: Sequence[Answer]) -> list[list[int]]:
    """Indices of the answers to the same words."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i, a in enumerate(answers):
        groups[a.kind, a.name, a.context, a.continuation, a.system].append(i)
    return list(groups.values())


def _tells_apart(table: Table, name: str, groups: Sequence[Sequence[int]]) -> bool:
    """Whether a column has different values in the rows of every prompt, from few values in all."""
    most = max(len(rows) for rows in groups)
    seen: set[str] = set()
    for rows in groups:
        values = {str(table.rows[i].get(name)) for i in rows}
        seen |= values
        if len(values) < len(rows) or len(seen) > most:
            return False
    return True


def _label(cell: Any) -> int | str:
    return cell if isinstance(cell, int) else str(cell)


def _with_draws(answers: Sequence[Answer], draws: Sequence[int | str]) -> list[Answer]:
    return [replace(a, draw=draw) for a, draw in zip(answers, draws, strict=True)]
